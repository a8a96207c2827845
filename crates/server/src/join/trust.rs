//! `skep.v1.Trust`: what administrators ask of the CA and of join tokens.

use std::{sync::Arc, time::Duration};

use skep_api::proto::{
    AuthorityInfo, CertStatusRequest, CertStatusResponse, CreateTokenRequest, CreateTokenResponse,
    IssueUserRequest, ListTokensRequest, ListTokensResponse, RenewResponse, RevokeTokenRequest,
    RevokeTokenResponse, RotateCaRequest, RotateCaResponse, trust_server::Trust,
};
use skep_trust::{CaHash, Identity, Validity};
use tonic::{Request, Response, Status};

use super::{
    authorities::{self, Authorities},
    held,
    lifetimes::{MACHINE_LIFETIME, USER_LIFETIME},
    millis, servers,
    service::wrong,
    tokens,
};
use crate::{clock::now, core::Core, failure::Failure};

/// `skep.v1.Trust`.
#[derive(Clone)]
pub(crate) struct TrustService(pub Arc<Core>);

#[tonic::async_trait]
impl Trust for TrustService {
    async fn create_token(
        &self,
        request: Request<CreateTokenRequest>,
    ) -> Result<Response<CreateTokenResponse>, Status> {
        let authorities = self.authorities().await?;
        let (token, known) =
            tokens::create(&self.0, authorities.active.hash(), &request.into_inner()).await?;
        Ok(Response::new(CreateTokenResponse {
            token: token.to_string(),
            info: Some(known.info()),
        }))
    }

    async fn list_tokens(
        &self,
        _: Request<ListTokensRequest>,
    ) -> Result<Response<ListTokensResponse>, Status> {
        let state = self.0.read(false).await?;
        let tokens = tokens::usable(&state).iter().map(tokens::Known::info).collect();
        Ok(Response::new(ListTokensResponse { tokens }))
    }

    async fn revoke_token(
        &self,
        request: Request<RevokeTokenRequest>,
    ) -> Result<Response<RevokeTokenResponse>, Status> {
        tokens::revoke(&self.0, &request.into_inner().id).await?;
        Ok(Response::new(RevokeTokenResponse {}))
    }

    async fn issue_user(
        &self,
        request: Request<IssueUserRequest>,
    ) -> Result<Response<RenewResponse>, Status> {
        let request = request.into_inner();
        let authorities = self.authorities().await?;
        let lifetime = match request.lifetime_seconds {
            0 => USER_LIFETIME,
            seconds => Duration::from_secs(seconds),
        };
        let identity = Identity::User {
            name: request.name,
            groups: request.groups,
        };
        let certificate_pem = authorities
            .active
            .issue(&request.csr_pem, &identity, &[], Validity::from(now(), lifetime))
            .map_err(wrong)?;
        Ok(Response::new(RenewResponse {
            certificate_pem,
            ca_bundle_pem: authorities.trusted(now())?.to_pem(),
            servers: servers(&self.0),
        }))
    }

    async fn rotate_ca(
        &self,
        request: Request<RotateCaRequest>,
    ) -> Result<Response<RotateCaResponse>, Status> {
        let retire_after = request.into_inner().retire_after_seconds;
        let retire_after = retire_after.map_or(MACHINE_LIFETIME, Duration::from_secs);
        let authorities = authorities::rotate(&self.0, retire_after).await?;
        tracing::info!(ca = %authorities.active.hash(), "a new CA signs from now on");
        Ok(Response::new(RotateCaResponse {
            authorities: listed(&authorities),
        }))
    }

    async fn cert_status(
        &self,
        _: Request<CertStatusRequest>,
    ) -> Result<Response<CertStatusResponse>, Status> {
        let authorities = self.authorities().await?;
        Ok(Response::new(CertStatusResponse {
            authorities: listed(&authorities),
            server: held::own(&self.0),
            machines: held::all(&self.0).await?,
        }))
    }
}

impl TrustService {
    async fn authorities(&self) -> Result<Authorities, Failure> {
        Authorities::load(&self.0.read(false).await?)
    }
}

fn listed(authorities: &Authorities) -> Vec<AuthorityInfo> {
    let listed = authorities.listed(now()).into_iter();
    let info = |(hash, validity, retires): (CaHash, Validity, _)| AuthorityInfo {
        hash: hash.to_string(),
        active: hash == authorities.active.hash(),
        not_before_millis: validity.not_before.as_millis(),
        not_after_millis: validity.not_after.as_millis(),
        retires_millis: millis(retires),
    };
    listed.map(info).collect()
}
