//! A folder that is sealed: nothing can be read in it, nothing can be changed in it, and keys can.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skep_api::Object;
use skep_state::Change;
use skep_store::{
    BackupConfig, Member, OpenError, Store, StoreConfig, Vault, VaultError, inspect, label_of, recover,
    restore,
};
use skep_trust::{SealError, Sealer};
use tempfile::TempDir;

use super::{accepted, folder, has, open, write};

/// No four letters of it stand anywhere before it: packing leaves it as it is.
const WORD: &str = "Kumquat-93:Xylophone";

/// Seals with one key and opens with several.
struct Ring(Vec<Sealer>);

impl Vault for Ring {
    fn label(&self) -> String {
        format!("key {}", self.0[0].key_id())
    }

    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.0[0].seal(place, plain)
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let opened = self.0.iter().map(|sealer| sealer.open(place, sealed));
        let found = opened.reduce(|first, next| if first.is_ok() { first } else { next });
        found.unwrap().map_err(|error| match error {
            SealError::OtherKey(id) => VaultError::NoKey(format!("with key {id}, which is not at hand")),
            other => VaultError::Changed(other.to_string()),
        })
    }
}

/// A vault whose keys change.
struct Changing(RwLock<Arc<dyn Vault>>);

impl Changing {
    fn now(&self) -> Arc<dyn Vault> {
        self.0.read().unwrap().clone()
    }
}

impl Vault for Changing {
    fn label(&self) -> String {
        self.now().label()
    }

    fn seal(&self, place: &[u8], plain: &[u8]) -> Vec<u8> {
        self.now().seal(place, plain)
    }

    fn open(&self, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        self.now().open(place, sealed)
    }
}

/// A vault of the keys with these numbers; the first one seals.
fn ring(keys: &[u8]) -> Arc<dyn Vault> {
    Arc::new(Ring(keys.iter().map(|key| Sealer::new(&[*key; 32])).collect()))
}

fn sealed(dir: &Path, keys: &[u8]) -> StoreConfig {
    StoreConfig::new(dir).vault(ring(keys))
}

fn secret(name: &str) -> Object {
    let document = serde_json::json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": { "name": name, "namespace": "default", "uid": format!("uid-{name}") },
        "stringData": { "word": WORD },
    });
    serde_json::from_value(document).unwrap()
}

/// A folder with secrets in its log, its snapshots and its backups.
async fn used_folder(configure: impl Fn(StoreConfig) -> StoreConfig) -> TempDir {
    let dir = folder();
    let config = StoreConfig {
        backups: Some(BackupConfig {
            interval: Duration::from_millis(20),
            keep: 3,
        }),
        ..configure(StoreConfig::new(dir.path()))
    };
    let store = open(config).await;
    for name in ["a", "b", "c"] {
        accepted(&store, [Change::create(secret(name))]).await;
        store.snapshot().await.unwrap();
    }
    accepted(&store, [Change::create(secret("in-the-log"))]).await;
    write(&store, "m", 500).await.unwrap();
    let backups = dir.path().join("backups");
    let is_whole = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "snapshot");
    while !files_in(&backups).iter().any(is_whole) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    store.shutdown().await;
    dir
}

