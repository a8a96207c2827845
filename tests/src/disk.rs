//! A disk that can lose its power: a file system on a loop device.

use std::{
    fs::{self, File},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::Command,
};

use nix::mount::{MntFlags, umount2};
use tempfile::NamedTempFile;

use crate::eventually;

/// From then on nothing is written any more, and what is in memory alone never will be: ext4's `EXT4_IOC_SHUTDOWN`.
mod shutdown {
    nix::ioctl_write_ptr_bad!(send, 0x8004_587d, u32);

    /// Without writing the journal, as a power cut would.
    pub(super) const NO_LOG_FLUSH: u32 = 2;
}

/// What the names of images begin with, before the id of the process that made them.
const PREFIX: &str = "skep-disk-";

/// An ext4 file system on a loop device. Dropping it unmounts it, and the device goes with the last user.
pub struct Disk {
    image: NamedTempFile,
    mount: PathBuf,
}

impl Disk {
    /// An empty disk of so many MiB at this path, which is made where it is missing. Needs root.
    pub fn new(mount: &Path, mib: u64) -> Self {
        sweep();
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let image = tempfile::Builder::new().prefix(&prefix).tempfile();
        let image = image.expect("a file for the disk");
        image
            .as_file()
            .set_len(mib * 1024 * 1024)
            .expect("a file of that size");
        run(Command::new("mkfs.ext4")
            .args(["-q", "-m", "0"])
            .arg(image.path()));
        fs::create_dir_all(mount).expect("a folder to mount it at");
        let disk = Self {
            image,
            mount: mount.to_owned(),
        };
        disk.mount();
        disk
    }

    /// Cuts its power: what is not on the disk by now is lost, and everything that is asked of it fails.
    #[expect(unsafe_code, reason = "an ioctl; its argument lives as long as the call")]
    pub fn cut(&self) {
        let folder = File::open(&self.mount).expect("the disk is mounted");
        // SAFETY: the call reads one u32 behind the pointer and keeps nothing.
        let done = unsafe { shutdown::send(folder.as_raw_fd(), &shutdown::NO_LOG_FLUSH) };
        done.expect("ext4 can be shut down");
    }

    /// Mounts it again after a cut, as a machine does that starts. Nobody may use it at the moment.
    pub fn restart(&self) {
        eventually("nobody uses the disk", std::time::Duration::from_secs(20), || {
            umount2(&self.mount, MntFlags::empty()).ok()
        });
        self.mount();
    }

    /// The folder that it is mounted at.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    fn mount(&self) {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(self.image.path())
            .arg(&self.mount));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may be between two mounts, when a test fails.
        let _ = umount2(&self.mount, MntFlags::MNT_DETACH);
    }
}

/// Unmounts the disks of processes that were killed; their devices go with the mounts.
fn sweep() {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    for line in table.lines() {
        let mut words = line.split(' ');
        let (Some(device), Some(mount)) = (words.next(), words.next()) else {
            continue;
        };
        let backing = device.strip_prefix("/dev/").map(|name| {
            let path = format!("/sys/block/{name}/loop/backing_file");
            fs::read_to_string(path).unwrap_or_default()
        });
        let image = backing.as_deref().unwrap_or(device);
        let owner = image.split(PREFIX).nth(1).and_then(|rest| rest.split('-').next());
        if owner.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = umount2(mount, MntFlags::MNT_DETACH);
        }
    }
}

fn run(command: &mut Command) {
    let output = command.output().expect("e2fsprogs and mount are installed");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
