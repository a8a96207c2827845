//! The engine's images.

use std::time::Duration;

use bollard::{
    Docker as Client,
    auth::DockerCredentials,
    models::{ImageInspect, ImageSummary},
    query_parameters::{CreateImageOptionsBuilder, ListImagesOptions, RemoveImageOptions},
};
use futures::TryStreamExt;

use super::error;
use crate::runtime::{Credentials, ImageInfo, RuntimeError};

/// For a registry to begin its answer; the layers may take longer.
const PULL_TIMEOUT: Duration = Duration::from_secs(300);

pub(super) async fn pull(
    client: &Client,
    image: &str,
    credentials: Option<&Credentials>,
) -> Result<(), RuntimeError> {
    let (name, tag) = split(image);
    let options = CreateImageOptionsBuilder::new().from_image(name).tag(tag).build();
    let credentials = credentials.map(|credentials| DockerCredentials {
        username: Some(credentials.username.clone()),
        password: Some(credentials.password.clone()),
        serveraddress: Some(credentials.server.clone()),
        ..DockerCredentials::default()
    });
    let client = client.clone().with_timeout(PULL_TIMEOUT);
    let progress = client.create_image(Some(options), None, credentials);
    progress.try_for_each(async |_| Ok(())).await.map_err(error::from)
}

pub(super) async fn find(client: &Client, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
    match client.inspect_image(image).await {
        Ok(found) => Ok(Some(from_inspect(found))),
        Err(failure) if error::is_not_found(&failure) => Ok(None),
        Err(failure) => Err(error::from(failure)),
    }
}

pub(super) async fn list(client: &Client) -> Result<Vec<ImageInfo>, RuntimeError> {
    let found = client
        .list_images(None::<ListImagesOptions>)
        .await
        .map_err(error::from)?;
    Ok(found.into_iter().map(from_summary).collect())
}

/// Takes the image's names away one by one, since the engine refuses to remove an image of several names unless forced,
/// and a forced removal takes it from under stopped containers.
pub(super) async fn remove(client: &Client, id: &str) -> Result<(), RuntimeError> {
    let Some(image) = find(client, id).await? else {
        return Ok(());
    };
    let tags = image.names.iter().filter(|name| !name.contains('@'));
    for name in tags.chain(std::iter::once(&image.id)) {
        match client.remove_image(name, None::<RemoveImageOptions>, None).await {
            Err(failure) if !error::is_not_found(&failure) => return Err(error::from(failure)),
            _ => {}
        }
    }
    Ok(())
}

fn from_inspect(found: ImageInspect) -> ImageInfo {
    ImageInfo {
        id: found.id.unwrap_or_default(),
        names: names(
            found.repo_tags.unwrap_or_default(),
            found.repo_digests.unwrap_or_default(),
        ),
        size_bytes: bytes(found.size),
        user: found.config.and_then(|config| config.user).unwrap_or_default(),
    }
}

/// The list does not tell the user.
fn from_summary(found: ImageSummary) -> ImageInfo {
    ImageInfo {
        id: found.id,
        names: names(found.repo_tags, found.repo_digests),
        size_bytes: bytes(Some(found.size)),
        user: String::new(),
    }
}

fn names(tags: Vec<String>, digests: Vec<String>) -> Vec<String> {
    tags.into_iter()
        .chain(digests)
        .filter(|name| !name.contains("<none>"))
        .collect()
}

fn bytes(size: Option<i64>) -> u64 {
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
}

/// Name, and tag or digest; without one the engine would fetch every tag there is.
fn split(image: &str) -> (&str, &str) {
    if let Some((name, digest)) = image.split_once('@') {
        return (name, digest);
    }
    let last = image.rfind('/').map_or(0, |at| at + 1);
    match image[last..].find(':') {
        Some(at) => (&image[..last + at], &image[last + at + 1..]),
        None => (image, "latest"),
    }
}
