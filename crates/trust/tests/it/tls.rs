//! Who can speak with whom.

use skep_trust::{Bundle, Ca, Identity, Tls, Validity};

use crate::common::{DAY, credentials, credentials_of, expired, meet, node, now, server, tls};

#[tokio::test]
async fn a_server_knows_each_client_by_its_certificate() {
    let ca = Ca::create(now());
    let door = tls(&ca, &server(1));
    for identity in [node("a"), server(2), Identity::admin("root")] {
        let client = tls(&ca, &identity);
        let (seen, answered) = meet(door.server_config(), client.client_config()).await;
        answered.unwrap();
        assert_eq!(seen.unwrap(), Some(identity));
    }
}

#[tokio::test]
async fn a_client_with_a_certificate_of_another_cluster_is_turned_away() {
    let (ours, theirs) = (Ca::create(now()), Ca::create(now()));
    let door = tls(&ours, &server(1));
    let stranger = credentials_of(&theirs, &node("a"), Validity::from(now(), DAY), ours.bundle());
    let stranger = Tls::new(stranger).unwrap();
    let (seen, answered) = meet(door.server_config(), stranger.client_config()).await;
    assert!(seen.is_err() && answered.is_err());
}

#[tokio::test]
async fn a_client_speaks_with_servers_of_its_own_cluster_only() {
    let (ours, theirs) = (Ca::create(now()), Ca::create(now()));
    let client = tls(&ours, &node("a"));
    let (_, answered) = meet(tls(&theirs, &server(1)).server_config(), client.client_config()).await;
    assert!(answered.is_err(), "a server of another cluster");
    let (_, answered) = meet(tls(&ours, &node("b")).server_config(), client.client_config()).await;
    assert!(answered.is_err(), "a node that plays a server");
    let late = Tls::new(credentials_of(&ours, &server(1), expired(), ours.bundle())).unwrap();
    let (_, answered) = meet(late.server_config(), client.client_config()).await;
    assert!(answered.is_err(), "a server whose certificate has expired");
}

#[tokio::test]
async fn an_expired_certificate_is_not_shown_so_that_its_bearer_can_ask_to_come_back() {
    let ca = Ca::create(now());
    let late = Tls::new(credentials_of(&ca, &node("a"), expired(), ca.bundle())).unwrap();
    let (seen, answered) = meet(tls(&ca, &server(1)).server_config(), late.client_config()).await;
    answered.unwrap();
    assert_eq!(seen.unwrap(), None);
}

#[tokio::test]
async fn a_renewed_certificate_counts_from_the_next_connection_on() {
    let ca = Ca::create(now());
    let (door, client) = (tls(&ca, &server(1)), tls(&ca, &node("before")));
    // Made once, and kept as a server and a channel keep them.
    let (accepts, dials) = (door.server_config(), client.client_config());
    assert_eq!(
        meet(accepts.clone(), dials.clone()).await.0.unwrap(),
        Some(node("before"))
    );
    client.replace(credentials(&ca, &node("after"))).unwrap();
    assert_eq!(meet(accepts, dials).await.0.unwrap(), Some(node("after")));
}

#[tokio::test]
async fn without_credentials_no_handshake_succeeds() {
    let ca = Ca::create(now());
    let none = Tls::default();
    let (_, answered) = meet(none.server_config(), tls(&ca, &node("a")).client_config()).await;
    assert!(answered.is_err());
    let (seen, _) = meet(tls(&ca, &server(1)).server_config(), none.client_config()).await;
    assert!(seen.is_err());
}

/// Old and new machines in all pairings, while one CA takes over from another.
#[tokio::test]
async fn a_new_ca_takes_over_without_anybody_being_cut_off() {
    let old = Ca::create(now());
    let new = old.successor(now()).unwrap();
    let both = Bundle::from_pem(&(new.bundle().to_pem() + &old.bundle().to_pem())).unwrap();
    let renewed = |identity: &Identity| {
        Tls::new(credentials_of(
            &new,
            identity,
            Validity::from(now(), DAY),
            both.clone(),
        ))
        .unwrap()
    };
    let servers = [tls(&old, &server(1)), renewed(&server(2))];
    let nodes = [tls(&old, &node("a")), renewed(&node("b"))];
    for door in &servers {
        for agent in &nodes {
            let (seen, answered) = meet(door.server_config(), agent.client_config()).await;
            answered.unwrap();
            assert!(matches!(seen.unwrap(), Some(Identity::Node { .. })));
        }
    }
}

#[tokio::test]
async fn once_the_old_ca_has_retired_its_certificates_are_worth_nothing() {
    let old = Ca::create(now());
    let new = old.successor(now()).unwrap();
    let door = tls(&new, &server(1));
    let late = tls(&old, &node("a"));
    let (seen, _) = meet(door.server_config(), late.client_config()).await;
    assert!(seen.is_err());
    // The other way round, the link still leads from the new one to the old one.
    let third = new.successor(now()).unwrap();
    let (seen, answered) = meet(
        tls(&third, &server(1)).server_config(),
        tls(&third, &node("b")).client_config(),
    )
    .await;
    answered.unwrap();
    assert_eq!(seen.unwrap(), Some(node("b")));
}
