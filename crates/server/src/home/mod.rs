//! What makes this machine a certain server of a cluster: its number, name and address, and its certificate.

mod begin;
mod record;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use skep_store::{Member, Start};
use skep_trust::{Ca, Credentials, Sealer, Tls, Wire};

use self::record::Record;
use crate::{Begin, ClusterConfig, ServerError};

/// The folder of key, certificate and CAs, in the home.
const TLS_FOLDER: &str = "tls";

/// The CA of a new cluster, until it is in the cluster's state.
const NEW_CA_FILE: &str = "new-ca.pem";

/// What makes this machine a certain server of a cluster.
#[derive(Debug)]
pub(crate) struct Home {
    folder: PathBuf,
    record: Record,
    sealer: Sealer,
    pub tls: Tls,
}

impl Home {
    /// The home as it is, or as it begins. `bound` is where the server listens, `data_dir` the folder of its store.
    ///
    /// # Errors
    /// Where it cannot begin, or says something else of itself than the configuration.
    pub(crate) async fn open(
        config: &ClusterConfig,
        data_dir: &Path,
        bound: SocketAddr,
        wire: &Wire,
        sealer: Sealer,
    ) -> Result<Self, ServerError> {
        let folder = config.home.clone();
        let address = advertised(&config.advertise, bound)?;
        let known = Record::load(&folder)?;
        let known = match known {
            Some(record) if !record.entered && !skep_store::is_in_use(data_dir)? => {
                begin::waiting(record, &folder, config)?
            }
            known => known,
        };
        if known.is_none() {
            check_name(&config.name)?;
        }
        let record = match (known, &config.begin) {
            (Some(record), begin) => {
                if record.entered && *begin != Begin::Resume {
                    tracing::info!(
                        id = record.id,
                        name = record.name,
                        "this machine is a server of a cluster already: --init and --join do nothing"
                    );
                }
                record.resume(&folder, &config.name, &address)?
            }
            (None, Begin::Resume) => return Err(nobody_yet(&folder)),
            (None, Begin::Init) => begin::init(&folder, &sealer, &config.name, &address)?,
            (None, Begin::Join { servers, token }) => {
                begin::join(wire, &folder, &config.name, &address, servers, token).await?
            }
        };
        let credentials = Credentials::load(&folder.join(TLS_FOLDER)).map_err(trust)?;
        let lost = || {
            let tls = folder.join(TLS_FOLDER);
            ServerError::Config(format!(
                "{} holds no certificate: restore it from a backup",
                tls.display()
            ))
        };
        let tls = Tls::new(credentials.ok_or_else(lost)?).map_err(trust)?;
        Ok(Self {
            folder,
            record,
            sealer,
            tls,
        })
    }

    /// This server, as the others know it.
    pub(crate) fn member(&self) -> Member {
        let Record {
            id, name, address, ..
        } = &self.record;
        Member::new(*id, name, address)
    }

    /// What an empty store becomes.
    pub(crate) fn start(&self) -> Start {
        if self.record.servers.is_empty() {
            Start::Init
        } else {
            Start::Join
        }
    }

    /// The servers to ask for entrance; empty once this server is in.
    pub(crate) fn gates(&self) -> &[String] {
        if self.record.entered {
            &[]
        } else {
            &self.record.servers
        }
    }

