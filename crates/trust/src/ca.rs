//! The cluster's certificate authority.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use skep_api::Time;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    Bundle, CaHash, Identity, KeyPairFile, TrustError,
    certificate::{parse, to_pem, validity_of},
    random,
};

/// How long a CA lives.
const CA_LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Certificates are valid from a little before they are made: clocks differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(3600);

/// Links to older CAs that travel with each certificate.
const LINKS_MAX: usize = 4;

/// Names and addresses in one certificate.
const NAMES_MAX: usize = 32;

/// From when until when a certificate is valid. Both in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: Time,
    /// The last instant.
    pub not_after: Time,
}

impl Validity {
    /// From now (an hour earlier, as clocks differ) until `lifetime` later.
    pub fn from(now: Time, lifetime: Duration) -> Self {
        let before =
            Time::from_millis(now.as_millis() - i64::try_from(CLOCKS_DIFFER.as_millis()).unwrap_or(0));
        Self {
            not_before: before.whole_secs(),
            not_after: now.plus(lifetime).whole_secs(),
        }
    }

    /// True where it holds at this instant.
    pub fn holds_at(&self, now: Time) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// The cluster's certificate authority: its certificate, its key, and links that older CAs signed for it.
#[derive(Debug)]
pub struct Ca {
    certificate: CertificateDer<'static>,
    validity: Validity,
    /// Certificates for this CA's key and for those before it, each signed by the CA before: whoever trusts one of those
    /// can follow.
    links: Vec<CertificateDer<'static>>,
    key: KeyPairFile,
}

impl Ca {
    /// A new CA, valid for ten years.
    pub fn create(now: Time) -> Self {
        let key = KeyPairFile::generate();
        let params = ca_params(now);
        let made = params
            .self_signed(key.pair())
            .expect("the parameters of a CA are right");
        Self {
            certificate: made.der().clone(),
            validity: Validity::from(now, CA_LIFETIME),
            links: Vec::new(),
            key,
        }
    }

    /// A new CA that takes over from this one: what it issues is trusted by those who trust only this one, too.
    ///
    /// # Errors
    /// Where this CA's own certificate cannot be read.
    pub fn successor(&self, now: Time) -> Result<Self, TrustError> {
        let key = KeyPairFile::generate();
        let params = ca_params(now);
        let broken = |error| TrustError::unreadable("the CA", error);
        let made = params.self_signed(key.pair()).map_err(broken)?;
        let mut linked = params;
        linked.serial_number = Some(serial());
        linked.not_after = instant(
            self.validity
                .not_after
                .min(Validity::from(now, CA_LIFETIME).not_after),
        );
        let link = linked.signed_by(key.pair(), &self.issuer()?).map_err(broken)?;
        let mut links = vec![link.der().clone()];
        links.extend(self.links.iter().take(LINKS_MAX - 1).cloned());
        Ok(Self {
            certificate: made.der().clone(),
            validity: Validity::from(now, CA_LIFETIME),
            links,
            key,
        })
    }

    /// Reads a CA: its certificate first, then the links, and its key.
    ///
    /// # Errors
    /// Where one cannot be read, or the key is another CA's.
    pub fn from_pem(certificates: &str, key: &str) -> Result<Self, TrustError> {
        let unreadable = |why: &dyn std::fmt::Display| TrustError::unreadable("the CA", why);
        let mut all: Vec<_> = CertificateDer::pem_slice_iter(certificates.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|error| unreadable(&error))?;
        if all.is_empty() {
            return Err(unreadable(&"there is no certificate"));
        }
        let certificate = all.remove(0);
        let key = KeyPairFile::from_pem(key)?;
        let (validity, public_key) = {
            let parsed = parse(&certificate)?;
            let public_key = parsed.public_key().subject_public_key.data.to_vec();
            (validity_of(&parsed), public_key)
        };
        if public_key != key.pair().der_bytes() {
            return Err(unreadable(&"the key is not this certificate's"));
        }
        Ok(Self {
            certificate,
            validity,
            links: all,
            key,
        })
    }

    /// The certificate and the links, in PEM: what [`Ca::from_pem`] reads.
    pub fn certificates_pem(&self) -> String {
        to_pem(&self.certificate) + &self.links_pem()
    }

    /// The key in PEM: to be kept secret.
    pub fn key_pem(&self) -> Zeroizing<String> {
        self.key.pem()
    }

    /// The CA's own certificate.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// What join tokens pin.
    pub fn hash(&self) -> CaHash {
        CaHash::of(&self.certificate)
    }

