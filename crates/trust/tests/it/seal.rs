//! What rests on disk, and the passphrase that can guard its key.

use std::{fs, os::unix::fs::PermissionsExt};

use skep_trust::{KeyFile, LockedKey, SealError, Sealer};

fn sealer() -> Sealer {
    Sealer::new(&[7; 32])
}

fn locked(key: KeyFile) -> LockedKey {
    match key {
        KeyFile::Locked(locked) => locked,
        KeyFile::Open(_) => panic!("no passphrase guards the key"),
    }
}

#[test]
fn sealed_bytes_open_with_the_same_key_for_the_same_place_only() {
    let sealed = sealer().seal(b"pods/a", b"secret");
    assert_eq!(sealed.len(), b"secret".len() + 41);
    assert_eq!(sealer().open(b"pods/a", &sealed).unwrap(), b"secret");
    let refused = |sealer: &Sealer, context: &[u8], sealed: &[u8]| {
        assert!(matches!(
            sealer.open(context, sealed),
            Err(SealError::NotAuthentic)
        ));
    };
    refused(&sealer(), b"pods/b", &sealed);
    refused(&Sealer::new(&[8; 32]), b"pods/a", &sealed);
    for at in 1..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        refused(&sealer(), b"pods/a", &changed);
    }
    for length in 1..sealed.len() {
        refused(&sealer(), b"pods/a", &sealed[..length]);
    }
    refused(&sealer(), b"pods/a", b"");
}

#[test]
fn the_same_bytes_are_sealed_differently_each_time() {
    assert_ne!(sealer().seal(b"", b"x"), sealer().seal(b"", b"x"));
}

#[test]
fn bytes_of_a_newer_version_are_told_apart_from_damage() {
    let mut sealed = sealer().seal(b"", b"x");
    sealed[0] = 2;
    assert!(matches!(sealer().open(b"", &sealed), Err(SealError::Version(2))));
}

#[test]
fn a_key_can_be_guarded_by_a_passphrase_and_set_free_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.key");
    let KeyFile::Open(first) = KeyFile::open(&path).unwrap() else {
        panic!("a new key is not guarded");
    };
    let sealed = first.seal(b"", b"x");
    KeyFile::set_passphrase(&path, None, "straw").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let guarded = locked(KeyFile::open(&path).unwrap());
    assert!(matches!(guarded.unlock("wood"), Err(SealError::Passphrase)));
    assert_eq!(guarded.unlock("straw").unwrap().open(b"", &sealed).unwrap(), b"x");
    let unknown = KeyFile::set_passphrase(&path, None, "brick");
    assert!(matches!(unknown, Err(SealError::Passphrase)));
    KeyFile::set_passphrase(&path, Some("straw"), "brick").unwrap();
    KeyFile::remove_passphrase(&path, "brick").unwrap();
    let KeyFile::Open(last) = KeyFile::open(&path).unwrap() else {
        panic!("the passphrase was taken away");
    };
    assert_eq!(last.open(b"", &sealed).unwrap(), b"x");
}

#[test]
fn a_damaged_key_file_is_an_error_and_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.key");
    fs::write(&path, "{").unwrap();
    assert!(KeyFile::open(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "{");
}
