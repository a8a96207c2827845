//! What applying documents would do, and applying them only where they would still do that.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use skep_api::{
    Kind, Object, ObjectKey, Struct,
    merge::LAST_APPLIED,
    proto::{
        ApplyPlanRequest, ApplyPlanResponse, FieldChange, ObjectRef, PlanRequest, PlanResponse,
        PlannedObject, PlannedPlacement, PlannedPreemption, WriteResult,
    },
};
use skep_controllers::{Forecast, Placed, Preempted, Settings, forecast};
use skep_state::{Change, Entry, Outcome, Refusal, State, Verb};

use super::{ATTEMPTS, admission, apply::Manifest, commit::Commit, response};
use crate::{clock::now, core::Core, failure::Failure};

/// Documents planned together.
const OBJECTS_MAX: usize = 1000;

/// Field changes told of one object.
const CHANGES_MAX: usize = 200;

/// Letters of a plan's name: enough that no two plans for one cluster share one.
const REVISION_CHARS: usize = 16;

/// What applying the documents would do.
pub(crate) async fn plan(core: &Core, request: PlanRequest) -> Result<PlanResponse, Failure> {
    let manifests = manifests(request.objects, request.validation)?;
    let (state, settings) = (core.read(false).await?, core.settings.clone());
    // A large cluster takes a while; others are served meanwhile.
    let planned = tokio::task::spawn_blocking(move || Planned::of(&manifests, &state, &settings).response);
    planned
        .await
        .map_err(|error| Failure::Internal(error.to_string()))
}

/// Applies the documents in one go where the plan still holds.
pub(crate) async fn apply_plan(core: &Core, request: ApplyPlanRequest) -> Result<ApplyPlanResponse, Failure> {
    let options = request.options.unwrap_or_default();
    let commit = Commit::of(Some(&options))?;
    for _ in 0..ATTEMPTS {
        let manifests = manifests(request.objects.clone(), options.validation)?;
        let (state, settings) = (core.read(false).await?, core.settings.clone());
        let on = state.clone();
        let planned = tokio::task::spawn_blocking(move || Planned::of(&manifests, &on, &settings));
        let planned = planned
            .await
            .map_err(|error| Failure::Internal(error.to_string()))?;
        planned.check(&request.revision)?;
        let written = planned.written();
        let changes: Vec<Change> = planned.changes.into_iter().flatten().collect();
        if changes.is_empty() {
            return Ok(ApplyPlanResponse { written });
        }
        let all = Change::new(Verb::All(changes));
        match commit.write(core, &state, all).await {
            Ok(_) => return Ok(ApplyPlanResponse { written }),
            // Somebody wrote meanwhile: the plan may hold all the same.
            Err(rejected) if rejected.lost_a_race() => {}
            Err(rejected) => return Err(rejected.into()),
        }
    }
    Err(Failure::Unavailable(
        "the objects change too fast to apply the plan: try again".to_owned(),
    ))
}

fn manifests(objects: Vec<Struct>, validation: i32) -> Result<Vec<Result<Manifest, Named>>, Failure> {
    if objects.is_empty() || objects.len() > OBJECTS_MAX {
        let message = format!("objects: send 1 to {OBJECTS_MAX} of them, not {}", objects.len());
        return Err(Failure::BadRequest(message));
    }
    let options = skep_api::proto::WriteOptions {
        validation,
        ..Default::default()
    };
    let validation = admission::validation(Some(&options));
    let admit = |object: Struct| {
        let document = admission::document(Some(object))?;
        let name = Named::of(&document);
        Ok(Manifest::admit(document, validation).map_err(|failure| name.failed(failure)))
    };
    objects.into_iter().map(admit).collect()
}

/// A document that cannot be applied, whatever there is.
struct Named {
    r#ref: ObjectRef,
    failure: Option<Failure>,
}

impl Named {
    fn of(document: &Value) -> Self {
        let text = |pointer: &str| {
            document
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Self {
            r#ref: ObjectRef {
                kind: text("/kind"),
                namespace: text("/metadata/namespace"),
                name: text("/metadata/name"),
            },
            failure: None,
        }
    }

    fn failed(self, failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            ..self
        }
    }
}

/// What is to be written, and what would come of it.
struct Planned {
    response: PlanResponse,
    /// One for each document; `None` where nothing changes or it fails.
    changes: Vec<Option<Change>>,
    /// As they would be, one for each document that does not fail.
    objects: Vec<Option<std::sync::Arc<Object>>>,
    failures: Vec<Failure>,
}

impl Planned {
    fn of(manifests: &[Result<Manifest, Named>], state: &State, settings: &Settings) -> Self {
        let mut planned = Self {
            response: PlanResponse::default(),
            changes: Vec::new(),
            objects: Vec::new(),
            failures: Vec::new(),
        };
        let mut after = state.clone();
        for manifest in manifests {
            planned.add(manifest, &mut after);
        }
        planned.foresee(&forecast(state, after, settings, now()));
        let digest = Sha256::digest(format!("{:?}", planned.response).as_bytes());
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        planned.response.revision = name[..REVISION_CHARS].to_owned();
        planned
    }