fn files_in(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// The files that hold the secret word, as it is or in base64.
fn telling(dir: &Path) -> Vec<PathBuf> {
    let coded = STANDARD.encode(WORD);
    let tells = |path: &PathBuf| {
        let bytes = fs::read(path).unwrap();
        let holds = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
        holds(WORD.as_bytes()) || holds(coded.as_bytes())
    };
    files_in(dir).into_iter().filter(tells).collect()
}

async fn assert_complete(config: StoreConfig) {
    let store = Store::open(config).await.unwrap();
    let state = store.read().await.unwrap();
    assert!(has(&state, "m"));
    assert_eq!(state.count(skep_api::Kind::Secret), 4);
    store.shutdown().await;
}

async fn refusal(config: StoreConfig) -> OpenError {
    Store::open(config).await.expect_err("it was opened")
}

#[tokio::test]
async fn nothing_of_a_secret_can_be_read_in_the_folder() {
    let clear = used_folder(|config| config).await;
    for part in ["log", "snapshots", "backups"] {
        assert!(
            !telling(&clear.path().join(part)).is_empty(),
            "what is looked for is in the clear {part}"
        );
    }
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    assert_eq!(telling(dir.path()), Vec::<PathBuf>::new());
    assert!(files_in(dir.path()).len() >= 5);
    assert_complete(sealed(dir.path(), &[1])).await;
}

#[tokio::test]
async fn without_the_key_a_sealed_folder_is_not_opened() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    for config in [StoreConfig::new(dir.path()), sealed(dir.path(), &[2])] {
        let error = refusal(config).await;
        assert!(matches!(error, OpenError::Sealed { .. }), "{error}");
    }
    assert_complete(sealed(dir.path(), &[1])).await;
}

#[tokio::test]
async fn a_folder_in_the_clear_is_sealed_as_it_is_opened() {
    let dir = used_folder(|config| config).await;
    let before = files_in(dir.path()).len();
    assert_complete(sealed(dir.path(), &[1])).await;
    assert_eq!(telling(dir.path()), Vec::<PathBuf>::new());
    assert!(before > 0 && !dir.path().join("log.old").exists());
    assert!(matches!(
        refusal(StoreConfig::new(dir.path())).await,
        OpenError::Sealed { .. }
    ));
    assert_complete(sealed(dir.path(), &[1])).await;
}

#[tokio::test]
async fn a_changed_key_seals_everything_anew() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    assert_complete(sealed(dir.path(), &[2, 1])).await;
    assert_complete(sealed(dir.path(), &[2])).await;
    for path in files_in(&dir.path().join("backups")) {
        inspect(&path, Some(ring(&[2]))).unwrap();
        let error = inspect(&path, Some(ring(&[1]))).unwrap_err();
        assert!(matches!(error, OpenError::Sealed { .. }), "{error}");
    }
    assert!(matches!(
        refusal(sealed(dir.path(), &[1])).await,
        OpenError::Sealed { .. }
    ));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_changes_while_the_store_runs() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    let vault = Arc::new(Changing(RwLock::new(ring(&[1]))));
    let config = StoreConfig::new(dir.path()).vault(vault.clone());
    let store = open(config).await;
    let writer = tokio::spawn({
        let store = store.clone();
        async move {
            let mut count = 0;
            while store
                .state()
                .list::<skep_api::ConfigMap>(None)
                .all(|map| map.metadata.name != "end")
            {
                write(&store, &format!("w{count}"), 100).await.unwrap();
                count += 1;
            }
            count
        }
    });
    *vault.0.write().unwrap() = ring(&[2, 1]);
    store.reseal().await.unwrap();
    // Nothing that is there needs the old key, nor does what comes.
    *vault.0.write().unwrap() = ring(&[2]);
    write(&store, "end", 100).await.unwrap();
    let count = writer.await.unwrap();
    store.reseal().await.unwrap();
    store.snapshot().await.unwrap();
    store.shutdown().await;
    for path in files_in(&dir.path().join("backups")) {
        inspect(&path, Some(ring(&[2]))).unwrap();
    }
    assert_complete(sealed(dir.path(), &[2])).await;
    let store = Store::open(sealed(dir.path(), &[2])).await.unwrap();
    let state = store.read().await.unwrap();
    assert!((0..count).all(|number| has(&state, &format!("w{number}"))));
    store.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_changes_in_a_store_that_nobody_writes_to() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    let vault = Arc::new(Changing(RwLock::new(ring(&[1]))));
    let store = open(StoreConfig::new(dir.path()).vault(vault.clone())).await;
    for key in 2..5 {
        *vault.0.write().unwrap() = ring(&[key, key - 1]);
        store.reseal().await.unwrap();
    }
    store.shutdown().await;
    assert_complete(sealed(dir.path(), &[4])).await;
}

