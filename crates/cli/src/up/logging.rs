//! Where the daemon's own events go: to standard error, in colour on a terminal.

use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

/// The crates whose events a bare level is about; others say something from warnings on, and consensus nothing: what is
/// worth telling of it is told by the store.
const OWN: [&str; 9] = [
    "skep",
    "skep_agent",
    "skep_controllers",
    "skep_scheduler",
    "skep_server",
    "skep_state",
    "skep_store",
    "skep_trust",
    "skep_cli",
];

/// Sends events from this level on to standard error.
///
/// # Errors
/// Where the level is neither a level nor a list of directives.
pub(crate) fn start(level: &str) -> anyhow::Result<()> {
    let filter = filter(level)?;
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        )
        .with_target(false);
    subscriber
        .try_init()
        .map_err(|error| anyhow!("cannot start logging: {error}"))
}

fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let directives = match level.parse::<LevelFilter>() {
        Ok(_) => {
            let own: Vec<_> = OWN.iter().map(|name| format!("{name}={level}")).collect();
            format!("warn,openraft=off,{}", own.join(","))
        }
        Err(_) => level.to_owned(),
    };
    EnvFilter::try_new(directives)
        .with_context(|| format!("--log-level {level}: write error, warn, info, debug or trace"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_level_is_about_skeps_own_crates() {
        let text = filter("debug").unwrap().to_string();
        assert!(
            text.contains("skep_agent=debug") && text.contains("warn"),
            "{text}"
        );
        assert_eq!(
            filter("info,skep_agent=trace")
                .unwrap()
                .to_string()
                .matches("trace")
                .count(),
            1
        );
        assert!(filter("skep=loud").is_err());
    }
}
