//! The checkpoint on a real disk: what is kept, what can be read of it, and what damage does.

use std::{collections::BTreeMap, fs, path::Path};

use skep_api::{ConfigMap, Object, PodPhase, PodStatus};
use tempfile::TempDir;

use super::{Checkpoint, Disk, Owner, Saved, error::CheckpointError};

const WORD: &str = "the-secret-word-of-this-test";

fn config_map(name: &str, bytes: usize) -> Object {
    let mut object = ConfigMap::default();
    object.metadata.name = name.to_owned();
    object.metadata.namespace = "default".to_owned();
    object.data = BTreeMap::from([("text".to_owned(), "x".repeat(bytes))]);
    object.into()
}

fn secret(name: &str) -> Object {
    let document = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": "default" },
        "stringData": { "word": WORD },
    });
    let object: Object = serde_json::from_value(document).unwrap();
    assert!(matches!(&object, Object::Secret(_)));
    object
}

fn pod(name: &str) -> Object {
    let pod = skep_testkit::pod(name)
        .uid(&format!("uid-{name}"))
        .image("web:v1");
    pod.build().into()
}

/// The checkpoint in a folder, once one that was there before is closed.
fn open(dir: &Path) -> Result<(Disk, Saved), CheckpointError> {
    Disk::open_once_closed(dir)
}

/// Writes what waits in the checkpoint.
fn write(checkpoint: &Checkpoint, disk: &mut Disk) {
    disk.write(&checkpoint.take()).unwrap();
}

fn names(saved: &Saved) -> Vec<String> {
    let mut names: Vec<String> = saved
        .objects
        .iter()
        .map(|object| format!("{}/{}", object.kind(), object.meta().name))
        .collect();
    names.sort();
    names
}

/// A folder with a checkpoint of some objects.
fn filled() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut disk, _) = open(dir.path()).unwrap();
    let checkpoint = Checkpoint::default();
    let owner = Owner {
        cluster_id: "c1".to_owned(),
        node_name: "n1".to_owned(),
    };
    checkpoint.own(&owner);
    checkpoint.replace(&[config_map("large", 30_000), secret("word"), pod("web")]);
    write(&checkpoint, &mut disk);
    dir
}

const FILLED: [&str; 3] = ["ConfigMap/large", "Pod/web", "Secret/word"];

#[test]
fn what_was_written_is_there_after_a_restart() {
    let dir = filled();
    let (_, saved) = open(dir.path()).unwrap();
    assert_eq!(saved.owner.as_ref().unwrap().cluster_id, "c1");
    assert_eq!(names(&saved), FILLED);
    assert!(saved.objects.contains(&config_map("large", 30_000)));
    assert!(saved.objects.contains(&secret("word")));
}

#[test]
fn what_was_written_is_there_although_the_agent_was_killed() {
    let dir = tempfile::tempdir().unwrap();
    let (mut disk, _) = open(dir.path()).unwrap();
    let checkpoint = Checkpoint::default();
    for n in 0..20 {
        checkpoint.put(&config_map("large", 9000 + n));
        checkpoint.put(&pod(&format!("web-{n}")));
        write(&checkpoint, &mut disk);
    }
    let copied = tempfile::tempdir().unwrap();
    copy(dir.path(), copied.path());
    let (_, saved) = open(copied.path()).unwrap();
    assert!(saved.objects.contains(&config_map("large", 9019)));
    assert_eq!(saved.objects.len(), 21);
    assert!(!copied.path().join("checkpoint.damaged").exists());
}

#[test]
fn a_snapshot_removes_what_it_does_not_name_and_documents_shrink() {
    let dir = filled();
    let (mut disk, saved) = open(dir.path()).unwrap();
    let checkpoint = Checkpoint::default();
    checkpoint.begin(&saved);
    checkpoint.replace(&[config_map("large", 10), pod("other")]);
    write(&checkpoint, &mut disk);
    drop(disk);
    let (_, saved) = open(dir.path()).unwrap();
    assert_eq!(names(&saved), ["ConfigMap/large", "Pod/other"]);
    assert!(saved.objects.contains(&config_map("large", 10)));
    assert!(saved.owner.is_some(), "whose it is stays");
}

#[test]
fn a_status_comes_back_with_its_pod_and_goes_with_it() {
    let dir = filled();
    let (mut disk, saved) = open(dir.path()).unwrap();
    let checkpoint = Checkpoint::default();
    checkpoint.begin(&saved);
    let status = PodStatus {
        phase: PodPhase::Running,
        pod_ip: "10.64.0.9".to_owned(),
        ..PodStatus::default()
    };
    checkpoint.status("uid-web", &status);
    checkpoint.status("uid-of-nobody", &status);
    write(&checkpoint, &mut disk);
    drop(disk);
    let (mut disk, saved) = open(dir.path()).unwrap();
    let found = saved.objects.iter().find_map(|object| match object {
        Object::Pod(pod) => Some(pod.status.clone()),
        _ => None,
    });
    assert_eq!(found, Some(status));
    assert!(!saved.names.contains("Status/uid-of-nobody"));
    let checkpoint = Checkpoint::default();
    checkpoint.begin(&saved);
    checkpoint.remove_pod("uid-web");
    write(&checkpoint, &mut disk);
    drop(disk);
    let (_, saved) = open(dir.path()).unwrap();
    assert!(!saved.names.contains("Status/uid-web") && !saved.names.contains("Pod/uid-web"));
}