#[tokio::test]
async fn a_change_of_keys_that_was_interrupted_is_finished() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    let path = |name: &str| dir.path().join(name);
    // The new log was not whole yet.
    fs::create_dir(path("log.new")).unwrap();
    fs::write(path("log.new/half"), "x").unwrap();
    assert_complete(sealed(dir.path(), &[1])).await;
    assert!(!path("log.new").exists());
    // The old log had made room, and the new one had not taken its place.
    fs::rename(path("log"), path("log.new")).unwrap();
    fs::create_dir(path("log.old")).unwrap();
    assert_complete(sealed(dir.path(), &[2, 1])).await;
    assert!(!path("log.old").exists() && !path("log.new").exists());
    assert_complete(sealed(dir.path(), &[2])).await;
}

#[tokio::test]
async fn a_torn_end_of_a_sealed_log_is_cut_off_and_damage_is_named() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    let log = files_in(&dir.path().join("log"));
    let path = log
        .iter()
        .rfind(|path| path.extension().is_some_and(|ext| ext == "wal"))
        .unwrap();
    let whole = fs::read(path).unwrap();
    let mut file = OpenOptions::new().append(true).open(path).unwrap();
    file.write_all(&[0, 0, 0, 1]).unwrap();
    file.write_all(&whole[..20]).unwrap();
    assert_complete(sealed(dir.path(), &[1])).await;

    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    let log = files_in(&dir.path().join("log"));
    let path = log
        .iter()
        .rfind(|path| path.extension().is_some_and(|ext| ext == "wal"))
        .unwrap();
    let whole = fs::read(path).unwrap();
    for part in 1..12 {
        let at = whole.len() * part / 12;
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&[whole[at] ^ 0x55], at as u64).unwrap();
        let error = refusal(sealed(dir.path(), &[1])).await;
        assert!(
            matches!(error, OpenError::Log { .. }),
            "byte {at} of {}: {error}",
            whole.len()
        );
        file.write_all_at(&[whole[at]], at as u64).unwrap();
    }
    assert_complete(sealed(dir.path(), &[1])).await;
}

#[tokio::test]
async fn what_is_not_sealed_does_not_pass_for_what_is() {
    let clear = used_folder(|config| config).await;
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    let name = |dir: &TempDir| files_in(&dir.path().join("snapshots")).pop().unwrap();
    fs::copy(name(&clear), name(&dir)).unwrap();
    let error = refusal(sealed(dir.path(), &[1])).await;
    assert!(error.to_string().contains("it is not sealed"), "{error}");
}

#[tokio::test]
async fn a_sealed_folder_is_recovered_and_its_backup_is_restored_with_another_key() {
    let dir = used_folder(|config| config.vault(ring(&[1]))).await;
    assert!(recover(&StoreConfig::new(dir.path())).is_err());
    recover(&sealed(dir.path(), &[1])).unwrap();
    assert_complete(sealed(dir.path(), &[1])).await;
    assert_eq!(telling(dir.path()), Vec::<PathBuf>::new());

    let backup = files_in(&dir.path().join("backups")).pop().unwrap();
    assert_eq!(label_of(&backup).unwrap(), Some(ring(&[1]).label()));
    let (new, member) = (folder(), Member::new(5, "", ""));
    let config = sealed(new.path(), &[7]).member(member);
    assert!(matches!(
        restore(&backup, None, &config),
        Err(OpenError::Sealed { .. })
    ));
    restore(&backup, Some(ring(&[1])), &config).unwrap();
    assert_eq!(telling(new.path()), Vec::<PathBuf>::new());
    let store = Store::open(config).await.unwrap();
    assert!(store.state().count(skep_api::Kind::Secret) > 0);
    store.shutdown().await;
}
