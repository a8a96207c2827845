//! What was acknowledged is there, on every server; what was refused is not.

use skep_store::Store;

use crate::{
    store::history::{Came, History, What},
    world::has,
};

pub(in crate::store) fn check(history: &History, stores: &[Store], told: &str) {
    for store in stores {
        let (id, state) = (store.server_id(), store.state());
        for call in &history.calls {
            let What::Create(name) = &call.what else { continue };
            match call.came {
                Came::Done => assert!(has(&state, name), "server {id} has lost {name}; {told}"),
                Came::Refused => assert!(
                    !has(&state, name),
                    "{name} was refused, yet server {id} has it; {told}"
                ),
                Came::Unknown => {}
            }
        }
    }
}
