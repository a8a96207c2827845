//! What rests on disk, and the passphrase that can guard its key.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use skep_trust::{KeyFile, Keys, PassphraseKey, SealError, Sealer};

fn sealer() -> Sealer {
    Sealer::new(&[7; 32])
}

fn open(path: &Path) -> Keys {
    let file = KeyFile::open(path).expect("the file can be used");
    file.unlock(None).expect("no passphrase guards it")
}

#[test]
fn sealed_bytes_open_with_the_same_key_for_the_same_place_only() {
    let sealed = sealer().seal(b"pods/a", b"secret");
    assert_eq!(sealed.len(), b"secret".len() + Sealer::OVERHEAD_BYTES);
    assert_eq!(sealer().open(b"pods/a", &sealed).unwrap(), b"secret");
    let refused = |context: &[u8], sealed: &[u8]| {
        let error = sealer().open(context, sealed).unwrap_err();
        assert!(
            matches!(error, SealError::NotAuthentic | SealError::OtherKey(_)),
            "{error}"
        );
    };
    refused(b"pods/b", &sealed);
    for at in 1..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        refused(b"pods/a", &changed);
    }
    for length in 1..sealed.len() {
        refused(b"pods/a", &sealed[..length]);
    }
    refused(b"pods/a", b"");
}

#[test]
fn another_key_is_told_apart_from_damage() {
    let sealed = sealer().seal(b"", b"x");
    let error = Sealer::new(&[8; 32]).open(b"", &sealed).unwrap_err();
    assert!(
        matches!(&error, SealError::OtherKey(id) if *id == sealer().key_id()),
        "{error}"
    );
}

#[test]
fn the_same_bytes_are_sealed_differently_each_time() {
    let one = sealer();
    assert_ne!(one.seal(b"", b"x"), one.seal(b"", b"x"));
    assert_ne!(sealer().seal(b"", b"x"), sealer().seal(b"", b"x"));
}

#[test]
fn a_session_ends_after_a_while_and_what_it_sealed_still_opens() {
    let one = sealer();
    let first = one.seal(b"", b"first");
    for _ in 0..1 << 20 {
        one.seal(b"", b"");
    }
    let last = one.seal(b"", b"last");
    assert_ne!(first[5..21], last[5..21], "the salt of the session");
    assert_eq!(one.open(b"", &first).unwrap(), b"first");
    assert_eq!(one.open(b"", &last).unwrap(), b"last");
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
    let mut keys = open(&path);
    let sealed = keys.sealer().seal(b"", b"x");
    assert!(matches!(keys.set_passphrase(""), Err(SealError::Empty)));
    keys.set_passphrase("straw").unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let guarded = || KeyFile::open(&path).unwrap();
    assert!(guarded().is_locked());
    for wrong in [None, Some("wood")] {
        assert!(matches!(guarded().unlock(wrong), Err(SealError::Passphrase)));
    }
    let mut keys = guarded().unlock(Some("straw")).unwrap();
    assert_eq!(keys.sealer().open(b"", &sealed).unwrap(), b"x");
    keys.set_passphrase("brick").unwrap();
    assert!(guarded().unlock(Some("straw")).is_err());
    let mut keys = guarded().unlock(Some("brick")).unwrap();
    keys.remove_passphrase().unwrap();
    assert!(matches!(keys.remove_passphrase(), Err(SealError::NotGuarded)));
    assert_eq!(open(&path).sealer().open(b"", &sealed).unwrap(), b"x");
}

#[test]
fn a_new_key_seals_and_the_one_before_opens_until_it_is_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.key");
    let mut keys = open(&path);
    let (first, sealed) = (keys.sealer().key_id(), keys.sealer().seal(b"", b"x"));
    keys.set_passphrase("straw").unwrap();
    keys.rotate().unwrap();
    let unlocked = || KeyFile::open(&path).unwrap().unlock(Some("straw")).unwrap();
    let mut keys = unlocked();
    assert_ne!(keys.sealer().key_id(), first);
    assert_eq!(
        (keys.old(), keys.sealer().open(b"", &sealed).unwrap()),
        (1, b"x".to_vec())
    );
    keys.forget_old().unwrap();
    let error = unlocked().sealer().open(b"", &sealed).unwrap_err();
    assert!(
        matches!(&error, SealError::OtherKey(id) if *id == first),
        "{error}"
    );
}

#[test]
fn keys_that_were_added_meanwhile_are_not_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.key");
    let mut keys = open(&path);
    keys.rotate().unwrap();
    open(&path).rotate().unwrap();
    keys.forget_old().unwrap();
    assert_eq!(open(&path).old(), 2);
}

#[test]
fn keys_do_not_gather_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut keys = open(&folder.path().join("seal.key"));
    let refused = (0..100).find_map(|_| keys.rotate().err()).unwrap();
    assert!(matches!(refused, SealError::TooManyKeys(_)), "{refused}");
}

#[test]
fn a_damaged_key_file_is_an_error_and_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seal.key");
    for damaged in ["{", r#"{"keys":[]}"#, r#"{"keys":["AAAA"]}"#] {
        fs::write(&path, damaged).unwrap();
        assert!(KeyFile::open(&path).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), damaged);
    }
}

#[test]
fn a_key_that_travels_with_what_it_seals_opens_with_its_passphrase() {
    let key = PassphraseKey::new("straw").unwrap();
    let sealed = key.sealer().seal(b"", b"x");
    assert!(PassphraseKey::is_label(key.label()));
    assert!(matches!(
        PassphraseKey::open(key.label(), "wood"),
        Err(SealError::Passphrase)
    ));
    let again = PassphraseKey::open(key.label(), "straw").unwrap();
    assert_eq!(again.sealer().open(b"", &sealed).unwrap(), b"x");
    assert!(matches!(
        PassphraseKey::open("passphrase {", "straw"),
        Err(SealError::Guard(_))
    ));
    assert!(matches!(
        PassphraseKey::open("key 1", "straw"),
        Err(SealError::Guard(_))
    ));
}
