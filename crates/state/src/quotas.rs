//! What the objects of each namespace take up of its quotas: counted as they come and go, so that nothing slips past.

use std::sync::Arc;

use imbl::OrdMap;
use skep_api::{Kind, Object, ObjectKey, Pod, Quantity, Resource, ResourceList, ResourceQuota};

use crate::{Refusal, State};

/// What there is of what each quota bounds. Follows from the objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Quotas(OrdMap<ObjectKey, ResourceList>);

impl State {
    /// What there is of what the quota bounds, for each name in `spec.hard`. Empty where there is no such quota.
    pub fn quota_used(&self, quota: &ObjectKey) -> ResourceList {
        self.quotas.0.get(quota).cloned().unwrap_or_default()
    }

    /// Why the quotas of its namespace do not allow the object in place of `before`, in words and numbers. What takes up no
    /// more than before is always allowed.
    pub fn beyond_quota(&self, object: &Object, before: Option<&Object>) -> Option<String> {
        if self.count(Kind::ResourceQuota) == 0 || !object.kind().namespaced() {
            return None;
        }
        let namespace = &object.meta().namespace;
        let mut quotas = self.list::<ResourceQuota>(Some(namespace));
        quotas.find_map(|quota| self.beyond(quota, object, before))
    }

    fn beyond(&self, quota: &ResourceQuota, object: &Object, before: Option<&Object>) -> Option<String> {
        let name = &quota.metadata.name;
        if let (Some(pod), None) = (Pod::from_object(object), before) {
            let unstated = quota.unstated(pod);
            if !unstated.is_empty() {
                return Some(format!(
                    "failed quota: {name}: must specify {}",
                    unstated.join("; ")
                ));
            }
        }
        let old = before.map(|before| quota.usage_of(before)).unwrap_or_default();
        let used = self.quota_used(&quota.key());
        let mut exceeded = [const { Vec::new() }; 3];
        for (resource, wanted) in quota.usage_of(object) {
            let more = wanted - old.get(&resource).copied().unwrap_or_default();
            let have = used.get(&resource).copied().unwrap_or_default();
            let hard = quota.spec.hard[&resource];
            if more > Quantity::default() && have + more > hard {
                for (list, amount) in exceeded.iter_mut().zip([more, have, hard]) {
                    list.push(format!("{resource}={amount}"));
                }
            }
        }
        let [requested, used, limited] = exceeded.map(|list| list.join(","));
        (!requested.is_empty()).then(|| {
            format!("exceeded quota: {name}, requested: {requested}, used: {used}, limited: {limited}")
        })
    }

    pub(crate) fn check_quotas(&self, object: &Object, before: Option<&Object>) -> Result<(), Refusal> {
        match self.beyond_quota(object, before) {
            None => Ok(()),
            Some(why) => Err(Refusal::Forbidden {
                kind: object.kind(),
                key: object.key(),
                why,
            }),
        }
    }

    /// Follows an object from one version to the next; the tables have the next one already.
    pub(crate) fn follow_quotas(&mut self, before: Option<&Object>, after: Option<&Object>) {
        if self.quotas.0.is_empty() && self.count(Kind::ResourceQuota) == 0 {
            return;
        }
        let Some(object) = after.or(before) else { return };
        if !object.kind().namespaced() {
            return;
        }
        for quota in self.quotas_of(&object.meta().namespace) {
            if let Some(quota) = ResourceQuota::from_object(&quota) {
                self.recount(quota, before, after);
            }
        }
        if let Some(quota) = before.and_then(ResourceQuota::from_object) {
            match after.and_then(ResourceQuota::from_object) {
                None => drop(self.quotas.0.remove(&quota.key())),
                Some(new) if new.spec != quota.spec => self.count_all(new),
                Some(_) => {}
            }
        } else if let Some(new) = after.and_then(ResourceQuota::from_object) {
            self.count_all(new);
        }
    }

    fn quotas_of(&self, namespace: &str) -> Vec<Arc<Object>> {
        self.objects(Kind::ResourceQuota, Some(namespace))
            .cloned()
            .collect()
    }

    fn recount(&mut self, quota: &ResourceQuota, before: Option<&Object>, after: Option<&Object>) {
        let usage = |object: Option<&Object>| object.map(|object| quota.usage_of(object)).unwrap_or_default();
        let (old, new) = (usage(before), usage(after));
        if old == new {
            return;
        }
        let used = self.quotas.0.entry(quota.key()).or_default();
        for (name, amount) in old {
            *used.entry(name).or_default() -= amount;
        }
        for (name, amount) in new {
            *used.entry(name).or_default() += amount;
        }
    }

    fn count_all(&mut self, quota: &ResourceQuota) {
        let mut used: ResourceList = quota
            .spec
            .hard
            .keys()
            .map(|name| (name.clone(), Quantity::default()))
            .collect();
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.namespaced());
        for object in kinds.flat_map(|kind| self.objects(kind, Some(&quota.metadata.namespace))) {
            for (name, amount) in quota.usage_of(object) {
                *used.entry(name).or_default() += amount;
            }
        }
        self.quotas.0.insert(quota.key(), used);
    }
}
