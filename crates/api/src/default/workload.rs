//! What replica sets and deployments leave out.

use crate::{
    Deployment, DeploymentStrategyType, LabelSelector, PodTemplateSpec, ReplicaSet, RollingUpdateDeployment,
    path::Path,
};

use super::pod;

/// Fills in a replica set.
pub(super) fn replica_set(replica_set: &mut ReplicaSet, warnings: &mut Vec<String>) {
    template(
        &mut replica_set.spec.template,
        &replica_set.spec.selector,
        warnings,
    );
}

/// Fills in a deployment.
pub(super) fn deployment(deployment: &mut Deployment, warnings: &mut Vec<String>) {
    let spec = &mut deployment.spec;
    template(&mut spec.template, &spec.selector, warnings);
    if spec.strategy.r#type == DeploymentStrategyType::RollingUpdate && spec.strategy.rolling_update.is_none()
    {
        spec.strategy.rolling_update = Some(RollingUpdateDeployment::default());
    }
}

fn template(template: &mut PodTemplateSpec, selector: &LabelSelector, warnings: &mut Vec<String>) {
    let path = Path::ROOT.field("spec");
    let path = path.field("template");
    if template.metadata.labels.is_empty() && !selector.match_labels.is_empty() {
        template.metadata.labels.clone_from(&selector.match_labels);
        let metadata = path.field("metadata");
        let place = metadata.field("labels");
        let taken = LabelSelector {
            match_labels: selector.match_labels.clone(),
            ..LabelSelector::default()
        };
        warnings.push(format!(
            "{place}: left out; taken from spec.selector.matchLabels ({taken})"
        ));
    }
    pod::spec(&mut template.spec, &path.field("spec"), warnings);
    if !super::has_tier(&template.metadata) {
        pod::requests(&mut template.spec);
    }
}