#[test]
fn nothing_of_a_secret_can_be_read_on_the_disk() {
    assert!(serde_json::to_string(&secret("word")).unwrap().contains(WORD));
    let dir = filled();
    let mut files = Vec::new();
    collect(dir.path(), &mut files);
    assert!(files.len() >= 2, "store and key: {files:?}");
    for file in files {
        let bytes = fs::read(&file).unwrap();
        let is_there = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
        assert!(!is_there(WORD.as_bytes()), "in {}", file.display());
    }
    use std::os::unix::fs::PermissionsExt;
    let key = fs::metadata(dir.path().join("checkpoint.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_damaged_store_is_set_aside_and_a_new_one_works() {
    let original = filled();
    let db = fs::read(original.path().join("checkpoint/db")).unwrap();
    let mut salvaged = 0;
    let damages: Vec<Damage> = (0..24)
        .map(|n| Damage::Flip(n * db.len() / 24 + 7))
        .chain([0, 1, 100, 5000, db.len() / 2].map(Damage::Cut))
        .chain([Damage::Garbage])
        .collect();
    for damage in damages {
        let dir = tempfile::tempdir().unwrap();
        copy(original.path(), dir.path());
        fs::write(dir.path().join("checkpoint/db"), damage.done_to(&db)).unwrap();
        let (mut disk, saved) = open(dir.path()).unwrap_or_else(|error| panic!("{damage:?}: {error}"));
        salvaged += saved.objects.len();
        let known = names(&saved).iter().all(|name| FILLED.contains(&name.as_str()));
        assert!(known, "{damage:?}: {:?}", names(&saved));
        let checkpoint = Checkpoint::default();
        checkpoint.begin(&saved);
        checkpoint.replace(&[pod("new")]);
        write(&checkpoint, &mut disk);
        drop(disk);
        let (_, saved) = open(dir.path()).unwrap();
        assert_eq!(names(&saved), ["Pod/new"], "after {damage:?}");
    }
    assert!(salvaged > 0, "what is whole is not given up");
}

#[test]
fn without_its_key_a_store_is_set_aside() {
    let dir = filled();
    fs::remove_file(dir.path().join("checkpoint.key")).unwrap();
    let (_, saved) = open(dir.path()).unwrap();
    assert!(saved.objects.is_empty() && saved.owner.is_none());
    assert!(dir.path().join("checkpoint.damaged/db").exists());
}

#[test]
fn a_store_that_ends_the_agent_each_time_is_set_aside() {
    let dir = filled();
    fs::write(dir.path().join("checkpoint.opening"), "1\n").unwrap();
    assert_eq!(
        names(&open(dir.path()).unwrap().1),
        FILLED,
        "once may be a power cut"
    );
    fs::write(dir.path().join("checkpoint.opening"), "2\n").unwrap();
    assert!(open(dir.path()).unwrap().1.objects.is_empty());
    assert!(!dir.path().join("checkpoint.opening").exists());
}

#[test]
fn the_store_does_not_grow_without_bounds() {
    let dir = filled();
    let (mut disk, saved) = open(dir.path()).unwrap();
    let checkpoint = Checkpoint::default();
    checkpoint.begin(&saved);
    for n in 0..500 {
        checkpoint.put(&config_map("large", 9000 + n));
        write(&checkpoint, &mut disk);
    }
    let size = fs::metadata(dir.path().join("checkpoint/db")).unwrap().len();
    assert!(size < 32 << 20, "{size} bytes");
}

#[test]
fn what_cannot_be_written_now_is_written_later_unless_there_is_something_newer() {
    let checkpoint = Checkpoint::default();
    checkpoint.put(&config_map("a", 1));
    checkpoint.put(&config_map("b", 1));
    let failed = checkpoint.take();
    checkpoint.put(&config_map("a", 2));
    checkpoint.give_back(&failed);
    let next = checkpoint.take();
    assert_eq!(next.len(), 2);
    assert_ne!(next["ConfigMap/default/a"], failed["ConfigMap/default/a"]);
    assert_eq!(next["ConfigMap/default/b"], failed["ConfigMap/default/b"]);
}

#[derive(Debug)]
enum Damage {
    Flip(usize),
    Cut(usize),
    Garbage,
}

impl Damage {
    fn done_to(&self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Flip(at) => bytes[*at..].iter_mut().take(64).for_each(|byte| *byte ^= 0x55),
            Self::Cut(len) => bytes.truncate(*len),
            Self::Garbage => {
                bytes = (0..100_000u32)
                    .map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8)
                    .collect();
            }
        }
        bytes
    }
}

fn collect(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            fs::create_dir(&target).unwrap();
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}
