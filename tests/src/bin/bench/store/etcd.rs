//! Three members of etcd with certificates of their own.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
};

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tempfile::TempDir;

use super::cluster::SERVERS;

/// Three members; dropping them ends them.
pub(crate) struct Etcd {
    dir: TempDir,
    pub(crate) addresses: Vec<String>,
    peers: Vec<String>,
    members: Vec<Option<Child>>,
}

impl Etcd {
    pub(crate) fn start() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("skep-etcd-")
            .tempdir()
            .expect("a folder");
        write_certificates(dir.path());
        let addresses = || {
            (0..SERVERS)
                .map(|_| format!("127.0.0.1:{}", free_port()))
                .collect()
        };
        let mut etcd = Self {
            dir,
            addresses: addresses(),
            peers: addresses(),
            members: (0..SERVERS).map(|_| None).collect(),
        };
        for member in 0..SERVERS {
            etcd.start_member(member);
        }
        etcd
    }

    pub(crate) fn start_member(&mut self, member: usize) {
        let name = |member: usize| format!("m{member}");
        let url = |address: &str| format!("https://{address}");
        let all: Vec<String> = (0..SERVERS)
            .map(|other| format!("{}={}", name(other), url(&self.peers[other])))
            .collect();
        let (client, peer) = (url(&self.addresses[member]), url(&self.peers[member]));
        let (ca, certificate, key) = (
            self.file("ca.pem"),
            self.file("member.pem"),
            self.file("member.key"),
        );
        let log = fs::File::create(self.file(&format!("{}.log", name(member)))).expect("a log");
        let child = Command::new("etcd")
            .args(["--name", &name(member), "--initial-cluster", &all.join(",")])
            .args([
                "--listen-client-urls",
                &client,
                "--advertise-client-urls",
                &client,
            ])
            .args([
                "--listen-peer-urls",
                &peer,
                "--initial-advertise-peer-urls",
                &peer,
            ])
            .args([
                "--client-cert-auth",
                "--peer-client-cert-auth",
                "--logger",
                "zap",
                "--log-level",
                "error",
            ])
            .arg("--data-dir")
            .arg(self.file(&name(member)))
            .args(
                ["--trusted-ca-file", "--peer-trusted-ca-file"]
                    .iter()
                    .flat_map(|flag| [Path::new(flag), &ca]),
            )
            .args(
                ["--cert-file", "--peer-cert-file"]
                    .iter()
                    .flat_map(|flag| [Path::new(flag), &certificate]),
            )
            .args(
                ["--key-file", "--peer-key-file"]
                    .iter()
                    .flat_map(|flag| [Path::new(flag), &key]),
            )
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("etcd is installed: apt-get install etcd-server");
        self.members[member] = Some(child);
    }

    pub(crate) fn pid(&self, member: usize) -> u32 {
        self.members[member].as_ref().expect("it runs").id()
    }

    /// Kills a member as a crash would.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.members[member].take() {
            child.kill().expect("the process runs");
            child.wait().expect("its end");
        }
    }

    pub(crate) fn client_config(&self) -> Arc<ClientConfig> {
        let read = |name: &str| fs::read(self.file(name)).expect("a file that was written before");
        let certificate = |name: &str| CertificateDer::from_pem_slice(&read(name)).expect("a certificate");
        let mut roots = RootCertStore::empty();
        roots.add(certificate("ca.pem")).expect("a CA");
        let key = PrivateKeyDer::from_pem_slice(&read("member.key")).expect("a key");
        let mut config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_client_auth_cert(vec![certificate("member.pem")], key)
            .expect("key and certificate fit");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Arc::new(config)
    }

    /// The folder with all of their data.
    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in 0..SERVERS {
            self.kill(member);
        }
    }
}

/// A CA, and one certificate for members and clients.
fn write_certificates(dir: &Path) {
    let write = |name: &str, text: String| fs::write(dir.join(name), text).expect("the folder takes files");
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    write("ca.pem", params.self_signed(&key).expect("a CA").pem());
    let ca = Issuer::new(params, key);
    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let mut params = CertificateParams::new(names).expect("names");
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ServerAuth,
        ExtendedKeyUsagePurpose::ClientAuth,
    ];
    let key = KeyPair::generate().expect("a key");
    write(
        "member.pem",
        params.signed_by(&key, &ca).expect("a certificate").pem(),
    );
    write("member.key", key.serialize_pem());
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port()
}
