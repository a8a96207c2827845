//! A disk that can lose its power: a file system on a loop device.

use std::{
    cell::RefCell,
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
    image: RefCell<NamedTempFile>,
    mount: PathBuf,
}

impl Disk {
    /// An empty disk of so many MiB at this path, which is made where it is missing. Needs root.
    pub fn new(mount: &Path, mib: u64) -> Self {
        sweep();
        let image = new_image();
        image
            .as_file()
            .set_len(mib * 1024 * 1024)
            .expect("a file of that size");
        run(Command::new("mkfs.ext4")
            .args(["-q", "-m", "0"])
            .arg(image.path()));
        fs::create_dir_all(mount).expect("a folder to mount it at");
        let disk = Self {
            image: RefCell::new(image),
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

    /// Mounts it again after a cut, as a machine does that starts: what was mounted below is gone. Nobody may use it at the
    /// moment.
    pub fn restart(&self) {
        for mount in mounts_below(&self.mount) {
            umount2(&mount, MntFlags::MNT_DETACH).expect("it was mounted a moment ago");
        }
        eventually("nobody uses the disk", std::time::Duration::from_secs(20), || {
            umount2(&self.mount, MntFlags::empty()).ok()
        });
        if self.is_held() {
            // A container that went on has files of it open. What it sees stays cut; the machine gets what the disk has.
            let copy = new_image();
            fs::copy(self.image.borrow().path(), copy.path()).expect("room for a copy");
            self.image.replace(copy);
        }
        self.mount();
    }

    /// Whether the file system lives on although it is mounted nowhere that can be seen from here.
    fn is_held(&self) -> bool {
        let image = self.image.borrow().path().to_owned();
        let devices = fs::read_dir("/sys/block").expect("sysfs is mounted");
        devices.flatten().any(|device| {
            let backing = fs::read_to_string(device.path().join("loop/backing_file"));
            backing.is_ok_and(|file| Path::new(file.trim_end()) == image)
        })
    }

    /// The folder that it is mounted at.
    pub fn path(&self) -> &Path {
        &self.mount
    }

    fn mount(&self) {
        run(Command::new("mount")
            .args(["-o", "loop"])
            .arg(self.image.borrow().path())
            .arg(&self.mount));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // It may be between two mounts, when a test fails.
        let _ = umount2(&self.mount, MntFlags::MNT_DETACH);
    }
}

fn new_image() -> NamedTempFile {
    let prefix = format!("{PREFIX}{}-", std::process::id());
    let image = tempfile::Builder::new().prefix(&prefix).tempfile();
    image.expect("a file for the disk")
}

/// What is mounted below a folder, the deepest first.
fn mounts_below(folder: &Path) -> Vec<PathBuf> {
    let table = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mounts = table.lines().filter_map(|line| line.split(' ').nth(1));
    let below = mounts.map(PathBuf::from);
    let mut below: Vec<_> = below
        .filter(|path| path.starts_with(folder) && path != folder)
        .collect();
    below.reverse();
    below
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
