//! `skep version`: what this program and the server are.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};
use skep_api::proto::{InfoRequest, InfoResponse};

use crate::{
    context::Context,
    errors,
    output::{self, json as to_json, yaml},
};

/// What `skep version` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep version
  skep version --client -o json")]
pub(crate) struct VersionArgs {
    /// This program's version only; no server is asked
    #[arg(long)]
    client: bool,
    /// How to show it: json or yaml
    #[arg(short, long, value_parser = ["json", "yaml"], hide_possible_values = true, value_name = "FORMAT")]
    output: Option<String>,
}

/// Shows versions; a server that cannot be reached is an error after the client's version is shown.
///
/// # Errors
/// Where they cannot be printed.
pub(crate) async fn run(args: VersionArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let server = if args.client { None } else { Some(info(ctx).await) };
    let document = document(server.as_ref().and_then(|server| server.as_ref().ok()));
    output::write(&shown(&document, args.output.as_deref())?)?;
    match server {
        Some(Err(error)) => {
            errors::report(&error);
            Ok(ExitCode::FAILURE)
        }
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// What the server says of itself.
///
/// # Errors
/// Where it cannot be asked.
pub(crate) async fn info(ctx: &Context) -> anyhow::Result<InfoResponse> {
    Ok(ctx.client().await?.info(InfoRequest {}).await?.into_inner())
}

fn document(server: Option<&InfoResponse>) -> Value {
    let platform = format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH);
    let mut document = json!({
        "clientVersion": { "gitVersion": with_v(env!("CARGO_PKG_VERSION")), "platform": platform },
    });
    if let Some(server) = server {
        document["serverVersion"] = json!({ "gitVersion": with_v(&server.version) });
    }
    document
}

fn with_v(version: &str) -> String {
    format!("v{}", version.trim_start_matches('v'))
}

fn shown(document: &Value, format: Option<&str>) -> anyhow::Result<String> {
    match format {
        Some("json") => return to_json(document),
        Some(_) => return yaml(document),
        None => {}
    }
    let line = |title: &str, part: &Value| match part["gitVersion"].as_str() {
        Some(version) => format!("{title} Version: {version}\n"),
        None => String::new(),
    };
    Ok(line("Client", &document["clientVersion"]) + &line("Server", &document["serverVersion"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_shown_as_kubectl_shows_them() {
        let server = InfoResponse {
            version: "9.8.7".to_owned(),
            ..InfoResponse::default()
        };
        let client = env!("CARGO_PKG_VERSION");
        let text = shown(&document(Some(&server)), None).unwrap();
        assert_eq!(
            text,
            format!("Client Version: v{client}\nServer Version: v9.8.7\n")
        );
        assert_eq!(
            shown(&document(None), None).unwrap(),
            format!("Client Version: v{client}\n")
        );
        let parsed: Value =
            serde_json::from_str(&shown(&document(Some(&server)), Some("json")).unwrap()).unwrap();
        assert_eq!(parsed["serverVersion"]["gitVersion"], "v9.8.7");
    }
}