    /// From when until when this CA is valid.
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// This CA alone, as a bundle to trust.
    pub fn bundle(&self) -> Bundle {
        Bundle::new(vec![self.certificate.clone()])
    }

    /// A certificate for the key that made the CSR, and what leads from it to older CAs, in PEM.
    ///
    /// The identity and the names (DNS names and IP addresses, for servers) are what the caller says: of the CSR, the key
    /// alone counts. No certificate outlives the CA.
    ///
    /// # Errors
    /// Where the CSR cannot be read or is not signed by its key, or a name cannot stand in a certificate.
    pub fn issue(
        &self,
        csr_pem: &str,
        identity: &Identity,
        names: &[String],
        validity: Validity,
    ) -> Result<String, TrustError> {
        if let Some(problem) = identity.problem() {
            return Err(TrustError::Refused(problem));
        }
        let mut request = read_csr(csr_pem)?;
        request.params = leaf_params(identity, names)?;
        request.params.not_before = instant(validity.not_before);
        request.params.not_after = instant(validity.not_after.min(self.validity.not_after));
        let issued = request
            .signed_by(&self.issuer()?)
            .map_err(|error| TrustError::Refused(error.to_string()))?;
        Ok(to_pem(issued.der()) + &self.links_pem())
    }

    fn links_pem(&self) -> String {
        self.links.iter().map(|link| to_pem(link)).collect()
    }

    fn issuer(&self) -> Result<Issuer<'static, &rcgen::KeyPair>, TrustError> {
        Issuer::from_ca_cert_der(&self.certificate, self.key.pair())
            .map_err(|error| TrustError::unreadable("the CA", error))
    }
}

/// The public key that a CSR was made with: it is signed by that key.
///
/// # Errors
/// Where the CSR cannot be read or is not signed by its key.
pub fn key_of_csr(csr_pem: &str) -> Result<Vec<u8>, TrustError> {
    Ok(read_csr(csr_pem)?.public_key.der_bytes().to_vec())
}

fn read_csr(csr_pem: &str) -> Result<CertificateSigningRequestParams, TrustError> {
    CertificateSigningRequestParams::from_pem(csr_pem)
        .map_err(|error| TrustError::unreadable("the CSR", error))
}

fn ca_params(now: Time) -> CertificateParams {
    let validity = Validity::from(now, CA_LIFETIME);
    let serial = serial();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // Each CA has its own name: chains are built by name.
    let tag: String = serial
        .to_bytes()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    params.distinguished_name.push(DnType::OrganizationName, "skep");
    params
        .distinguished_name
        .push(DnType::CommonName, format!("skep CA {tag}"));
    params.not_before = instant(validity.not_before);
    params.not_after = instant(validity.not_after);
    params.serial_number = Some(serial);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn leaf_params(identity: &Identity, names: &[String]) -> Result<CertificateParams, TrustError> {
    let subject = identity.subject();
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    for organization in subject.organizations {
        params
            .distinguished_name
            .push(DnType::OrganizationName, organization);
    }
    if !subject.unit.is_empty() {
        params
            .distinguished_name
            .push(DnType::OrganizationalUnitName, subject.unit);
    }
    params
        .distinguished_name
        .push(DnType::CommonName, subject.common_name);
    params.serial_number = Some(serial());
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if matches!(identity, Identity::Server { .. }) {
        params
            .extended_key_usages
            .push(ExtendedKeyUsagePurpose::ServerAuth);
        params.subject_alt_names = alternative_names(names)?;
    }
    Ok(params)
}

fn alternative_names(names: &[String]) -> Result<Vec<SanType>, TrustError> {
    if names.len() > NAMES_MAX {
        return Err(TrustError::Refused(format!(
            "a certificate may have {NAMES_MAX} names"
        )));
    }
    let read = |name: &String| match name.parse() {
        Ok(address) => Ok(SanType::IpAddress(address)),
        Err(_) => name
            .as_str()
            .try_into()
            .map(SanType::DnsName)
            .map_err(|error| TrustError::Refused(format!("`{name}` is no name of a host: {error}"))),
    };
    names.iter().map(read).collect()
}

fn serial() -> SerialNumber {
    let mut bytes = random::bytes::<16>();
    // A positive number without leading zeros, as RFC 5280 asks for.
    bytes[0] = (bytes[0] & 0x7f) | 0x40;
    SerialNumber::from_slice(&bytes)
}

fn instant(time: Time) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.as_millis().div_euclid(1000))
        .expect("the times of documents are within those of certificates")
}
