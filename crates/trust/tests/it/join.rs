//! What a new machine relies on before it has a certificate, and one whose certificate has expired.

use skep_trust::{
    Bundle, Ca, KeyPairFile, Tls, Token, TrustError, Validity, pinned_client_config, prove, verify_proof,
};

use crate::common::{DAY, credentials_of, expired, meet, node, now, server, tls};

#[tokio::test]
async fn a_newcomer_speaks_with_the_cluster_that_its_token_is_for_and_with_no_other() {
    let (ours, theirs) = (Ca::create(now()), Ca::create(now()));
    let token = Token::generate(ours.hash());
    let (seen, answered) = meet(
        tls(&ours, &server(1)).server_config(),
        pinned_client_config(token.ca()),
    )
    .await;
    answered.unwrap();
    assert_eq!(seen.unwrap(), None, "it shows no certificate");
    let (_, answered) = meet(
        tls(&theirs, &server(1)).server_config(),
        pinned_client_config(token.ca()),
    )
    .await;
    assert!(answered.is_err());
}

/// Somebody who shows our CA's certificate, which is no secret, with a certificate of their own.
#[tokio::test]
async fn showing_the_pinned_ca_without_its_key_does_not_help() {
    let (ours, theirs) = (Ca::create(now()), Ca::create(now()));
    let both = Bundle::from_pem(&(theirs.bundle().to_pem() + &ours.bundle().to_pem())).unwrap();
    let impostor = credentials_of(&theirs, &server(1), Validity::from(now(), DAY), both);
    let impostor = Tls::new(impostor).unwrap();
    let (_, answered) = meet(impostor.server_config(), pinned_client_config(ours.hash())).await;
    assert!(answered.is_err());
}

#[tokio::test]
async fn a_token_made_before_a_rotation_still_pins_the_cluster_after_it() {
    let old = Ca::create(now());
    let token = Token::generate(old.hash());
    let new = old.successor(now()).unwrap();
    let both = Bundle::from_pem(&(new.bundle().to_pem() + &old.bundle().to_pem())).unwrap();
    let door = Tls::new(credentials_of(&new, &server(1), Validity::from(now(), DAY), both)).unwrap();
    let (_, answered) = meet(door.server_config(), pinned_client_config(token.ca())).await;
    answered.unwrap();
}

#[test]
fn the_holder_of_the_old_key_proves_it_for_one_request_only() {
    let ca = Ca::create(now());
    let old = credentials_of(&ca, &node("a"), expired(), ca.bundle());
    let (mine, other) = (KeyPairFile::generate().csr(), KeyPairFile::generate().csr());
    let proof = prove(old.key(), &mine);
    verify_proof(old.certificate(), &ca.bundle(), &mine, &proof).unwrap();
    let refused = |csr: &str, proof: &[u8], bundle: &Bundle| {
        let error = verify_proof(old.certificate(), bundle, csr, proof).unwrap_err();
        assert!(matches!(error, TrustError::NotAccepted(_)), "{error}");
    };
    refused(&other, &proof, &ca.bundle());
    refused(&mine, &prove(&KeyPairFile::generate(), &mine), &ca.bundle());
    refused(&mine, &proof, &Ca::create(now()).bundle());
}
