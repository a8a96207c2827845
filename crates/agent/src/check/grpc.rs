//! Calls the gRPC health service.

use skep_api::GrpcAction;
use tonic::transport::Endpoint;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

use super::Target;

pub(super) async fn check(target: &Target, action: &GrpcAction) -> Result<(), String> {
    let uri = format!("http://{}:{}", target.host(""), action.port);
    let endpoint = Endpoint::from_shared(uri.clone()).map_err(|error| format!("{uri}: {error}"))?;
    let channel = endpoint.connect().await.map_err(|error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        format!("failed to connect service \"{uri}\": {cause}")
    })?;
    let request = HealthCheckRequest {
        service: action.service.clone(),
    };
    let answer = HealthClient::new(channel).check(request).await;
    let status = answer
        .map_err(|status| format!("health check failed: {}", status.message()))?
        .into_inner()
        .status();
    match status {
        ServingStatus::Serving => Ok(()),
        other => Err(format!(
            "service unhealthy (responded with \"{}\")",
            other.as_str_name()
        )),
    }
}
