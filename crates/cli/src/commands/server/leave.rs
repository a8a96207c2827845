//! `skep server leave`: this machine's server goes.

use std::{process::ExitCode, time::Duration};

use anyhow::Context as _;
use skep_api::proto::{LeaveRequest, members_client::MembersClient};

use super::HereArgs;
use crate::{output, target::Target};

/// Handing over the lead and two changes of the members fit in.
const WITHIN: Duration = Duration::from_secs(60);

/// Tells the server on this machine to leave.
///
/// # Errors
/// Where none runs here, or it cannot leave.
pub(super) async fn run(here: &HereArgs) -> anyhow::Result<ExitCode> {
    let socket = here.data_dir.join("skep.sock");
    let channel = Target::socket(&socket).channel(WITHIN).await;
    let channel = channel
        .context("a server leaves while it runs: start it first, or use `skep member remove` elsewhere")?;
    MembersClient::new(channel).leave(LeaveRequest {}).await?;
    output::write(&format!(
        "This machine's server has left the cluster; its data is in {}.\n",
        here.data_dir.join("server.left").display()
    ))?;
    Ok(ExitCode::SUCCESS)
}
