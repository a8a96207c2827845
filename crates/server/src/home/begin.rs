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
use crate::{ServerError, clock::now, join};

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
    loop {
        match skep_trust::join(wire, servers, token, key, name, address).await {
            Ok(joined) => return Ok(joined),
            Err(EnrollError::Unreachable(why)) if Instant::now() < deadline => {
                tracing::info!(why, "no server answers yet");
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(ServerError::Join(error.to_string())),
        }
    }
}
