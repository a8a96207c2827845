//! What a certificate says.

use std::net::IpAddr;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use skep_api::Time;
use x509_parser::{
    certificate::X509Certificate, extensions::GeneralName, parse_x509_certificate, x509::X509Name,
};

use crate::{Identity, TrustError, Validity, identity::Subject};

const PEM_LINE_CHARS: usize = 64;

/// What a leaf certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Who it speaks for; `None` for one that is nobody of a cluster.
    pub identity: Option<Identity>,
    /// From when until when.
    pub validity: Validity,
    /// Its serial number in hexadecimal.
    pub serial: String,
    der: CertificateDer<'static>,
}

impl Certificate {
    /// Reads a certificate.
    ///
    /// # Errors
    /// Where it is no X.509 certificate.
    pub fn from_der(der: CertificateDer<'static>) -> Result<Self, TrustError> {
        let (identity, validity, serial) = {
            let parsed = parse(&der)?;
            (
                identity_in(&parsed),
                validity_of(&parsed),
                format!("{:x}", parsed.tbs_certificate.serial),
            )
        };
        Ok(Self {
            identity,
            validity,
            serial,
            der,
        })
    }

    /// Reads the first certificate in PEM text.
    ///
    /// # Errors
    /// Where there is none that can be read.
    pub fn from_pem(pem: &str) -> Result<Self, TrustError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| TrustError::unreadable("the certificate", error))?;
        Self::from_der(der)
    }

    /// Its bytes.
    pub fn der(&self) -> &CertificateDer<'static> {
        &self.der
    }

    /// True where this CA has signed it.
    pub fn is_signed_by(&self, ca: &CertificateDer<'_>) -> bool {
        let (Ok(leaf), Ok(ca)) = (parse(&self.der), parse(ca)) else {
            return false;
        };
        leaf.verify_signature(Some(ca.public_key())).is_ok()
    }

    /// True where it is good for all of these host names and IP addresses.
    pub fn covers(&self, names: &[String]) -> bool {
        let Ok(parsed) = parse(&self.der) else {
            return false;
        };
        let listed = parsed.subject_alternative_name().ok().flatten();
        let listed = listed.map_or(&[][..], |listed| &listed.value.general_names);
        names.iter().all(|name| {
            let address = name.parse().ok().map(|address| match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            });
            listed.iter().any(|listed| match listed {
                GeneralName::DNSName(listed) => listed.eq_ignore_ascii_case(name),
                GeneralName::IPAddress(listed) => address.as_deref() == Some(*listed),
                _ => false,
            })
        })
    }

    /// The public key, as it stands in the certificate: the point of a P-256 key, uncompressed.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        parse(&self.der).map_or_else(
            |_| Vec::new(),
            |parsed| parsed.public_key().subject_public_key.data.to_vec(),
        )
    }
}

/// Who the first of these certificates speaks for. It says nothing of whether the chain is trusted.
pub fn identity_of(certificates: &[CertificateDer<'_>]) -> Option<Identity> {
    identity_in(&parse(certificates.first()?).ok()?)
}

pub(crate) fn parse<'a>(der: &'a CertificateDer<'_>) -> Result<X509Certificate<'a>, TrustError> {
    parse_x509_certificate(der)
        .map(|(_, certificate)| certificate)
        .map_err(|error| TrustError::unreadable("the certificate", error))
}

pub(crate) fn validity_of(certificate: &X509Certificate<'_>) -> Validity {
    let validity = certificate.validity();
    Validity {
        not_before: Time::from_secs(validity.not_before.timestamp()),
        not_after: Time::from_secs(validity.not_after.timestamp()),
    }
}

fn identity_in(certificate: &X509Certificate<'_>) -> Option<Identity> {
    Identity::from_subject(&subject_of(certificate.subject())?)
}

/// The parts that count; `None` where a name that must be the only one is there twice, or is no text.
fn subject_of(name: &X509Name<'_>) -> Option<Subject> {
    let mut names = name.iter_common_name();
    let common_name = names.next()?.as_str().ok()?.to_owned();
    if names.next().is_some() {
        return None;
    }
    let organizations = name
        .iter_organization()
        .map(|value| value.as_str().map(str::to_owned));
    let unit = name.iter_organizational_unit().next();
    Some(Subject {
        organizations: organizations.collect::<Result<_, _>>().ok()?,
        unit: unit.map_or(Some(""), |value| value.as_str().ok())?.to_owned(),
        common_name,
    })
}

/// The certificate in PEM.
pub(crate) fn to_pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(PEM_LINE_CHARS) {
        pem.extend(line.iter().map(|byte| char::from(*byte)));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}
