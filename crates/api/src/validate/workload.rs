//! Replica sets and deployments.

use crate::{
    Deployment, DeploymentStrategy, DeploymentStrategyType, IntOrString, LabelSelector, PodTemplateSpec,
    ReplicaSet, errors::Errors, path::Path,
};

use super::{meta, pod, selector};

/// Checks a replica set, whose spec is found at `path`.
pub(super) fn replica_set(replica_set: &ReplicaSet, path: &Path<'_>, errors: &mut Errors) {
    let spec = &replica_set.spec;
    meta::non_negative(spec.replicas, &path.field("replicas"), errors);
    meta::non_negative(spec.min_ready_seconds, &path.field("minReadySeconds"), errors);
    pods(&spec.selector, &spec.template, path, errors);
}

/// Checks a deployment, whose spec is found at `path`.
pub(super) fn deployment(deployment: &Deployment, path: &Path<'_>, errors: &mut Errors) {
    let spec = &deployment.spec;
    for (field, number) in [
        ("replicas", spec.replicas),
        ("minReadySeconds", spec.min_ready_seconds),
        ("revisionHistoryLimit", spec.revision_history_limit),
        ("progressDeadlineSeconds", spec.progress_deadline_seconds),
    ] {
        meta::non_negative(number, &path.field(field), errors);
    }
    if spec.progress_deadline_seconds <= spec.min_ready_seconds {
        let message = format!(
            "{} must be more than minReadySeconds",
            spec.progress_deadline_seconds
        );
        errors.invalid(&path.field("progressDeadlineSeconds"), message);
    }
    strategy(&spec.strategy, &path.field("strategy"), errors);
    pods(&spec.selector, &spec.template, path, errors);
}

fn pods(selector: &LabelSelector, template: &PodTemplateSpec, path: &Path<'_>, errors: &mut Errors) {
    let place = path.field("selector");
    let template_path = path.field("template");
    if selector.is_empty() {
        errors.required(
            &place,
            "is missing; write matchLabels with labels of the template",
        );
    } else {
        selector::check(selector, &place, errors);
        if !selector.matches(&template.metadata.labels) {
            let message = format!("must match spec.selector ({selector})");
            errors.invalid(&template_path.field("metadata").field("labels"), message);
        }
    }
    pod::template(template, &template_path, errors);
}

fn strategy(strategy: &DeploymentStrategy, path: &Path<'_>, errors: &mut Errors) {
    let path_of_update = path.field("rollingUpdate");
    let Some(update) = &strategy.rolling_update else {
        return;
    };
    if strategy.r#type == DeploymentStrategyType::Recreate {
        return errors.forbidden(&path_of_update, "must be left out where the type is Recreate");
    }
    let surge = count(&update.max_surge, &path_of_update.field("maxSurge"), errors);
    let path = path_of_update.field("maxUnavailable");
    let unavailable = count(&update.max_unavailable, &path, errors);
    if update
        .max_unavailable
        .percent()
        .is_some_and(|percent| percent > 100)
    {
        errors.invalid(&path, format!("{} is more than 100%", update.max_unavailable));
    }
    if surge == Some(0) && unavailable == Some(0) {
        errors.invalid(
            &path,
            "may not be 0 where maxSurge is 0: no pod could ever be replaced",
        );
    }
}

/// The bare number of a count or percentage.
pub(super) fn count(value: &IntOrString, path: &Path<'_>, errors: &mut Errors) -> Option<u32> {
    match value {
        IntOrString::Int(number) => {
            meta::non_negative(*number, path, errors);
            u32::try_from(*number).ok()
        }
        IntOrString::String(text) => {
            let digits = text
                .strip_suffix('%')
                .is_some_and(|digits| digits.chars().all(|c| c.is_ascii_digit()));
            let percent = value.percent().filter(|_| digits);
            if percent.is_none() {
                errors.invalid(
                    path,
                    format!("`{text}` is neither a number nor a percentage such as 25%"),
                );
            }
            percent
        }
    }
}
