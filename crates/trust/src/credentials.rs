//! What one machine or person shows and trusts: a key, its certificate, and the CAs.

use std::path::Path;

use rustls::pki_types::{CertificateDer, pem::PemObject};
use zeroize::Zeroizing;

use crate::{Bundle, Certificate, Identity, KeyPairFile, TrustError, files};

/// Key and certificates in one file, so that they always fit together.
const IDENTITY_FILE: &str = "identity.pem";

const BUNDLE_FILE: &str = "ca.pem";

/// The key of one who has asked to be let in, and has no certificate yet.
const JOINING_FILE: &str = "joining.pem";

/// A key, its certificate (with what leads from it to older CAs), and the CAs to trust.
#[derive(Debug)]
pub struct Credentials {
    key: KeyPairFile,
    chain: Vec<CertificateDer<'static>>,
    certificate: Certificate,
    bundle: Bundle,
}

impl Credentials {
    /// Puts together what a join or a renewal brought.
    ///
    /// # Errors
    /// Where a part cannot be read, the certificate is for another key, or speaks for nobody.
    pub fn new(key: KeyPairFile, certificate_pem: &str, bundle: Bundle) -> Result<Self, TrustError> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate_pem.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| TrustError::unreadable("the certificate", error))?;
        let leaf = chain
            .first()
            .ok_or_else(|| TrustError::unreadable("the certificate", "there is none"))?;
        let certificate = Certificate::from_der(leaf.clone())?;
        if !key.fits(&certificate) {
            return Err(TrustError::NotAccepted("it is for another key".to_owned()));
        }
        if certificate.identity.is_none() {
            return Err(TrustError::NotAccepted(
                "its subject is nobody of a cluster".to_owned(),
            ));
        }
        Ok(Self {
            key,
            chain,
            certificate,
            bundle,
        })
    }

    /// The credentials in a folder; `None` where there are none yet.
    ///
    /// # Errors
    /// Where the files cannot be read or do not fit together.
    pub fn load(folder: &Path) -> Result<Option<Self>, TrustError> {
        let identity = files::read_text(&folder.join(IDENTITY_FILE))?.map(Zeroizing::new);
        let bundle = files::read_text(&folder.join(BUNDLE_FILE))?;
        let (Some(identity), Some(bundle)) = (identity, bundle) else {
            return Ok(None);
        };
        let key = KeyPairFile::from_pem(&identity)?;
        Self::new(key, &identity, Bundle::from_pem(&bundle)?).map(Some)
    }

    /// The key to join a cluster with: the same one in this folder whatever happens meanwhile, that of the credentials
    /// where there are some. A server that has let this key in does so again, where its answer was lost.
    ///
    /// # Errors
    /// Where the folder cannot be made, or the files not be read or written.
    pub fn key_to_join(folder: &Path) -> Result<KeyPairFile, TrustError> {
        if let Some(present) = Self::load(folder)? {
            return Ok(present.key);
        }
        files::make_private_folder(folder)?;
        KeyPairFile::open(&folder.join(JOINING_FILE))
    }

    /// Writes them into a folder, which is made with mode 0700 where it is missing.
    ///
    /// # Errors
    /// Where the files cannot be written. What was there before can still be read then.
    pub fn save(&self, folder: &Path) -> Result<(), TrustError> {
        files::make_private_folder(folder)?;
        // First the CAs: a bundle that is newer than the certificate still trusts who trusts the certificate.
        files::write_private(&folder.join(BUNDLE_FILE), self.bundle.to_pem().as_bytes())?;
        let identity = Zeroizing::new(self.key.pem().to_string() + &self.certificate_pem());
        files::write_private(&folder.join(IDENTITY_FILE), identity.as_bytes())?;
        files::remove(&folder.join(JOINING_FILE))
    }

    /// Who they speak for.
    pub fn identity(&self) -> &Identity {
        self.certificate
            .identity
            .as_ref()
            .expect("checked when they were put together")
    }

    /// The leaf certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The leaf and what leads from it to older CAs, in PEM.
    pub fn certificate_pem(&self) -> String {
        self.chain.iter().map(crate::certificate::to_pem).collect()
    }

    /// The key.
    pub fn key(&self) -> &KeyPairFile {
        &self.key
    }

    /// The CAs to trust.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    pub(crate) fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }
}
