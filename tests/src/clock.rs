//! A machine whose clock can be set while its processes run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::Host;

/// This machine, with a clock of its own for the processes that are started on it. Their steady clock is the real one.
pub struct Clock {
    file: PathBuf,
    library: PathBuf,
}

impl Clock {
    /// A clock that is right, kept in this file.
    ///
    /// # Panics
    /// Where libfaketime is not installed: `./dev setup` does it.
    pub fn new(file: PathBuf) -> Self {
        let folders = fs::read_dir("/usr/lib").expect("there are libraries");
        let paths = folders.map(|folder| folder.expect("a folder").path());
        let mut libraries = paths.map(|path| path.join("faketime/libfaketime.so.1"));
        let library = libraries.find(|path| path.exists());
        let clock = Self {
            file,
            library: library.expect("libfaketime is installed: run ./dev setup"),
        };
        clock.set(0);
        clock
    }

    /// Sets it so many seconds before or behind the right time.
    pub fn set(&self, seconds: i64) {
        let draft = self.file.with_extension("draft");
        fs::write(&draft, format!("{seconds:+}\n")).expect("a file");
        fs::rename(draft, &self.file).expect("a file");
    }
}

impl Host for Clock {
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.file)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_DONT_RESET", "1");
        command
    }

    fn address(&self) -> String {
        "127.0.0.1".to_owned()
    }
}
