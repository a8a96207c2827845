//! Parts of an object changed: strategic merge, merge patch (RFC 7386), JSON patch (RFC 6902), and the number of replicas alone.

use std::sync::Arc;

use serde_json::{Value, json};
use skep_api::{
    FieldError, Kind, Object, ObjectKey, Reason,
    admit::Validation,
    convert, merge,
    proto::{PatchRequest, WriteResponse, patch_request::Type},
};
use skep_state::{Change, State};

use super::{
    ATTEMPTS, admission,
    commit::{Commit, result_of},
    json_patch, response,
    update::carried_over,
};
use crate::{core::Core, failure::Failure, read};

/// Changes parts of an object. Where somebody else changed it meanwhile, the patch is applied to what is there then,
/// unless it names the resourceVersion it is meant for.
pub(crate) async fn patch(core: &Core, request: PatchRequest) -> Result<WriteResponse, Failure> {
    let commit = Commit::of(request.options.as_ref())?;
    let (kind, key) = read::resolve(request.r#ref.as_ref())?;
    let patch = Patch::of(request, kind)?;
    for attempt in 0.. {
        let state = core.read(false).await?;
        if let Some(outcome) = commit.answered_before(&state) {
            let applied = outcome?;
            return Ok(response(&applied.object, result_of(&applied), Vec::new()));
        }
        let live = live(&state, kind, &key)?;
        let (new, mut warnings) = patch.apply(&live)?;
        admission::check_update(&live, &new)?;
        warnings.extend(admission::outlook(&state, &new)?);
        match commit.write(core, &state, Change::update(new)).await {
            Ok(applied) => return Ok(response(&applied.object, result_of(&applied), warnings)),
            Err(rejected) if rejected.lost_a_race() && attempt + 1 < ATTEMPTS => {}
            Err(rejected) => return Err(rejected.into()),
        }
    }
    unreachable!("the last attempt returns")
}

fn live(state: &State, kind: Kind, key: &ObjectKey) -> Result<Arc<Object>, Failure> {
    state
        .object(kind, key)
        .cloned()
        .ok_or_else(|| Failure::NotFound(kind, key.clone()))
}

/// What is to be changed, and how it is written.
struct Patch {
    r#type: Type,
    patch: Value,
    scale: bool,
    validation: Validation,
}

impl Patch {
    fn of(request: PatchRequest, kind: Kind) -> Result<Self, Failure> {
        let (r#type, validation) = (request.r#type(), admission::validation(request.options.as_ref()));
        let missing = || Failure::BadRequest("patch: say what to change".to_owned());
        let patch = request.patch.map(convert::value_from_proto).ok_or_else(missing)?;
        let scale = match (request.subresource.as_str(), kind) {
            ("", _) => false,
            ("scale", Kind::Deployment | Kind::ReplicaSet) => true,
            ("scale", kind) => return Err(Failure::BadRequest(format!("{} have no scale", kind.plural()))),
            (other, _) => {
                return Err(Failure::BadRequest(format!(
                    "subresource: `{other}` is not known, write scale or nothing"
                )));
            }
        };
        if r#type != Type::Json && !patch.is_object() {
            return Err(Failure::BadRequest("patch: must be a mapping".to_owned()));
        }
        Ok(Self {
            r#type,
            patch,
            scale,
            validation,
        })
    }

    /// The object as the patch makes it.
    fn apply(&self, live: &Object) -> Result<(Object, Vec<String>), Failure> {
        if self.scale {
            return Ok((self.scaled(live)?, Vec::new()));
        }
        let before = live.to_value();
        let after = self.patched(live.kind(), &before)?;
        check_identity(live, &before, &after)?;
        let decoded = admission::admit(after, self.validation)?;
        Ok((carried_over(live, decoded.object), decoded.warnings))
    }

    fn scaled(&self, live: &Object) -> Result<Object, Failure> {
        let mut object = live.clone();
        let replicas = match &mut object {
            Object::Deployment(deployment) => &mut deployment.spec.replicas,
            Object::ReplicaSet(set) => &mut set.spec.replicas,
            other => {
                return Err(Failure::BadRequest(format!(
                    "{} have no scale",
                    other.kind().plural()
                )));
            }
        };
        let meta = live.meta();
        let scale = json!({
            "apiVersion": "autoscaling/v1", "kind": "Scale",
            "metadata": { "name": meta.name, "namespace": meta.namespace, "resourceVersion": meta.resource_version },
            "spec": { "replicas": *replicas },
        });
        let after = self.patched(live.kind(), &scale)?;
        check_identity(live, &scale, &after)?;
        let wanted = after
            .pointer("/spec/replicas")
            .and_then(Value::as_i64)
            .and_then(|count| i32::try_from(count).ok());
        *replicas = wanted
            .filter(|count| *count >= 0)
            .ok_or_else(|| Failure::Invalid {
                kind: Some(live.kind()),
                key: live.key(),
                causes: vec![FieldError::new(
                    "spec.replicas",
                    Reason::Invalid,
                    "must be a whole number, 0 or more",
                )],
            })?;
        Ok(object)
    }

    fn patched(&self, kind: Kind, before: &Value) -> Result<Value, Failure> {
        let refused = |error: &dyn std::fmt::Display| {
            Failure::BadRequest(format!("the patch cannot be applied: {error}"))
        };
        let mut after = before.clone();
        match self.r#type {
            Type::Merge => after = merge::merge_patch(before, &self.patch),
            Type::Json => json_patch::apply(&mut after, &self.patch).map_err(|why| refused(&why))?,
            Type::Unspecified | Type::StrategicMerge => {
                after = merge::strategic(before, &self.patch, kind).map_err(|error| refused(&error))?;
            }
        }
        Ok(after)
    }
}

/// A patch may not make another object of it, and holds only for the revision it names.
fn check_identity(live: &Object, before: &Value, after: &Value) -> Result<(), Failure> {
    let at = |value: &Value, pointer: &str| value.pointer(pointer).cloned().unwrap_or_default();
    for pointer in ["/apiVersion", "/kind", "/metadata/name", "/metadata/namespace"] {
        if at(before, pointer) != at(after, pointer) {
            let field = pointer.trim_start_matches('/').replace('/', ".");
            let cause = FieldError::new(field, Reason::Immutable, "may not be changed");
            return Err(Failure::Invalid {
                kind: Some(live.kind()),
                key: live.key(),
                causes: vec![cause],
            });
        }
    }
    let conflict = |why: String| Failure::Conflict(live.kind(), live.key(), why);
    for (pointer, what) in [
        ("/metadata/resourceVersion", "revision"),
        ("/metadata/uid", "uid"),
    ] {
        let (stored, named) = (at(before, pointer), at(after, pointer));
        if let (Some(stored), Some(named)) = (stored.as_str(), named.as_str())
            && stored != named
        {
            return Err(conflict(format!("its {what} is {stored}, not {named}")));
        }
    }
    Ok(())
}
