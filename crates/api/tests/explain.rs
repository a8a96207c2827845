//! What `skep explain` prints.

use expect_test::expect;
use skep_api::{Kind, explain::explain};

#[test]
fn field_is_explained_with_the_fields_below_it() {
    expect![[r#"
        GROUP:      apps
        KIND:       Deployment
        VERSION:    v1

        FIELD: strategy <DeploymentStrategy>

        DESCRIPTION:
            How old pods make way for new ones.

        FIELDS:
          rollingUpdate	<RollingUpdateDeployment>
            The steps' size; for RollingUpdate only.

          type	<string>
          enum: RollingUpdate, Recreate
            All at once, or step by step.
    "#]]
    .assert_eq(&explain("deployment.spec.strategy", false).unwrap());
}

#[test]
fn kind_is_explained_with_its_fields() {
    expect![[r#"
        KIND:       ConfigMap
        VERSION:    v1

        DESCRIPTION:
            Non-secret configuration for pods to read as variables or files.

        FIELDS:
          apiVersion	<string>
            Group and version of the kind, such as `apps/v1`.

          kind	<string>
            The kind of the object, such as `Deployment`.

          binaryData	<map[string]string>
            Bytes by key, in base64; its keys and those of `data` must differ.

          data	<map[string]string>
            Text by key.

          immutable	<boolean>
            True where the data may never change again.

          metadata	<ObjectMeta>
            Name, labels and the like.
    "#]]
    .assert_eq(&explain("cm", false).unwrap());
}

#[test]
fn word_is_explained_with_its_choices() {
    expect![[r#"
        GROUP:      apps
        KIND:       Deployment
        VERSION:    v1

        FIELD: imagePullPolicy <string>

        enum: IfNotPresent, Always, Never
            IfNotPresent: Where the node does not have it.
            Always: Before each start.
            Never: Not at all: it must be on the node.

        DESCRIPTION:
            When the image is pulled; Always for `:latest` or no tag, else IfNotPresent,
            where not stated.
    "#]]
    .assert_eq(&explain("deploy.spec.template.spec.containers.imagePullPolicy", false).unwrap());
}

#[test]
fn tree_goes_all_the_way_down() {
    expect![[r#"
        GROUP:      apps
        KIND:       Deployment
        VERSION:    v1

        FIELD: strategy <DeploymentStrategy>

        DESCRIPTION:
            How old pods make way for new ones.

        FIELDS:
          rollingUpdate	<RollingUpdateDeployment>
            maxSurge	<IntOrString>
            maxUnavailable	<IntOrString>
          type	<string>
    "#]]
    .assert_eq(&explain("deployments.apps.spec.strategy", true).unwrap());
    for kind in Kind::ALL {
        assert!(
            explain(kind.plural(), true)
                .unwrap()
                .contains("  metadata\t<ObjectMeta>\n    annotations\t")
        );
    }
}

#[test]
fn mistakes_are_named() {
    let error = |path: &str| explain(path, false).unwrap_err().to_string();
    expect!["`deploymnt` is not a kind of this cluster; did you mean `deployment`?"]
        .assert_eq(&error("deploymnt.spec"));
    expect!["`contaners` is not a field of pod.spec; did you mean `containers`?"]
        .assert_eq(&error("pod.spec.contaners"));
    expect!["`first` is not a field of pod.metadata.name"].assert_eq(&error("pod.metadata.name.first"));
    expect!["`` is not a kind of this cluster; `skep api-resources` lists them"].assert_eq(&error(""));
}
