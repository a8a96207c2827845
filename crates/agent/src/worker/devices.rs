//! A pod's devices and CPUs: taken before its first container starts.

use super::task::Worker;
use crate::{
    clock,
    devices::Shortage,
    pod::{self, Failure, Work},
};

/// Why the containers of a pod without its devices wait.
const WAITS: &str = "FailedAllocateDevices";

impl Worker {
    /// True where the pod has what it asks for now.
    pub(super) fn take_devices(&mut self) -> bool {
        let uid = &self.desired.pod.metadata.uid;
        match self.shared.devices.take(uid, &self.desired.wants) {
            Ok(devices) => {
                self.observed.devices = Some(devices);
                self.observed.failed.remove(&Work::Devices);
                true
            }
            Err(shortage) if shortage.lasting => {
                let message = format!("Allocate failed due to {shortage}, which is unexpected");
                let is_news = self.observed.refused.replace(message).is_none();
                // The next step tells of it.
                is_news
            }
            Err(shortage) => {
                self.wait_for_devices(&shortage);
                false
            }
        }
    }

    /// Another pod that is on its way out may still have them.
    fn wait_for_devices(&mut self, shortage: &Shortage) {
        let known = self.observed.failed.get(&Work::Devices);
        let count = known.map_or(0, |failure| failure.count) + 1;
        let message = format!("waiting for devices: {shortage}");
        if count == 1 {
            let note = pod::Note {
                warning: true,
                reason: WAITS,
                message: message.clone(),
                ..pod::Note::default()
            };
            self.shared.event(&self.desired.pod, note);
        }
        let failure = Failure {
            reason: WAITS,
            message,
            at: clock::now(),
            count,
        };
        self.observed.failed.insert(Work::Devices, failure);
    }
}
