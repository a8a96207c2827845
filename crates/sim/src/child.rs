//! One simulation, alone in its process: nothing that another one left behind can change it.

use std::{
    panic::{self, AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use tempfile::TempDir;

use crate::{Layer, cluster, hermetic, store, trace};

/// Set by a panic in any task: nobody may have waited for it.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Runs one seed and prints one line; all that happened goes to `trace`, and where it fails, its end is printed.
pub(crate) fn run(layer: Layer, seed: u64, file: Option<&Path>) -> ! {
    let folder = folder();
    hermetic::seal_luck(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ layer as u64);
    trace::take_log(folder.path());
    note_panics();
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
    let ended = catch_unwind(AssertUnwindSafe(|| runtime.block_on(simulation)));
    let (lines, sum) = trace::sum();
    if let Some(file) = file {
        trace::write_to(file).unwrap();
    }
    let told = match ended {
        Ok(told) if !PANICKED.load(Relaxed) => {
            println!("{told}; trace of {lines} lines, {sum:08x}");
            leave(0, folder);
        }
        Ok(told) => told,
        Err(_) => String::new(),
    };
    println!(
        "FAILED {told}; trace of {lines} lines, {sum:08x}; it ends with\n{}",
        trace::tail()
    );
    leave(1, folder)
}

/// Ends the process as it is: tasks that are still about are of no interest.
fn leave(code: i32, folder: TempDir) -> ! {
    drop(folder);
    std::process::exit(code)
}

/// In memory where possible: what is simulated is not the disk's speed.
fn folder() -> TempDir {
    TempDir::with_prefix_in("skep-sim-", "/dev/shm").unwrap_or_else(|_| tempfile::tempdir().unwrap())
}

fn note_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        PANICKED.store(true, Relaxed);
        trace::note!("PANIC {info}");
        before(info);
    }));
}
