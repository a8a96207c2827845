//! `skep create deployment`.

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};

/// What `skep create deployment` takes.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct DeploymentArgs {
    /// Its name
    name: String,
    /// The image to run; several make a container each
    #[arg(long, value_name = "IMAGE", required = true, value_delimiter = ',')]
    image: Vec<String>,
    /// How many pods to run
    #[arg(short, long, value_name = "NUMBER", default_value_t = 1)]
    replicas: u32,
    /// The port that the container listens on
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// The command to run in place of the image's own
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

impl DeploymentArgs {
    /// The deployment; its pods carry the label `app` with its name.
    ///
    /// # Errors
    /// Where a command is given for several images.
    pub(super) fn document(&self) -> anyhow::Result<Value> {
        if self.image.len() > 1 && !self.command.is_empty() {
            bail!("cannot specify multiple --image options and command");
        }
        let labels = json!({ "app": self.name });
        Ok(json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": { "name": self.name, "labels": labels },
            "spec": {
                "replicas": self.replicas,
                "selector": { "matchLabels": labels },
                "template": { "metadata": { "labels": labels }, "spec": { "containers": self.containers() } },
            },
        }))
    }

    fn containers(&self) -> Vec<Value> {
        let mut containers: Vec<Value> = Vec::new();
        for (index, image) in self.image.iter().enumerate() {
            let name = container_name(image);
            let taken = containers
                .iter()
                .any(|container| container["name"] == name.as_str());
            let name = if taken {
                format!("{name}-{}", index + 1)
            } else {
                name
            };
            let mut container = json!({ "name": name, "image": image });
            if !self.command.is_empty() {
                container["command"] = json!(self.command);
            }
            if let Some(port) = self.port.filter(|_| index == 0) {
                container["ports"] = json!([{ "containerPort": port }]);
            }
            containers.push(container);
        }
        containers
    }
}

/// The image's last word, without tag and digest, as far as it makes a name: `registry:5000/shop/Web_API:1` is `web-api`.
fn container_name(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or_default();
    let last = last.split(['@', ':']).next().unwrap_or_default();
    let name: String = last
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect();
    let name: String = name.trim_matches('-').chars().take(60).collect();
    if name.is_empty() {
        "main".to_owned()
    } else {
        name.trim_end_matches('-').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::yaml;

    #[test]
    fn a_deployment_selects_its_pods_by_name() {
        let args = DeploymentArgs {
            name: "web".into(),
            image: vec!["registry:5000/shop/web:1".into()],
            replicas: 3,
            port: Some(8080),
            command: vec!["serve".into(), "--fast".into()],
        };
        expect![[r#"
            apiVersion: apps/v1
            kind: Deployment
            metadata:
              labels:
                app: web
              name: web
            spec:
              replicas: 3
              selector:
                matchLabels:
                  app: web
              template:
                metadata:
                  labels:
                    app: web
                spec:
                  containers:
                  - command:
                    - serve
                    - --fast
                    image: registry:5000/shop/web:1
                    name: web
                    ports:
                    - containerPort: 8080
        "#]]
        .assert_eq(&yaml(&args.document().unwrap()).unwrap());
    }

    #[test]
    fn several_images_are_containers_with_names_of_their_own() {
        let image = vec!["web:1".into(), "other/web@sha256:00".into(), "Log_Shipper".into()];
        let args = DeploymentArgs {
            name: "web".into(),
            image,
            replicas: 1,
            ..DeploymentArgs::default()
        };
        let names: Vec<_> = args
            .containers()
            .iter()
            .map(|container| container["name"].clone())
            .collect();
        assert_eq!(names, ["web", "web-2", "log-shipper"]);
        let with_command = DeploymentArgs {
            command: vec!["x".into()],
            ..args
        };
        assert!(with_command.document().is_err());
    }
}
