//! Where the daemon's own events go: to standard error, in colour on a terminal.

use std::io::IsTerminal;

use anyhow::{Context, anyhow};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    fmt,
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

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
    let events = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(
            std::io::stderr().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        )
        .with_target(false);
    tracing_subscriber::registry()
        .with(events)
        .with(filter)
        .try_init()
        .map_err(|error| anyhow!("cannot start logging: {error}"))
}

/// By crate and module alone: to choose by spans and their fields as well, `EnvFilter` brings regular expressions, 0.4 MiB of them.
fn filter(level: &str) -> anyhow::Result<Targets> {
    let directives = match level.parse::<LevelFilter>() {
        Ok(_) => {
            let own: Vec<_> = OWN.iter().map(|name| format!("{name}={level}")).collect();
            format!("warn,openraft=off,{}", own.join(","))
        }
        // An empty directive would mean everything.
        Err(_) => level
            .split(',')
            .map(str::trim)
            .filter(|directive| !directive.is_empty())
            .collect::<Vec<_>>()
            .join(","),
    };
    if directives.is_empty() {
        return Ok(Targets::new());
    }
    directives
        .parse::<Targets>()
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
        let trailing = filter("info, skep_agent=debug,").unwrap();
        assert!(!trailing.would_enable("h2", &tracing::Level::TRACE));
        assert!(trailing.would_enable("skep_agent::pod", &tracing::Level::DEBUG));
        assert!(!filter(",").unwrap().would_enable("skep", &tracing::Level::ERROR));
        assert!(filter("skep=loud").is_err());
    }
}
