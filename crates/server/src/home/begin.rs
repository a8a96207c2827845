//! How a machine becomes a server: the first one of a cluster, or one more.

use std::{path::Path, time::Duration};

use skep_trust::{
    Ca, Credentials, EnrollError, Identity, Joined, KeyPairFile, Sealer, Token, Validity, Wire,
};
use tokio::time::Instant;

use super::{
    NEW_CA_FILE, TLS_FOLDER,
    record::{Record, write_private},
    trust,
};
use crate::{Begin, ClusterConfig, ServerError, clock::now, join};

/// How long the servers of a cluster may take to answer a new one.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_secs(1);

/// The first server of a cluster: makes its CA as well.
pub(super) fn init(folder: &Path, sealer: &Sealer, name: &str, address: &str) -> Result<Record, ServerError> {
    let ca = match load_new_ca(folder, sealer)? {
        Some(ca) => ca,
        None => {
            let ca = Ca::create(now());
            let pem = ca.certificates_pem() + &ca.key_pem();
            let sealed = sealer.seal(NEW_CA_FILE.as_bytes(), pem.as_bytes());
            write_private(&folder.join(NEW_CA_FILE), &sealed)?;
            ca
        }
    };
    let key = KeyPairFile::generate();
    let identity = Identity::Server {
        id: 1,
        name: name.to_owned(),
    };
    let validity = Validity::from(now(), join::MACHINE_LIFETIME);
    let certificate = ca
        .issue(
            &key.csr(),
            &identity,
            &join::server_names(name, address),
            validity,
        )
        .map_err(trust)?;
    let credentials = Credentials::new(key, &certificate, ca.bundle()).map_err(trust)?;
    credentials.save(&folder.join(TLS_FOLDER)).map_err(trust)?;
    let record = Record {
        id: 1,
        name: name.to_owned(),
        address: address.to_owned(),
        servers: Vec::new(),
        entered: true,
    };
    record.save(folder)?;
    Ok(record)
}

/// A machine that has a certificate and was not let in yet: nothing that it has counts. It goes on where it was, unless it is
/// told to begin otherwise, or what it has does not open the door that it is to knock at.
pub(super) fn waiting(
    record: Record,
    folder: &Path,
    config: &ClusterConfig,
) -> Result<Option<Record>, ServerError> {
    let fits = match &config.begin {
        Begin::Resume => true,
        // The first server of a cluster is in it from the start.
        Begin::Init => false,
        Begin::Join { token, .. } => {
            let token: Token = token.trim().parse().map_err(trust)?;
            let held = Credentials::load(&folder.join(TLS_FOLDER)).map_err(trust)?;
            let opens = held.is_some_and(|held| {
                matches!(held.identity(), Identity::Server { id, .. } if *id == record.id)
                    && held.bundle().hashes().any(|ca| ca == token.ca())
            });
            opens && record.name == config.name
        }
    };
    if !fits {
        tracing::info!(
            name = record.name,
            "what this machine was to be has not come about: it begins anew"
        );
        return Ok(None);
    }
    let Begin::Join { servers, .. } = &config.begin else {
        return Ok(Some(record));
    };
    // The servers that are named now are asked first.
    let mut gates = servers.clone();
    gates.extend(
        record
            .servers
            .iter()
            .filter(|known| !servers.contains(known))
            .cloned(),
    );
    Ok(Some(Record {
        servers: gates,
        ..record
    }))
}

/// One more server: asks those that are there for a certificate.
pub(super) async fn join(
    wire: &Wire,
    folder: &Path,
    name: &str,
    address: &str,
    servers: &[String],
    token: &str,
) -> Result<Record, ServerError> {
    let token: Token = token.trim().parse().map_err(trust)?;
    let key = Credentials::key_to_join(&folder.join(TLS_FOLDER)).map_err(trust)?;
    let joined = ask(wire, servers, &token, &key, (name, address)).await?;
    if joined.server_id == 0 {
        // An older server gave a node's certificate for an agent's token.
        return Err(ServerError::Join(
            "the join token is for agents and lets no server in: make another one with `skep token create --role server`"
                .to_owned(),
        ));
    }
    joined.credentials.save(&folder.join(TLS_FOLDER)).map_err(trust)?;
    // The server that was named is tried first again: it may be reached by another address than it says.
    let mut known = servers.to_vec();
    known.extend(
        joined
            .servers
            .into_iter()
            .filter(|server| !servers.contains(server)),
    );
    let record = Record {
        id: joined.server_id,
        name: name.to_owned(),
        address: address.to_owned(),
        servers: known,
        entered: false,
    };
    record.save(folder)?;
    Ok(record)
}

