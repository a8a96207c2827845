//! One server in a process of its own, with its log on a disk.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use skep_api::proto::InfoRequest;
use skep_tests::{ControlPlane, Loopback, eventually};
use tokio::runtime::Runtime;

use crate::{
    scale::{self, bytes_below},
    store::admin,
};

/// Nothing may be written for so long before the run begins.
const QUIET: Duration = Duration::from_secs(3);
const QUIET_WITHIN: Duration = Duration::from_secs(300);

/// A server that is alone.
pub(crate) struct Server {
    pub(crate) plane: ControlPlane,
}

/// How much was written to the log, though what is not needed any more is removed from it.
pub(crate) struct LogGrowth {
    folder: PathBuf,
    last: u64,
    grown: u64,
}

impl Server {
    pub(crate) fn start(runtime: &Runtime) -> Self {
        let _inside = runtime.enter();
        let mut plane = ControlPlane::new();
        plane.set_pod_cidr(scale::POD_CIDR);
        plane.add_server(&Loopback, &[]);
        plane.wait_for_voters(1);
        Self { plane }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.plane.servers[0].pid()
    }

    /// A connection of its own.
    pub(crate) fn client(&self, runtime: &Runtime) -> scale::Cluster {
        let _inside = runtime.enter();
        scale::client(&self.plane.addresses[0], &admin(&self.plane).client_config())
    }

    pub(crate) fn log(&self) -> LogGrowth {
        let folder = self.plane.servers[0].data_dir().join("server/log");
        LogGrowth {
            last: bytes_below(&folder),
            grown: 0,
            folder,
        }
    }

    /// Waits until controllers have done what there was to do.
    pub(crate) fn wait_for_quiet(&self, runtime: &Runtime) {
        let mut client = self.client(runtime);
        let mut last = (0, Instant::now());
        eventually("nothing is written any more", QUIET_WITHIN, || {
            let info = runtime.block_on(client.info(InfoRequest {}));
            let revision = info.expect("the server answers").into_inner().revision;
            if revision != last.0 {
                last = (revision, Instant::now());
            }
            (last.1.elapsed() > QUIET).then_some(())
        });
    }
}

impl LogGrowth {
    /// Bytes so far; to be asked often.
    pub(crate) fn grown(&mut self) -> u64 {
        let now = bytes_below(&self.folder);
        self.grown += now.saturating_sub(self.last);
        self.last = now;
        self.grown
    }
}
