//! What a node gives to containers by the piece: GPUs, devices of the machine, and CPUs of their own.

mod cpus;
mod declared;
mod found;
mod grant;
mod ids;
mod keeper;
mod ledger;
mod pool;
#[cfg(test)]
mod tests;
mod wants;
mod watch;

pub use cpus::parse_cpu_list;
pub use declared::{Declared, DeviceDeclaration, GpuConfig};
pub use found::Gpu;

pub(crate) use cpus::CpuPolicy;
pub(crate) use ids::PodDevices;
pub(crate) use keeper::Devices;
pub(crate) use ledger::Shortage;
pub(crate) use wants::Wants;
pub(crate) use watch::{find_gpus, watch};

use found::paths_there;

/// The resource that GPUs are counted as, whole ones and shares, as NVIDIA's own plug-in names it.
pub const GPU: &str = "nvidia.com/gpu";
