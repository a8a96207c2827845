//! An object made as a manifest says: three-way merge of what was applied last, what is there, and what is wanted.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use skep_api::{
    Object,
    admit::{Decoded, Validation},
    merge::{self, LAST_APPLIED},
    proto::{ApplyRequest, WriteResponse, WriteResult},
};
use skep_state::{Change, Refusal, State};

use super::{
    ATTEMPTS, admission,
    commit::{Commit, Rejected, result_of},
    create::check_meta,
    response,
    update::carried_over,
};
use crate::{clock::now, core::Core, failure::Failure, stamp::stamp};

/// Larger manifests are not kept in the annotation: annotations share 256 KiB.
const LAST_APPLIED_BYTES_MAX: usize = 192 * 1024;

/// Creates the object, or merges the manifest into the one that is there.
pub(crate) async fn apply(core: &Core, request: ApplyRequest) -> Result<WriteResponse, Failure> {
    let options = request.options.as_ref();
    let commit = Commit::of(options)?;
    let document = admission::document(request.object)?;
    let manifest = Manifest::admit(document, admission::validation(options))?;
    for attempt in 0.. {
        let state = core.read(false).await?;
        let last = attempt + 1 == ATTEMPTS;
        match manifest.attempt(core, &commit, &state).await {
            Err(Attempt::LostRace(_)) if !last && !manifest.names_revision() => {}
            Err(Attempt::LostRace(failure) | Attempt::Failed(failure)) => return Err(failure),
            Ok((object, result, told)) => {
                let mut warnings = manifest.given.warnings;
                warnings.extend(told);
                return Ok(response(&object, result, warnings));
            }
        }
    }
    unreachable!("the last attempt returns")
}

/// Why an attempt came to nothing.
enum Attempt {
    /// Somebody else wrote meanwhile.
    LostRace(Failure),
    Failed(Failure),
}

impl From<Failure> for Attempt {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What is to be applied.
pub(super) struct Manifest {
    /// As given, apart from the status and the annotation that this module writes.
    document: Value,
    /// The same, admitted.
    pub(super) given: Decoded,
    /// What is kept in the annotation; `None` where the document is too large.
    annotation: Option<String>,
}

impl Manifest {
    /// Takes a document in.
    pub(super) fn admit(document: Value, validation: Validation) -> Result<Self, Failure> {
        let given = admission::admit(document.clone(), validation)?;
        if given.object.meta().name.is_empty() {
            let message = "metadata.name: an object is applied by its name";
            return Err(Failure::BadRequest(message.to_owned()));
        }
        Ok(Self::new(document, given))
    }

    fn new(mut document: Value, given: Decoded) -> Self {
        if let Some(fields) = document.as_object_mut() {
            fields.remove("status");
        }
        if let Some(annotations) = document
            .pointer_mut("/metadata/annotations")
            .and_then(Value::as_object_mut)
        {
            annotations.remove(LAST_APPLIED);
        }
        let annotation = Some(format!("{document}\n")).filter(|text| text.len() <= LAST_APPLIED_BYTES_MAX);
        Self {
            document,
            given,
            annotation,
        }
    }

    async fn attempt(
        &self,
        core: &Core,
        commit: &Commit,
        state: &State,
    ) -> Result<(Arc<Object>, WriteResult, Vec<String>), Attempt> {
        if let Some(outcome) = commit.answered_before(state) {
            let applied = outcome.map_err(|refusal| Attempt::Failed(refusal.into()))?;
            return Ok((applied.object.clone(), result_of(&applied), Vec::new()));
        }
        let (change, told) = self.change(state)?;
        match commit.write(core, state, change).await {
            Ok(applied) => Ok((applied.object.clone(), result_of(&applied), told)),
            Err(Rejected::Refused(refusal @ (Refusal::AlreadyExists { .. } | Refusal::Conflict { .. }))) => {
                Err(Attempt::LostRace(refusal.into()))
            }
            Err(rejected) => Err(Attempt::Failed(rejected.into())),
        }
    }

    /// The change that makes what is there as the manifest says, and what its author should know.
    pub(super) fn change(&self, state: &State) -> Result<(Change, Vec<String>), Failure> {
        let (kind, key) = (self.given.object.kind(), self.given.object.key());
        let Some(live) = state.object(kind, &key) else {
            let mut object = self.new_object();
            check_meta(&object)?;
            let told = admission::complete_new(state, &mut object)?;
            stamp(object.meta_mut(), now());
            return Ok((Change::create(object), told));
        };
        let new = self.merged_into(live)?;
        let told = admission::outlook(state, &new)?;
        Ok((Change::update(new), told))
    }

    fn new_object(&self) -> Object {
        let mut object = self.given.object.clone();
        self.annotate(&mut object);
        object
    }

    fn annotate(&self, object: &mut Object) {
        let annotations = &mut object.meta_mut().annotations;
        match &self.annotation {
            Some(text) => annotations.insert(LAST_APPLIED.to_owned(), text.clone()),
            None => annotations.remove(LAST_APPLIED),
        };
    }

    fn merged_into(&self, live: &Object) -> Result<Object, Failure> {
        self.check_identity(live)?;
        let stored = live.to_value();
        let last = live
            .meta()
            .annotations
            .get(LAST_APPLIED)
            .and_then(|text| serde_json::from_str(text).ok());
        let last = last.or_else(|| self.annotation.is_none().then(|| contents_of(&stored)));
        let merged = merge::three_way(last.as_ref(), &stored, &self.document, live.kind());
        // What is unknown in the manifest was dealt with when it was admitted.
        let merged = admission::admit(merged, Validation::Ignore)?.object;
        let mut new = carried_over(live, merged);
        self.annotate(&mut new);
        admission::check_update(live, &new)?;
        Ok(new)
    }

    /// A manifest that names a uid or revision is meant for that object alone.
    fn check_identity(&self, live: &Object) -> Result<(), Failure> {
        let (named, stored) = (self.given.object.meta(), live.meta());
        let conflict = |what: &str, stored: &str, named: &str| {
            Err(Failure::Conflict(
                live.kind(),
                live.key(),
                format!("its {what} is {stored}, not {named}"),
            ))
        };
        if !named.uid.is_empty() && named.uid != stored.uid {
            return conflict("uid", &stored.uid, &named.uid);
        }
        if self.names_revision() && named.resource_version != stored.resource_version {
            return conflict("revision", &stored.resource_version, &named.resource_version);
        }
        Ok(())
    }

    fn names_revision(&self) -> bool {
        !self.given.object.meta().resource_version.is_empty()
    }
}

/// Stands for the manifest applied last where that is not kept: all contents came from it.
fn contents_of(stored: &Value) -> Value {
    let fields = ["data", "binaryData"].into_iter();
    let kept = fields.filter_map(|name| stored.get(name).map(|value| (name.to_owned(), value.clone())));
    let kept: Map<String, Value> = kept.collect();
    json!(kept)
}
