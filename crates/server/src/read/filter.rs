//! Which objects a list or watch is about.

use std::sync::Arc;

use skep_api::{FieldSelector, Kind, LabelSelector, Object, ObjectKey, labels};
use skep_state::State;

use super::kind_named;
use crate::failure::Failure;

/// Which objects a list or watch is about.
#[derive(Clone, Debug)]
pub(crate) struct Filter {
    pub kind: Kind,
    /// `None` for all.
    pub namespace: Option<String>,
    labels: LabelSelector,
    fields: FieldSelector,
}

impl Filter {
    /// Reads the parts as a request has them.
    pub(crate) fn parse(kind: &str, namespace: &str, labels: &str, fields: &str) -> Result<Self, Failure> {
        let kind = kind_named(kind)?;
        let labels = labels::parse(labels).map_err(|error| Failure::BadRequest(error.to_string()))?;
        let fields =
            FieldSelector::parse(kind, fields).map_err(|error| Failure::BadRequest(error.to_string()))?;
        let namespace = Some(namespace)
            .filter(|name| kind.namespaced() && !name.is_empty())
            .map(str::to_owned);
        Ok(Self {
            kind,
            namespace,
            labels,
            fields,
        })
    }

    /// True where the object is one of them.
    pub(crate) fn matches(&self, object: &Object) -> bool {
        object.kind() == self.kind
            && self
                .namespace
                .as_ref()
                .is_none_or(|namespace| *namespace == object.meta().namespace)
            && self.labels.matches(&object.meta().labels)
            && self.fields.matches(object)
    }

    /// Those there are, in the order of their keys, after one of them.
    pub(crate) fn select<'a>(
        &'a self,
        state: &'a State,
        after: Option<&ObjectKey>,
    ) -> Box<dyn Iterator<Item = &'a Arc<Object>> + Send + 'a> {
        if let (Kind::Pod, Some(node)) = (self.kind, self.fields.exact("spec.nodeName")) {
            let after = after.cloned();
            let keys = state.pods_on(node).map(|pod| pod.metadata.key());
            let pods = keys.filter(move |key| after.as_ref().is_none_or(|after| key > after));
            let pods = pods.filter_map(|key| state.object(Kind::Pod, &key));
            return Box::new(pods.filter(|object| self.matches(object)));
        }
        let objects = state.objects_after(self.kind, self.namespace.as_deref(), after);
        Box::new(objects.filter(|object| self.matches(object)))
    }
}
