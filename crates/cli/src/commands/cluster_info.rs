//! `skep cluster-info`: where the cluster is and how it is doing.

use std::{process::ExitCode, time::Duration};

use clap::Args;
use skep_api::proto::InfoResponse;

use super::version::info;
use crate::{context::Context, duration, output};

/// What `skep cluster-info` takes.
#[derive(Args, Debug)]
pub(crate) struct ClusterInfoArgs {}

/// Shows where the server is, and its own numbers.
///
/// # Errors
/// Where the server cannot be asked.
pub(crate) async fn run(_: ClusterInfoArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let info = info(ctx).await?;
    output::write(&shown(&info))?;
    Ok(ExitCode::SUCCESS)
}

fn shown(info: &InfoResponse) -> String {
    let leader = match info.leader_id {
        0 => "no leader is known".to_owned(),
        leader if leader == info.server_id => "this one leads".to_owned(),
        leader => format!("server {leader} leads"),
    };
    format!(
        "skep control plane is running at {}\n\
         Cluster {}: server {} ({leader}), version {}, {} objects, revision {}, up for {}\n\n\
         To see what runs, use 'skep get all -A'; to see what happened, use 'skep events -A'.\n",
        info.addresses.join(", "),
        info.cluster_id,
        info.server_id,
        info.version,
        info.objects,
        info.revision,
        duration::human(Duration::from_secs(info.uptime_seconds)),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_cluster_says_where_it_is_and_who_leads() {
        let info = InfoResponse {
            version: "0.1.0".to_owned(),
            cluster_id: "c0ffee".to_owned(),
            server_id: 1,
            leader_id: 1,
            revision: 42,
            objects: 7,
            uptime_seconds: 125,
            addresses: vec![
                "unix:///var/lib/skep/skep.sock".to_owned(),
                "http://127.0.0.1:7443".to_owned(),
            ],
        };
        expect![[r"
            skep control plane is running at unix:///var/lib/skep/skep.sock, http://127.0.0.1:7443
            Cluster c0ffee: server 1 (this one leads), version 0.1.0, 7 objects, revision 42, up for 2m5s

            To see what runs, use 'skep get all -A'; to see what happened, use 'skep events -A'.
        "]]
        .assert_eq(&shown(&info));
    }
}