/// The CA that `init` made, where the cluster's state does not hold it yet.
pub(super) fn load_new_ca(folder: &Path, sealer: &Sealer) -> Result<Option<Ca>, ServerError> {
    let path = folder.join(NEW_CA_FILE);
    match std::fs::read(&path) {
        Ok(sealed) => {
            let pem = sealer.open(NEW_CA_FILE.as_bytes(), &sealed).map_err(trust)?;
            let pem = String::from_utf8_lossy(&pem);
            let key = pem.find("-----BEGIN PRIVATE KEY-----").unwrap_or(pem.len());
            Ca::from_pem(&pem[..key], &pem[key..]).map(Some).map_err(trust)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(super::file(&path, source)),
    }
}

/// Asks until a server answers: those of a new cluster are often started together.
async fn ask(
    wire: &Wire,
    servers: &[String],
    token: &Token,
    key: &KeyPairFile,
    (name, address): (&str, &str),
) -> Result<Joined, ServerError> {
    let deadline = Instant::now() + ANSWER_WITHIN;
    let mut told = String::new();
    loop {
        match skep_trust::join(wire, servers, token, key, name, address).await {
            Ok(joined) => return Ok(joined),
            Err(EnrollError::Unreachable(why)) if Instant::now() < deadline => {
                if why != told {
                    let seconds = deadline.saturating_duration_since(Instant::now()).as_secs();
                    tracing::warn!(why, "no server answers: it is asked for {seconds} s more");
                    told = why;
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(ServerError::Join(error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use skep_trust::CaHash;

    use super::*;

    /// A home of server 2, called `b`, that was not let in yet, of the cluster with this CA.
    fn home(ca: &Ca) -> (tempfile::TempDir, Record) {
        let folder = tempfile::tempdir().unwrap();
        let (key, validity) = (
            KeyPairFile::generate(),
            Validity::from(now(), join::MACHINE_LIFETIME),
        );
        let identity = Identity::Server {
            id: 2,
            name: "b".to_owned(),
        };
        let certificate = ca.issue(&key.csr(), &identity, &[], validity).unwrap();
        let credentials = Credentials::new(key, &certificate, ca.bundle()).unwrap();
        credentials.save(&folder.path().join(TLS_FOLDER)).unwrap();
        let record = Record {
            id: 2,
            name: "b".to_owned(),
            address: "b:7443".to_owned(),
            servers: vec!["a:7443".to_owned()],
            entered: false,
        };
        (folder, record)
    }

    fn config(name: &str, begin: Begin) -> ClusterConfig {
        ClusterConfig {
            home: "unused".into(),
            begin,
            name: name.to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
            advertise: "b:7443".to_owned(),
            learner: false,
            backup_interval: None,
            backups_kept: 0,
        }
    }

    fn join(ca: CaHash) -> Begin {
        Begin::Join {
            servers: vec!["c:7443".to_owned()],
            token: Token::generate(ca).to_string(),
        }
    }

    #[test]
    fn who_was_not_let_in_goes_on_where_that_leads_somewhere() {
        let (ca, other) = (Ca::create(now()), Ca::create(now()));
        let (folder, record) = home(&ca);
        let waiting = |name: &str, begin| {
            let kept = waiting(record.clone(), folder.path(), &config(name, begin)).unwrap();
            kept.map(|record| record.servers)
        };
        let strings = |list: &[&str]| Some(list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(waiting("b", Begin::Resume), strings(&["a:7443"]));
        assert_eq!(waiting("b", join(ca.hash())), strings(&["c:7443", "a:7443"]));
        assert_eq!(
            waiting("b", join(other.hash())),
            None,
            "a token of another cluster"
        );
        assert_eq!(waiting("c", join(ca.hash())), None, "another name");
        assert_eq!(waiting("b", Begin::Init), None, "a cluster of its own");
    }
}
