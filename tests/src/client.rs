//! A gRPC client with the administrator's certificate, one channel to each server.

use std::{fs, path::Path, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use skep_api::{
    convert,
    proto::{
        CreateRequest, GetRequest, ListRequest, ObjectRef, UpdateRequest, WatchEvent, WatchRequest,
        WriteOptions, cluster_client::ClusterClient,
    },
};
use skep_trust::{Bundle, Connector, Credentials, KeyPairFile, Tls, endpoint, install_crypto};
use tonic::{Status, Streaming, transport::Channel};

/// How long one call may take before it is made again.
const CALL_WITHIN: Duration = Duration::from_secs(10);

/// Calls to the servers of a cluster, by their index. To be made within a runtime.
#[derive(Clone)]
pub struct Client {
    servers: Vec<ClusterClient<Channel>>,
}

impl Client {
    /// With the certificate in this config, to servers at these addresses; they need not be there yet.
    pub fn new(config: &Path, addresses: &[String]) -> Self {
        install_crypto();
        let credentials = || credentials(config);
        let channel = |address: &String| {
            let tls = Tls::new(credentials()).expect("the administrator's certificate");
            let endpoint = endpoint(address).expect("an address").timeout(CALL_WITHIN);
            endpoint.connect_with_connector_lazy(Connector::new(tls.client_config()))
        };
        let client = |address| ClusterClient::new(channel(address)).max_decoding_message_size(usize::MAX);
        Self {
            servers: addresses.iter().map(client).collect(),
        }
    }

    /// How many servers it knows.
    pub fn servers(&self) -> usize {
        self.servers.len()
    }

    /// Creates a config map in `default` through this server; its revision.
    ///
    /// # Errors
    /// Where the server refuses or is not there.
    pub async fn create(&self, server: usize, name: &str, text: &str) -> Result<u64, Status> {
        let request = CreateRequest {
            object: convert::struct_from_value(config_map(name, text)),
            options: Some(options(name)),
        };
        let response = self.servers[server].clone().create(request).await?.into_inner();
        Ok(revision(&document(response.object)))
    }

    /// Replaces a config map in `default` through this server; its revision. `request_id` makes a retry harmless.
    ///
    /// # Errors
    /// Where the server refuses or is not there.
    pub async fn update(
        &self,
        server: usize,
        name: &str,
        text: &str,
        request_id: &str,
    ) -> Result<u64, Status> {
        let request = UpdateRequest {
            object: convert::struct_from_value(config_map(name, text)),
            options: Some(options(request_id)),
        };
        let response = self.servers[server].clone().update(request).await?.into_inner();
        Ok(revision(&document(response.object)))
    }

    /// A config map in `default` as this server shows it.
    ///
    /// # Errors
    /// Where there is none, or the server is not there.
    pub async fn get(&self, server: usize, name: &str) -> Result<Value, Status> {
        let request = GetRequest {
            r#ref: Some(ObjectRef {
                kind: "configmap".to_owned(),
                namespace: "default".to_owned(),
                name: name.to_owned(),
            }),
            stale_ok: false,
        };
        let response = self.servers[server].clone().get(request).await?.into_inner();
        Ok(document(response.object))
    }

    /// All config maps in `default` as this server knows them, and as of which revision.
    ///
    /// # Errors
    /// Where the server is not there.
    pub async fn list(&self, server: usize, stale_ok: bool) -> Result<(Vec<Value>, u64), Status> {
        let request = ListRequest {
            kind: "configmaps".to_owned(),
            namespace: "default".to_owned(),
            stale_ok,
            ..ListRequest::default()
        };
        let response = self.servers[server].clone().list(request).await?.into_inner();
        let items = response.items.into_iter().map(convert::value_from_struct);
        Ok((
            items.collect(),
            response.resource_version.parse().expect("a revision"),
        ))
    }

    /// Changes of config maps in `default` after a revision, from this server.
    ///
    /// # Errors
    /// Where the server no longer knows them, or is not there.
    pub async fn watch(&self, server: usize, after: u64) -> Result<Streaming<WatchEvent>, Status> {
        let request = WatchRequest {
            kind: "configmaps".to_owned(),
            namespace: "default".to_owned(),
            resource_version: after.to_string(),
            bookmarks: true,
            ..WatchRequest::default()
        };
        Ok(self.servers[server].clone().watch(request).await?.into_inner())
    }
}

/// The revision that a document is of.
pub(crate) fn revision(document: &Value) -> u64 {
    let text = document["metadata"]["resourceVersion"].as_str();
    text.and_then(|text| text.parse().ok())
        .expect("a document has a revision")
}

fn document(object: Option<skep_api::Struct>) -> Value {
    convert::value_from_struct(object.unwrap_or_default())
}

fn config_map(name: &str, text: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": { "name": name, "namespace": "default" },
        "data": { "text": text },
    })
}

fn options(request_id: &str) -> WriteOptions {
    WriteOptions {
        request_id: request_id.to_owned(),
        ..WriteOptions::default()
    }
}

fn credentials(config: &Path) -> Credentials {
    let text = fs::read_to_string(config).expect("the administrator's config");
    let config = skep_api::yaml::documents(&text).expect("it is YAML").remove(0);
    let pem = |field: &Value| {
        let bytes = STANDARD.decode(field.as_str().expect("PEM in base64"));
        String::from_utf8(bytes.expect("base64")).expect("PEM")
    };
    let (cluster, user) = (&config["clusters"][0]["cluster"], &config["users"][0]["user"]);
    let key = KeyPairFile::from_pem(&pem(&user["client-key-data"])).expect("a key");
    let bundle = Bundle::from_pem(&pem(&cluster["certificate-authority-data"])).expect("a bundle");
    Credentials::new(key, &pem(&user["client-certificate-data"]), bundle).expect("they fit")
}
