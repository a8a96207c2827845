//! What the machine itself says of its devices.

use std::{fs, os::unix::fs::FileTypeExt, path::Path, process::Stdio, time::Duration};

use tokio::process::Command;

/// Where NVIDIA's driver tells of each GPU, below the system's root.
const DRIVER_GPUS: &str = "proc/driver/nvidia/gpus";

/// NVIDIA's own tool, asked where the driver's files do not tell the ids.
const TOOL: &str = "nvidia-smi";

/// For the tool to answer; it may hang where a GPU does.
const TOOL_PATIENCE: Duration = Duration::from_secs(10);

/// A GPU of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gpu {
    /// `GPU-…`, by which the engine knows it.
    pub uuid: String,
    /// Such as `NVIDIA A100-SXM4-40GB`; empty where unknown.
    pub model: String,
}

/// The machine's GPUs in the order of their places; `root` is the system's, `/`.
pub(crate) async fn find(root: &Path) -> Vec<Gpu> {
    let (gpus, all_known) = of_driver(&root.join(DRIVER_GPUS));
    if all_known {
        return gpus;
    }
    // A driver that has not woken a GPU up yet does not know its id.
    let told = ask_tool(TOOL).await.map(|answer| parse_tool(&answer));
    told.filter(|told| !told.is_empty()).unwrap_or(gpus)
}

/// What the driver's files say; false where an id is missing in them.
fn of_driver(dir: &Path) -> (Vec<Gpu>, bool) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut places: Vec<_> = entries.map(|entry| entry.path()).collect();
    places.sort();
    let mut all_known = true;
    let mut gpus = Vec::new();
    for place in places {
        let text = fs::read_to_string(place.join("information")).unwrap_or_default();
        if field(&text, "GPU Excluded").as_deref() == Some("Yes") {
            continue;
        }
        match field(&text, "GPU UUID").filter(|uuid| !uuid.is_empty() && !uuid.contains('?')) {
            Some(uuid) => gpus.push(Gpu {
                uuid,
                model: field(&text, "Model").unwrap_or_default(),
            }),
            None => all_known = false,
        }
    }
    (gpus, all_known)
}

fn field(text: &str, name: &str) -> Option<String> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(|value| value.trim().to_owned())
}

/// What the tool prints of the machine's GPUs; `None` where it cannot be asked.
async fn ask_tool(tool: &str) -> Option<String> {
    let mut command = Command::new(tool);
    command.arg("-L").stdin(Stdio::null()).kill_on_drop(true);
    let asked = tokio::time::timeout(TOOL_PATIENCE, command.output());
    let answer = asked.await.ok()?.ok()?;
    answer
        .status
        .success()
        .then(|| String::from_utf8_lossy(&answer.stdout).into_owned())
}

/// `GPU 0: NVIDIA A100 (UUID: GPU-…)`; lines further in are parts of a GPU.
fn parse_tool(answer: &str) -> Vec<Gpu> {
    let gpus = answer.lines().filter_map(|line| {
        let (name, uuid) = line.strip_prefix("GPU ")?.rsplit_once(" (UUID: ")?;
        Some(Gpu {
            uuid: uuid.trim_end().strip_suffix(')')?.to_owned(),
            model: name.split_once(": ")?.1.to_owned(),
        })
    });
    gpus.collect()
}

/// Which of these are device files, or folders of them.
pub(crate) fn paths_there(path: &str) -> bool {
    fs::metadata(path).is_ok_and(|meta| {
        let kind = meta.file_type();
        kind.is_char_device() || kind.is_block_device() || kind.is_dir()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(gpus: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (place, text) in gpus {
            let dir = root.path().join(DRIVER_GPUS).join(place);
            fs::create_dir_all(&dir).unwrap();
            fs::write(dir.join("information"), text).unwrap();
        }
        root
    }

    #[tokio::test]
    async fn gpus_are_found_in_the_order_of_their_places() {
        let information = |uuid: &str| {
            format!(
                "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ:   \t\t 61\nGPU UUID: \t {uuid}\nBus Type: \t PCIe\n\
                 Device Minor: \t 0\nGPU Excluded:\t No\n"
            )
        };
        let root = machine(&[
            ("0000:02:00.0", &information("GPU-b")),
            ("0000:01:00.0", &information("GPU-a")),
            ("0000:03:00.0", "GPU UUID: \t GPU-c\nGPU Excluded:\t Yes\n"),
        ]);
        let found = find(root.path()).await;
        let uuids: Vec<&str> = found.iter().map(|gpu| gpu.uuid.as_str()).collect();
        assert_eq!(uuids, ["GPU-a", "GPU-b"]);
        assert_eq!(found[0].model, "NVIDIA GeForce RTX 3090");
        assert!(find(machine(&[]).path()).await.is_empty());
    }

    #[tokio::test]
    async fn a_tool_that_is_not_there_says_nothing() {
        assert_eq!(ask_tool("/no/such/tool").await, None);
        assert_eq!(ask_tool("true").await.as_deref(), Some(""));
        assert_eq!(ask_tool("false").await, None);
    }

    #[test]
    fn a_gpu_that_sleeps_has_no_id_in_the_drivers_files() {
        let root = machine(&[("0000:01:00.0", "GPU UUID: \t GPU-????????-????-????\n")]);
        assert_eq!(of_driver(&root.path().join(DRIVER_GPUS)), (Vec::new(), false));
    }

    #[test]
    fn the_tools_list_is_read_without_parts_of_gpus() {
        let answer = "GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6)\n  MIG 1g.5gb Device 0: (UUID: MIG-1)\n\
                      GPU 1: Tesla T4 (rev: a) (UUID: GPU-7)\n";
        let found = parse_tool(answer);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[1].uuid.as_str(), found[1].model.as_str()),
            ("GPU-7", "Tesla T4 (rev: a)")
        );
    }

    #[test]
    fn only_device_files_and_folders_are_devices() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(paths_there("/dev/null") && paths_there("/dev"));
        assert!(!paths_there(&file.path().display().to_string()) && !paths_there("/dev/no-such"));
    }
}
