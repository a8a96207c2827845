//! What pods get before they are created: from their tier, the limits of their namespace and their priority class.
//!
//! Every pod goes through [`pod`], whoever makes it: people, a replica set, the simulator. What a pod says itself wins. Running it
//! again on the result changes nothing.

mod limits;
mod outlook;
mod pressure;
mod priority;
mod tier;

use skep_api::{FieldError, Object, Pod, Reason, default};
use skep_state::State;

pub use outlook::outlook;

/// True where nothing is wrong with the fields as such, but with what this cluster allows.
pub fn forbids(errors: &[FieldError]) -> bool {
    errors.iter().all(|error| error.reason == Reason::Forbidden)
}

/// Fills in what the pod leaves open; what was filled in from its tier, in words.
///
/// # Errors
/// Where its tier or priority class is unknown, or what it asks for is beyond the limits of its namespace.
pub fn pod(state: &State, pod: &mut Pod) -> Result<Vec<String>, Vec<FieldError>> {
    let mut errors = Vec::new();
    let tier = tier::of_pod(state, pod).unwrap_or_else(|error| {
        errors.push(error);
        None
    });
    let mut filled = Vec::new();
    if let Some(tier) = tier {
        let selector = tier::selector_of(state, pod);
        filled.extend(tier::placement(state, tier, pod, selector));
    }
    limits::default_limits(state, pod);
    if let Some(tier) = tier {
        filled.extend(tier::requests(tier, pod));
        tier::note(pod, &filled);
    }
    limits::default_requests(state, pod);
    default::requests(&mut pod.spec);
    pressure::tolerate(pod);
    errors.extend(priority::resolve(state, &mut pod.spec));
    errors.extend(limits::check(state, pod));
    if errors.is_empty() {
        Ok(filled)
    } else {
        Err(errors)
    }
}

/// As [`pod`], for a new object of any kind; others than pods stay as they are.
///
/// # Errors
/// As [`pod`], and where the tier of a template is unknown.
pub fn object(state: &State, object: &mut Object) -> Result<Vec<String>, Vec<FieldError>> {
    match object {
        Object::Pod(new) => {
            let tier = tier::name(&new.metadata).unwrap_or_default().to_owned();
            let filled = pod(state, new)?;
            let mut told: Vec<String> = tier::told(&tier, "pod", &filled).into_iter().collect();
            told.extend(outlook(state, object)?);
            Ok(told)
        }
        other => outlook(state, other),
    }
}
