//! `skep set image`.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;
use serde_json::Value;

use super::{Targets, containers, edit_pod_specs};
use crate::context::Context;

/// What `skep set image` takes.
#[derive(Args, Debug)]
pub(super) struct ImageArgs {
    /// TYPE/NAME or TYPE NAME, then CONTAINER=IMAGE...; * stands for every container
    #[arg(value_name = "RESOURCE CONTAINER=IMAGE", required = true)]
    words: Vec<String>,
    #[command(flatten)]
    targets: Targets,
}

pub(super) async fn run(args: &ImageArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (resources, images) = split(&args.words)?;
    let ids = args.targets.resolve(resources, ctx).await?;
    edit_pod_specs(ctx, &ids, "image", |spec| set(spec, &images)).await
}

/// A container's name and its new image.
type Image = (String, String);

/// Words without `=` name resources, the others containers and their images.
fn split(words: &[String]) -> anyhow::Result<(Vec<String>, Vec<Image>)> {
    let (mut resources, mut images) = (Vec::new(), Vec::new());
    for word in words {
        match word.split_once('=') {
            None => resources.push(word.clone()),
            Some((container, image)) if !container.is_empty() && !image.is_empty() => {
                images.push((container.to_owned(), image.to_owned()));
            }
            Some(_) => bail!("`{word}` names no container and image: write CONTAINER=IMAGE"),
        }
    }
    if images.is_empty() {
        bail!("at least one image update is required: write CONTAINER=IMAGE");
    }
    Ok((resources, images))
}

fn set(spec: &mut Value, images: &[Image]) -> anyhow::Result<()> {
    for (name, image) in images {
        for container in containers(spec, name)? {
            container["image"] = image.as_str().into();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_resources_or_images() {
        let words = ["deploy", "web", "web=registry:5000/web:v2", "log=log:v1"].map(str::to_owned);
        let (resources, images) = split(&words).unwrap();
        assert_eq!(resources, ["deploy", "web"]);
        assert_eq!(images[0], ("web".to_owned(), "registry:5000/web:v2".to_owned()));
        assert!(
            split(&words[..2])
                .unwrap_err()
                .to_string()
                .contains("at least one image")
        );
        assert!(split(&["=x".to_owned()]).is_err());
    }

    #[test]
    fn only_the_containers_named_get_another_image() {
        let mut spec =
            json!({ "containers": [{ "name": "web", "image": "a" }, { "name": "log", "image": "b" }] });
        set(&mut spec, &[("log".to_owned(), "c".to_owned())]).unwrap();
        assert_eq!(spec["containers"][0]["image"], "a");
        assert_eq!(spec["containers"][1]["image"], "c");
    }
}
