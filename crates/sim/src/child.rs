//! One simulation, alone in its process: nothing that another one left behind can change it.

use std::{
    panic,
    path::{Path, PathBuf},
    thread,
};

use tempfile::TempDir;

use crate::{Layer, cluster, hermetic, store, trace};

/// Runs one seed and prints one line; all that happened goes to `trace`, and where it fails, its end is printed.
pub(crate) fn run(layer: Layer, seed: u64, file: Option<&Path>) -> ! {
    let folder = folder();
    hermetic::seal_luck(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ layer as u64);
    trace::take_log(folder.path());
    fail_on_panic(file.map(Path::to_owned), folder.path().to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    let simulation = async {
        hermetic::seal_clock();
        hermetic::check();
        match layer {
            Layer::Store => store::run(folder.path()).await,
            Layer::Cluster => cluster::run(folder.path()).await,
        }
    };
    let told = runtime.block_on(simulation);
    let (lines, sum) = trace::sum();
    println!("{told}; trace of {lines} lines, {sum:08x}");
    leave(0, file, folder.path())
}

/// Ends the process as it is: tasks that are still about are of no interest.
fn leave(code: i32, file: Option<&Path>, folder: &Path) -> ! {
    if let Some(file) = file {
        trace::write_to(file).expect("the trace can be written");
    }
    std::fs::remove_dir_all(folder).ok();
    std::process::exit(code)
}

/// In memory where possible: what is simulated is not the disk's speed.
fn folder() -> TempDir {
    TempDir::with_prefix_in("skep-sim-", "/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

/// A panic in any task is the end: nobody may be waiting for that task, and what comes after it is of no interest.
fn fail_on_panic(file: Option<PathBuf>, folder: PathBuf) {
    let simulation = thread::current().id();
    panic::set_hook(Box::new(move |info| {
        if thread::current().id() != simulation {
            eprintln!("{info}");
            return;
        }
        trace::note!("PANIC {info}");
        let (lines, sum) = trace::sum();
        println!(
            "FAILED {info}; trace of {lines} lines, {sum:08x}; it ends with\n{}",
            trace::tail()
        );
        leave(1, file.as_deref(), &folder);
    }));
}
