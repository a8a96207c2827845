//! A new object.

use std::sync::Arc;

use skep_api::{
    FieldError, Object, Reason,
    proto::{CreateRequest, WriteResponse, WriteResult},
};
use skep_state::{Change, Refusal};

use super::{
    ATTEMPTS, admission,
    commit::{Ahead, Commit, Rejected},
    response,
};
use crate::{clock::now, core::Core, failure::Failure, stamp::stamp};

/// Creates an object; fails where there is one of the same name.
pub(crate) async fn create(core: &Core, request: CreateRequest) -> Result<WriteResponse, Failure> {
    let options = request.options.as_ref();
    let commit = Commit::of(options)?;
    let document = admission::document(request.object)?;
    let decoded = admission::admit(document, admission::validation(options))?;
    let mut warnings = decoded.warnings;
    let (object, told) = create_admitted(core, &commit, decoded.object).await?;
    warnings.extend(told);
    Ok(response(&object, WriteResult::Created, warnings))
}

/// Completes, stamps and writes a new object; a generated name that is taken is made anew. Says what its author should know.
async fn create_admitted(
    core: &Core,
    commit: &Commit,
    mut object: Object,
) -> Result<(Arc<Object>, Vec<String>), Failure> {
    check_meta(&object)?;
    if admission::stands_alone(&object) {
        let (state, change) = (core.state(), Change::create(stamped(&object)));
        match commit.write_ahead(core, &state, change).await {
            Ok(applied) => return Ok((applied.object, Vec::new())),
            Err(Ahead::Failed(failure)) => return Err(failure),
            Err(Ahead::LookAgain) => {}
        }
    }
    let state = core.read(false).await?;
    if let Some(outcome) = commit.answered_before(&state) {
        return Ok((outcome?.object, Vec::new()));
    }
    let told = admission::complete_new(&state, &mut object)?;
    let generated = object.meta().name.is_empty();
    for _ in 0..ATTEMPTS {
        let change = Change::create(stamped(&object));
        match commit.write(core, &state, change).await {
            Ok(applied) => return Ok((applied.object, told)),
            Err(Rejected::Refused(Refusal::AlreadyExists { .. })) if generated => {}
            Err(rejected) => return Err(rejected.into()),
        }
    }
    Err(Failure::Unavailable(
        "no free name was found: try again".to_owned(),
    ))
}

fn stamped(object: &Object) -> Object {
    let mut candidate = object.clone();
    stamp(candidate.meta_mut(), now());
    candidate
}

/// Refuses what only the server sets; `uid` and times in a manifest that was read from a cluster are made anew.
pub(super) fn check_meta(object: &Object) -> Result<(), Failure> {
    let meta = object.meta();
    let cause = if meta.name.is_empty() && meta.generate_name.is_empty() {
        FieldError::new(
            "metadata.name",
            Reason::Required,
            "name or generateName must be set",
        )
    } else if !meta.resource_version.is_empty() {
        let message = "must not be set on an object that is to be created";
        FieldError::new("metadata.resourceVersion", Reason::Invalid, message)
    } else {
        return Ok(());
    };
    Err(Failure::Invalid {
        kind: Some(object.kind()),
        key: object.key(),
        causes: vec![cause],
    })
}