    fn add(&mut self, manifest: &Result<Manifest, Named>, after: &mut State) {
        let manifest = match manifest {
            Ok(manifest) => manifest,
            Err(named) => {
                let failure = named.failure.clone();
                return self.fail(
                    named.r#ref.clone(),
                    failure.unwrap_or(Failure::Internal(String::new())),
                );
            }
        };
        let object = &manifest.given.object;
        let (kind, key) = (object.kind(), object.key());
        let before = after.object(kind, &key).cloned();
        let tried = manifest.change(after).and_then(|(change, told)| {
            let outcome = try_on(after, &change).map_err(Failure::from)?;
            Ok((change, told, outcome))
        });
        let (change, told, applied) = match tried {
            Ok(tried) => tried,
            Err(failure) => return self.fail(reference(kind, &key), failure),
        };
        let result = super::commit::result_of(&applied);
        let changes = differences(before.as_deref(), &applied.object);
        let mut warnings = manifest.given.warnings.clone();
        warnings.extend(told);
        self.response.objects.push(PlannedObject {
            r#ref: Some(reference(kind, &key)),
            result: result.into(),
            changes,
            warnings,
            error: String::new(),
        });
        self.changes
            .push(Some(change).filter(|_| result != WriteResult::Unchanged));
        self.objects.push(Some(applied.object));
    }

    fn fail(&mut self, r#ref: ObjectRef, failure: Failure) {
        let error = tonic::Status::from(failure.clone()).message().to_owned();
        self.response.objects.push(PlannedObject {
            r#ref: Some(r#ref),
            error,
            ..PlannedObject::default()
        });
        self.failures.push(failure);
        self.changes.push(None);
        self.objects.push(None);
    }

    fn foresee(&mut self, forecast: &Forecast) {
        let response = &mut self.response;
        response.placements = forecast.placements.iter().map(placement).collect();
        response.preemptions = forecast.preempted.iter().map(preemption).collect();
        response.obstacles.clone_from(&forecast.obstacles);
    }

    fn check(&self, revision: &str) -> Result<(), Failure> {
        if let Some(failure) = self.failures.first() {
            return Err(failure.clone());
        }
        if self.response.revision != revision {
            return Err(Failure::Stale(format!(
                "the plan {revision} does not hold any more: it would now be {}; look at it again with skep plan",
                self.response.revision
            )));
        }
        Ok(())
    }

    fn written(&self) -> Vec<skep_api::proto::WriteResponse> {
        let told = self.response.objects.iter().zip(&self.objects);
        let written = told.filter_map(|(planned, object)| {
            let object = object.as_deref()?;
            Some(response(object, planned.result(), planned.warnings.clone()))
        });
        written.collect()
    }
}

fn try_on(state: &mut State, change: &Change) -> Result<skep_state::Applied, Refusal> {
    let entry = Entry {
        request_id: String::new(),
        sent: None,
        now: now(),
        changes: vec![change.clone()],
    };
    let outcome: Option<Outcome> = state.apply(&entry).pop();
    outcome.unwrap_or_else(|| {
        Err(Refusal::Invalid(
            "an entry of one change had no outcome".to_owned(),
        ))
    })
}

pub(super) fn reference(kind: Kind, key: &ObjectKey) -> ObjectRef {
    ObjectRef {
        kind: kind.as_str().to_owned(),
        namespace: key.namespace.clone(),
        name: key.name.clone(),
    }
}

fn placement(placed: &Placed) -> PlannedPlacement {
    PlannedPlacement {
        owner: Some(reference(placed.owner.0, &placed.owner.1)),
        node: placed.node.clone(),
        pods: u32::try_from(placed.pods).unwrap_or(u32::MAX),
        why: placed.why.clone(),
    }
}

fn preemption(preempted: &Preempted) -> PlannedPreemption {
    PlannedPreemption {
        pod: Some(reference(Kind::Pod, &preempted.pod)),
        priority: preempted.priority,
        node: preempted.node.clone(),
        why: preempted.why.clone(),
        violates_budget: preempted.violates_budget,
    }
}

/// Fields that differ, apart from what the server keeps for itself.
fn differences(before: Option<&Object>, after: &Object) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    if let Some(before) = before {
        compare(&plain(before), &plain(after), String::new(), &mut changes);
    }
    changes
}

fn plain(object: &Object) -> Value {
    let mut value = object.to_value();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = value["metadata"].as_object_mut() {
        for name in ["resourceVersion", "generation", "uid", "creationTimestamp"] {
            metadata.remove(name);
        }
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    // Secrets are not told in a plan.
    for name in ["data", "stringData"] {
        if let (Object::Secret(_), Some(data)) = (object, value[name].as_object_mut()) {
            for text in data.values_mut() {
                let digest = Sha256::digest(text.as_str().unwrap_or_default());
                *text = format!("(kept back, {:02x}{:02x}{:02x})", digest[0], digest[1], digest[2]).into();
            }
        }
    }
    value
}

fn compare(before: &Value, after: &Value, path: String, changes: &mut Vec<FieldChange>) {
    if before == after || changes.len() >= CHANGES_MAX {
        return;
    }
    let inner = |name: &str| match path.as_str() {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let added = new.keys().filter(|name| !old.contains_key(*name));
            for name in old.keys().chain(added) {
                let at = |fields: &Map<String, Value>| fields.get(name).cloned().unwrap_or_default();
                compare(&at(old), &at(new), inner(name), changes);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                compare(old, new, format!("{path}[{index}]"), changes);
            }
        }
        (old, new) => {
            let text = |value: &Value| {
                if value.is_null() {
                    String::new()
                } else {
                    value.to_string()
                }
            };
            changes.push(FieldChange {
                field: path,
                before: text(old),
                after: text(new),
            });
        }
    }
}
