//! The rules as a tower layer in front of every service.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use futures::future::Either;
use skep_trust::{Certificate, Identity};
use tonic::{
    body::Body,
    codegen::http::{Request, Response},
};
use tower::{Layer, Service};

use super::rules;
use crate::clock::now;

/// Who is at the other end of a connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller(Option<Known>);

#[derive(Clone, Debug)]
struct Known {
    identity: Identity,
    certificate: Arc<Certificate>,
}

impl Caller {
    /// Who a certificate that TLS has accepted speaks for; nobody known where it speaks for nobody.
    pub(crate) fn of(certificate: Certificate) -> Self {
        Self(certificate.identity.clone().map(|identity| Known {
            identity,
            certificate: Arc::new(certificate),
        }))
    }
}

/// Lets through what the rules allow; services find the [`Identity`] of the caller and its [`Certificate`] (as an [`Arc`])
/// in the request's extensions.
#[derive(Clone, Debug)]
pub(crate) struct Authorize(pub Caller);

impl<S> Layer<S> for Authorize {
    type Service = Authorized<S>;

    fn layer(&self, inner: S) -> Authorized<S> {
        Authorized {
            caller: self.0.clone(),
            inner,
        }
    }
}

/// A service behind the rules.
#[derive(Clone, Debug)]
pub(crate) struct Authorized<S> {
    caller: Caller,
    inner: S,
}

impl<S, B> Service<Request<B>> for Authorized<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let refuse = |status: tonic::Status| Either::Right(ready(Ok(status.into_http())));
        // Whatever the request brought along, it is not from this door.
        request.extensions_mut().remove::<Identity>();
        request.extensions_mut().remove::<Arc<Certificate>>();
        let known = self.caller.0.as_ref();
        if known.is_some_and(|known| now() > known.certificate.validity.not_after) {
            // The connection is older than that: a new one shows the new certificate.
            return refuse(rules::unauthenticated(
                "the certificate has expired: renew it and connect again",
            ));
        }
        let identity = known.map(|known| &known.identity);
        if let Err(status) = rules::check(identity, request.uri().path()) {
            return refuse(*status);
        }
        if let Some(Known {
            identity,
            certificate,
        }) = known
        {
            request.extensions_mut().insert(identity.clone());
            request.extensions_mut().insert(certificate.clone());
        }
        Either::Left(self.inner.call(request))
    }
}
