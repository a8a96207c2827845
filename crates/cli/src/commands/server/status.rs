//! `skep server status`: what this machine's server does.

use std::{process::ExitCode, time::Duration};

use skep_api::proto::{SealStatus, SealStatusRequest, seal_client::SealClient};

use super::HereArgs;
use crate::{output, target::Target};

const WITHIN: Duration = Duration::from_secs(10);

/// Shows what this machine's server does; fails where none runs, or it waits.
///
/// # Errors
/// Where the output cannot be written.
pub(super) async fn run(here: &HereArgs) -> anyhow::Result<ExitCode> {
    let Ok(channel) = Target::socket(here.data_dir.join("skep.sock"))
        .channel(WITHIN)
        .await
    else {
        output::write("No server runs on this machine, or it keeps its data elsewhere (--data-dir).\n")?;
        return Ok(ExitCode::FAILURE);
    };
    let status = SealClient::new(channel)
        .status(SealStatusRequest {})
        .await?
        .into_inner();
    output::write(&shown(&status))?;
    Ok(if status.waits {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn shown(status: &SealStatus) -> String {
    if status.waits {
        return "This machine's server waits for its passphrase: run `skep server unlock`.\n".to_owned();
    }
    let guarded = if status.guarded {
        "by a passphrase"
    } else {
        "by nothing but its file's mode"
    };
    format!(
        "This machine's server runs. Its data is sealed with key {}, guarded {guarded}.\n",
        status.key_id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_waits_says_what_to_do() {
        let waits = SealStatus {
            waits: true,
            guarded: true,
            key_id: String::new(),
        };
        assert!(shown(&waits).contains("`skep server unlock`"));
        let runs = SealStatus {
            waits: false,
            guarded: false,
            key_id: "0123abcd".to_owned(),
        };
        assert!(shown(&runs).contains("key 0123abcd, guarded by nothing"));
    }
}
