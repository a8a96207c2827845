//! The bearer token that calls over TCP carry.

use sha2::{Digest, Sha256};
use tonic::{Request, Status};

/// Knows the token by its digest, so that comparing takes the same time for every guess.
#[derive(Clone)]
pub(crate) struct Token {
    digest: [u8; 32],
}

impl Token {
    pub(crate) fn new(token: &str) -> Self {
        Self {
            digest: Sha256::digest(token).into(),
        }
    }

    /// Lets a request with the right token pass.
    pub(crate) fn check(&self, request: Request<()>) -> Result<Request<()>, Status> {
        let header = request
            .metadata()
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        let given = header
            .and_then(|value| value.strip_prefix("Bearer "))
            .map(str::trim);
        match given {
            Some(given) if <[u8; 32]>::from(Sha256::digest(given)) == self.digest => Ok(request),
            Some(_) => Err(Status::unauthenticated("the bearer token is not this server's")),
            None => Err(Status::unauthenticated(
                "a bearer token is needed: send `authorization: Bearer TOKEN`",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(header: Option<&str>) -> Request<()> {
        let mut request = Request::new(());
        if let Some(header) = header {
            request
                .metadata_mut()
                .insert("authorization", header.parse().unwrap());
        }
        request
    }

    #[test]
    fn only_the_right_token_passes() {
        let token = Token::new("secret");
        assert!(token.check(request(Some("Bearer secret"))).is_ok());
        assert!(token.check(request(Some("Bearer guess"))).is_err());
        assert!(token.check(request(Some("secret"))).is_err());
        assert!(token.check(request(None)).is_err());
    }
}
