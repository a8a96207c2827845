//! Images that containers are started from: what is there is asked once, and a pull serves all who wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use tokio::time::Instant;

use crate::runtime::{Credentials, ImageInfo, Runtime, RuntimeError};

/// How long an image that was seen is taken to be there.
const SEEN_FOR: Duration = Duration::from_secs(10);

type Pull = Shared<BoxFuture<'static, Result<(), RuntimeError>>>;

/// The node's images.
pub(crate) struct Images {
    runtime: Arc<dyn Runtime>,
    seen: tokio::sync::Mutex<HashMap<String, (ImageInfo, Instant)>>,
    pulls: Mutex<HashMap<(String, String), Pull>>,
}

impl Images {
    pub(crate) fn new(runtime: Arc<dyn Runtime>) -> Self {
        Self {
            runtime,
            seen: tokio::sync::Mutex::default(),
            pulls: Mutex::default(),
        }
    }

    /// The image; `None` where the node has not got it.
    pub(crate) async fn get(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        let mut seen = self.seen.lock().await;
        if let Some((info, at)) = seen.get(image)
            && at.elapsed() < SEEN_FOR
        {
            return Ok(Some(info.clone()));
        }
        let info = self.runtime.image(image).await?;
        seen.retain(|_, (_, at)| at.elapsed() < SEEN_FOR);
        if let Some(info) = &info {
            seen.insert(image.to_owned(), (info.clone(), Instant::now()));
        }
        Ok(info)
    }

    /// Fetches the image. Pulls of the same image by the same user that overlap are one.
    pub(crate) async fn pull(
        &self,
        image: &str,
        credentials: Option<Credentials>,
    ) -> Result<ImageInfo, RuntimeError> {
        let user = credentials
            .as_ref()
            .map(|c| format!("{}\0{}\0{}", c.server, c.username, c.password));
        let key = (image.to_owned(), user.unwrap_or_default());
        let pull = self.join(&key, credentials);
        let result = pull.clone().await;
        self.pulls
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, known| !known.ptr_eq(&pull));
        result?;
        self.forget(image).await;
        let info = self.get(image).await?;
        info.ok_or_else(|| RuntimeError::NotFound(format!("image {image} is gone right after its pull")))
    }

    /// Asks anew next time.
    pub(crate) async fn forget(&self, image: &str) {
        self.seen.lock().await.remove(image);
    }

    fn join(&self, key: &(String, String), credentials: Option<Credentials>) -> Pull {
        let mut pulls = self.pulls.lock().unwrap_or_else(PoisonError::into_inner);
        let (runtime, image) = (Arc::clone(&self.runtime), key.0.clone());
        let start = || {
            async move { runtime.pull(&image, credentials.as_ref()).await }
                .boxed()
                .shared()
        };
        pulls.entry(key.clone()).or_insert_with(start).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeRuntime;

    #[tokio::test]
    async fn pulls_of_the_same_image_that_overlap_are_one() {
        let runtime = Arc::new(FakeRuntime::new(&["web:v1"]));
        runtime.allow_pulls();
        let images = Images::new(Arc::clone(&runtime) as Arc<dyn Runtime>);
        let other = Credentials {
            username: "other".to_owned(),
            ..Credentials::default()
        };
        let (first, second, third) = tokio::join!(
            images.pull("web:v1", None),
            images.pull("web:v1", None),
            images.pull("web:v1", Some(other))
        );
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!(runtime.pulls(), 2, "another user's pull is another pull");
        images.pull("web:v1", None).await.unwrap();
        assert_eq!(runtime.pulls(), 3, "a pull that is over serves nobody any more");
    }

    #[tokio::test]
    async fn an_image_that_was_just_seen_is_not_asked_for_again() {
        let runtime = Arc::new(FakeRuntime::new(&["web:v1"]));
        let images = Images::new(Arc::clone(&runtime) as Arc<dyn Runtime>);
        assert!(images.get("web:v1").await.unwrap().is_some());
        runtime.set_away(true);
        assert!(images.get("web:v1").await.unwrap().is_some());
        images.forget("web:v1").await;
        assert!(images.get("web:v1").await.is_err());
    }
}
