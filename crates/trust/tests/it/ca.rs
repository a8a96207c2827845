//! What the CA issues, and what lies on disk.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use skep_trust::{Ca, Certificate, Credentials, Identity, KeyPairFile, TrustError, Validity};

use crate::common::{DAY, credentials, node, now, server};

#[test]
fn a_certificate_says_who_it_is_for_whatever_the_csr_asked_for() {
    let ca = Ca::create(now());
    let key = KeyPairFile::generate();
    let validity = Validity::from(now(), DAY);
    for identity in [node("a"), server(7), Identity::admin("root")] {
        let pem = ca.issue(&key.csr(), &identity, &[], validity).unwrap();
        let certificate = Certificate::from_pem(&pem).unwrap();
        assert_eq!(certificate.identity, Some(identity));
        assert_eq!(certificate.validity, validity);
        assert!(certificate.is_signed_by(ca.certificate()));
        assert!(key.fits(&certificate));
    }
}

#[test]
fn a_changed_csr_is_refused() {
    let ca = Ca::create(now());
    let issue = |csr: &str| ca.issue(csr, &node("a"), &[], Validity::from(now(), DAY));
    assert!(matches!(issue("hello"), Err(TrustError::Unreadable { .. })));
    let csr = KeyPairFile::generate().csr();
    // The last character of the last full line is part of the signature.
    let lines: Vec<&str> = csr.lines().collect();
    let last = lines[lines.len() - 3];
    let swapped = if last.ends_with('A') { "B" } else { "A" };
    let changed = csr.replace(last, &(last[..last.len() - 1].to_owned() + swapped));
    assert!(matches!(issue(&changed), Err(TrustError::Unreadable { .. })));
}

#[test]
fn no_certificate_outlives_its_ca_and_none_is_issued_for_a_reserved_name() {
    let ca = Ca::create(now());
    let key = KeyPairFile::generate();
    let forever = Validity::from(now(), DAY * 365 * 100);
    let pem = ca.issue(&key.csr(), &node("a"), &[], forever).unwrap();
    let certificate = Certificate::from_pem(&pem).unwrap();
    assert_eq!(certificate.validity.not_after, ca.validity().not_after);
    let impostor = Identity::User {
        name: "server:1".to_owned(),
        groups: Vec::new(),
    };
    let refused = ca.issue(&key.csr(), &impostor, &[], forever);
    assert!(matches!(refused, Err(TrustError::Refused(_))));
}

#[test]
fn a_ca_is_read_back_with_its_links_and_not_with_another_key() {
    let first = Ca::create(now());
    let second = first.successor(now()).unwrap();
    let read = Ca::from_pem(&second.certificates_pem(), &second.key_pem()).unwrap();
    assert_eq!(read.certificates_pem(), second.certificates_pem());
    assert_eq!(read.hash(), second.hash());
    assert!(Ca::from_pem(&second.certificates_pem(), &first.key_pem()).is_err());
}

#[test]
fn credentials_survive_on_disk_readable_by_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("tls");
    assert!(Credentials::load(&folder).unwrap().is_none());
    let ca = Ca::create(now());
    let saved = credentials(&ca, &node("a"));
    saved.save(&folder).unwrap();
    let read = Credentials::load(&folder).unwrap().unwrap();
    assert_eq!(read.identity(), &node("a"));
    assert_eq!(read.certificate(), saved.certificate());
    assert_eq!(read.bundle(), &ca.bundle());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    assert_eq!(mode(&folder.join("identity.pem")), 0o600);
}

#[test]
fn a_machine_asks_with_one_key_however_often() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("tls");
    let key = || Credentials::key_to_join(&folder).unwrap();
    let asked = || skep_trust::key_of_csr(&key().csr()).unwrap();
    let first = asked();
    assert_eq!(asked(), first);
    assert!(Credentials::load(&folder).unwrap().is_none());

    let ca = Ca::create(now());
    let validity = Validity::from(now(), DAY);
    let pem = ca.issue(&key().csr(), &node("a"), &[], validity).unwrap();
    Credentials::new(key(), &pem, ca.bundle())
        .unwrap()
        .save(&folder)
        .unwrap();
    assert_eq!(
        asked(),
        first,
        "it has a certificate, and has noted nothing else yet"
    );
    assert!(!folder.join("joining.pem").exists());
}

#[test]
fn a_certificate_for_another_key_is_refused() {
    let ca = Ca::create(now());
    let pem = credentials(&ca, &node("a")).certificate_pem();
    let refused = Credentials::new(KeyPairFile::generate(), &pem, ca.bundle());
    assert!(matches!(refused, Err(TrustError::NotAccepted(_))));
}

#[test]
fn a_key_file_keeps_its_key_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key.pem");
    let made = KeyPairFile::open(&path).unwrap().pem();
    assert_eq!(KeyPairFile::open(&path).unwrap().pem(), made);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}
