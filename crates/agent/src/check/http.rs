//! Asks by HTTP: an answer from 200 to 399 is a yes, and redirects are followed on the same host.

use http::{HeaderName, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Empty;
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use skep_api::{HttpGetAction, UriScheme};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{Target, tcp, tls};

/// Redirects that are followed, as in Kubernetes.
const REDIRECTS_MAX: usize = 10;

/// One place to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    tls: bool,
    host: String,
    port: u16,
    path: String,
}

pub(super) async fn get(target: &Target, action: &HttpGetAction) -> Result<(), String> {
    let mut place = Place {
        tls: action.scheme == UriScheme::Https,
        host: target.host(&action.host).to_owned(),
        port: target.port(&action.port)?,
        path: if action.path.starts_with('/') {
            action.path.clone()
        } else {
            format!("/{}", action.path)
        },
    };
    for _ in 0..=REDIRECTS_MAX {
        let (status, location) = ask(&place, action).await?;
        match status.as_u16() {
            300..=399 => match location.and_then(|location| place.redirected(&location)) {
                Some(next) if next.host == place.host => place = next,
                _ => return Ok(()),
            },
            200..=299 => return Ok(()),
            code => return Err(format!("HTTP probe failed with statuscode: {code}")),
        }
    }
    Err(format!(
        "Get \"{}\": stopped after {REDIRECTS_MAX} redirects",
        place.url()
    ))
}

async fn ask(place: &Place, action: &HttpGetAction) -> Result<(StatusCode, Option<String>), String> {
    let told = |error: String| format!("Get \"{}\": {error}", place.url());
    let stream = tcp::open(&place.host, place.port).await.map_err(told)?;
    let request = request(place, action).map_err(told)?;
    if place.tls {
        let stream = tls::handshake(stream, &place.host).await.map_err(told)?;
        exchange(stream, request).await.map_err(told)
    } else {
        exchange(stream, request).await.map_err(told)
    }
}

fn request(place: &Place, action: &HttpGetAction) -> Result<Request<Empty<Bytes>>, String> {
    let mut request = Request::get(&place.path)
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let host = HeaderValue::from_str(&place.authority()).map_err(|error| error.to_string())?;
    let headers = request.headers_mut();
    headers.insert(header::HOST, host);
    headers.insert(
        header::USER_AGENT,
        HeaderValue::from_static(concat!("skep-probe/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    let mut own = http::HeaderMap::new();
    for stated in &action.http_headers {
        let name = HeaderName::try_from(&stated.name)
            .map_err(|_| format!("`{}` is not a header name", stated.name))?;
        let value = HeaderValue::try_from(&stated.value)
            .map_err(|_| format!("`{}` is not a header value", stated.value))?;
        own.append(name, value);
    }
    for name in own.keys() {
        headers.remove(name);
    }
    headers.extend(own);
    Ok(request)
}

async fn exchange<S>(
    stream: S,
    request: Request<Empty<Bytes>>,
) -> Result<(StatusCode, Option<String>), String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    let answered = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let location = answer
            .headers()
            .get(header::LOCATION)
            .and_then(|value| value.to_str().ok());
        Ok((answer.status(), location.map(str::to_owned)))
    };
    tokio::pin!(connection);
    tokio::pin!(answered);
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        ended = &mut connection => match ended {
            Ok(()) => answered.await,
            Err(error) => Err(error.to_string()),
        },
    }
}

impl Place {
    fn authority(&self) -> String {
        let usual = if self.tls { 443 } else { 80 };
        if self.port == usual {
            self.host.clone()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    fn url(&self) -> String {
        format!(
            "{}://{}:{}{}",
            if self.tls { "https" } else { "http" },
            self.host,
            self.port,
            self.path
        )
    }

    /// Where a Location header leads; `None` where it cannot be read.
    fn redirected(&self, location: &str) -> Option<Self> {
        let uri: Uri = location.parse().ok()?;
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let Some(host) = uri.host() else {
            return path.starts_with('/').then(|| Self { path, ..self.clone() });
        };
        let tls = uri.scheme_str().map_or(self.tls, |scheme| scheme == "https");
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        Some(Self {
            tls,
            host: host.to_owned(),
            port,
            path,
        })
    }
}
