//! Join tokens: what a new machine shows, and what it knows the cluster by.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::{CaHash, TrustError, random};

const VERSION: &str = "skep1";
const ID_BYTES: usize = 5;
const SECRET_BYTES: usize = 24;

/// What a machine may join as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinRole {
    /// A server of the control plane.
    Server,
    /// A node's agent.
    Agent,
}

/// `skep1.HASH-OF-THE-CA.ID.SECRET`: the hash tells the cluster from others, the secret opens its door.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    ca: CaHash,
    id: String,
    secret: String,
}

impl Token {
    /// A new token that pins this CA.
    pub fn generate(ca: CaHash) -> Self {
        let hex = |byte: u8| format!("{byte:02x}");
        Self {
            ca,
            id: random::bytes::<ID_BYTES>().into_iter().map(hex).collect(),
            secret: URL_SAFE_NO_PAD.encode(random::bytes::<SECRET_BYTES>()),
        }
    }

    /// The CA that it pins.
    pub fn ca(&self) -> CaHash {
        self.ca
    }

    /// Its name, which is no secret: ten hexadecimal digits.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What a cluster keeps in place of the secret: SHA-256, in base64.
    pub fn secret_hash(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(&self.secret))
    }

    /// True where the kept hash is this token's. Hashes are compared, so the time it takes tells nothing of the secret.
    pub fn matches(&self, kept: &str) -> bool {
        self.secret_hash() == kept
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}.{}.{}.{}", self.ca, self.id, self.secret)
    }
}

/// Without the secret.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.id)
    }
}

impl FromStr for Token {
    type Err = TrustError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = text.trim().split('.').collect();
        let [version, ca, id, secret] = parts[..] else {
            return Err(TrustError::Token("it has four parts with dots between them"));
        };
        if version != VERSION {
            return Err(TrustError::Token(
                "it is of a version that this program does not know",
            ));
        }
        let id_fits = id.len() == 2 * ID_BYTES && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !id_fits {
            return Err(TrustError::Token("its id is not ten hexadecimal digits"));
        }
        let secret_fits = URL_SAFE_NO_PAD
            .decode(secret)
            .is_ok_and(|bytes| bytes.len() == SECRET_BYTES);
        if !secret_fits {
            return Err(TrustError::Token("its secret is cut off or changed"));
        }
        Ok(Self {
            ca: ca.parse()?,
            id: id.to_ascii_lowercase(),
            secret: secret.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;

    use super::*;

    fn token() -> Token {
        Token::generate(CaHash::of(&CertificateDer::from(vec![1, 2, 3])))
    }

    #[test]
    fn a_token_survives_the_clipboard() {
        let token = token();
        let read: Token = format!(" {token}\n").parse().unwrap();
        assert_eq!(read, token);
        assert!(read.matches(&token.secret_hash()));
    }

    #[test]
    fn a_damaged_token_says_what_is_wrong_with_it() {
        let text = token().to_string();
        let problem = |text: &str| text.parse::<Token>().unwrap_err().to_string();
        assert!(problem(&text[..text.len() - 1]).contains("cut off"));
        assert!(problem(&text.replace("skep1", "skep9")).contains("version"));
        assert!(problem("hello").contains("four parts"));
    }

    #[test]
    fn another_token_does_not_match_and_the_secret_is_not_printed() {
        let token = token();
        assert!(!token.matches(&self::token().secret_hash()));
        assert!(!format!("{token:?}").contains(&token.secret));
    }
}