    /// Remembers that this server is in.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub(crate) fn entered(&self) -> Result<(), ServerError> {
        mark_entered(&self.folder)
    }

    /// The folder of key, certificate and CAs.
    pub(crate) fn tls_folder(&self) -> PathBuf {
        self.folder.join(TLS_FOLDER)
    }

    /// The CA of a new cluster, until it is in the cluster's state.
    ///
    /// # Errors
    /// Where its file cannot be read.
    pub(crate) fn new_ca(&self) -> Result<Option<Ca>, ServerError> {
        begin::load_new_ca(&self.folder, &self.sealer)
    }

    /// The new CA is in the cluster's state: its file goes.
    ///
    /// # Errors
    /// Where the file cannot be removed.
    pub(crate) fn forget_new_ca(&self) -> Result<(), ServerError> {
        let path = self.folder.join(NEW_CA_FILE);
        std::fs::remove_file(&path).map_err(|source| file(&path, source))
    }

    /// This machine is no server any more: its home is emptied and the store's folder is set aside as `DATA_DIR.left`.
    ///
    /// # Errors
    /// Where a file cannot be moved or removed.
    pub(crate) fn leave(&self, data_dir: &Path) -> Result<(), ServerError> {
        Record::remove(&self.folder)?;
        let tls = self.tls_folder();
        std::fs::remove_dir_all(&tls).map_err(|source| file(&tls, source))?;
        let mut aside = data_dir.as_os_str().to_owned();
        aside.push(".left");
        let aside = PathBuf::from(aside);
        if aside.exists() {
            std::fs::remove_dir_all(&aside).map_err(|source| file(&aside, source))?;
        }
        std::fs::rename(data_dir, &aside).map_err(|source| file(data_dir, source))
    }
}

/// The server that this home is of.
///
/// # Errors
/// Where it is none's, or cannot be read.
pub(crate) fn member_of(folder: &Path) -> Result<Member, ServerError> {
    let record = Record::load(folder)?.ok_or_else(|| {
        ServerError::Config(format!(
            "there is no server's data in {}: name the folder that the server was started with (--data-dir)",
            folder.display()
        ))
    })?;
    Ok(Member::new(record.id, record.name, record.address))
}

/// Remembers that the server with this home is in a cluster.
///
/// # Errors
/// Where the file cannot be read or written.
pub(crate) fn mark_entered(folder: &Path) -> Result<(), ServerError> {
    let record = Record::load(folder)?.ok_or_else(|| nobody_yet(folder))?;
    Record {
        entered: true,
        ..record
    }
    .save(folder)
}

/// A name that stands in lists, certificates and command lines.
fn check_name(name: &str) -> Result<(), ServerError> {
    match skep_api::names::dns_subdomain(name) {
        Some(problem) => Err(ServerError::Config(format!(
            "a server cannot be called `{name}`: a name {problem}; say another with --name"
        ))),
        None => Ok(()),
    }
}

/// `host:port` with the port that is listened on in place of 0.
fn advertised(advertise: &str, bound: SocketAddr) -> Result<String, ServerError> {
    let wrong = |why: &str| ServerError::Config(format!("--advertise {advertise}: {why}"));
    let (host, port) = advertise
        .rsplit_once(':')
        .ok_or_else(|| wrong("write HOST:PORT"))?;
    let port: u16 = port.parse().map_err(|_| wrong("write HOST:PORT"))?;
    if host.is_empty() || host == "0.0.0.0" || host == "[::]" {
        return Err(wrong("say under which address other machines reach this one"));
    }
    let port = if port == 0 { bound.port() } else { port };
    Ok(format!("{host}:{port}"))
}

fn nobody_yet(folder: &Path) -> ServerError {
    ServerError::Config(format!(
        "{} is no server's yet: start one with --init for a new cluster, or with --join and --token for one that is there",
        folder.display()
    ))
}

fn file(path: &Path, source: std::io::Error) -> ServerError {
    ServerError::Folder {
        path: path.to_owned(),
        source,
    }
}

fn trust(error: impl std::fmt::Display) -> ServerError {
    ServerError::Trust(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_does_not_fit_a_list_is_refused() {
        assert!(check_name("machine-1.example").is_ok());
        let error = check_name("No Such").unwrap_err().to_string();
        assert!(error.contains("`No Such`") && error.contains("--name"), "{error}");
    }

    #[test]
    fn an_address_that_others_cannot_use_is_refused() {
        let bound: SocketAddr = "0.0.0.0:7443".parse().unwrap();
        let told = |advertise| advertised(advertise, bound).map_err(|error| error.to_string());
        assert_eq!(told("a.example:0"), Ok("a.example:7443".to_owned()));
        assert_eq!(told("10.0.0.1:9"), Ok("10.0.0.1:9".to_owned()));
        for wrong in ["0.0.0.0:7443", ":7443", "a.example", "a.example:x"] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }
}
