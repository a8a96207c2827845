//! Resources by number, so that tables hold plain vectors of amounts.

use skep_api::Quantity;

/// The number of a resource: an index into a node's amounts.
pub(crate) type ResourceId = usize;

/// CPU, in thousandths.
pub(crate) const CPU: ResourceId = 0;
/// Memory, in bytes.
pub(crate) const MEMORY: ResourceId = 1;
/// Disk space, in bytes.
pub(crate) const EPHEMERAL_STORAGE: ResourceId = 2;
/// Pods, each of which takes one.
pub(crate) const PODS: ResourceId = 3;

/// Gives each resource's name a number; names are few and never forgotten.
#[derive(Clone, Debug)]
pub(crate) struct Resources {
    names: Vec<String>,
}

impl Default for Resources {
    fn default() -> Self {
        let names = ["cpu", "memory", "ephemeral-storage", "pods"];
        Self {
            names: names.into_iter().map(str::to_owned).collect(),
        }
    }
}

impl Resources {
    /// The resource's number, a new one for a name not seen before.
    pub(crate) fn id(&mut self, name: &str) -> ResourceId {
        self.find(name).unwrap_or_else(|| {
            self.names.push(name.to_owned());
            self.names.len() - 1
        })
    }

    pub(crate) fn find(&self, name: &str) -> Option<ResourceId> {
        self.names.iter().position(|known| known == name)
    }

    pub(crate) fn name(&self, id: ResourceId) -> &str {
        &self.names[id]
    }
}

/// What a pod asks for, in the resource's unit, rounded up; nothing where it is negative.
pub(crate) fn wanted(id: ResourceId, amount: &Quantity) -> i64 {
    let amount = if id == CPU {
        amount.millis()
    } else {
        amount.units()
    };
    amount.max(0)
}

/// What a node offers, in the resource's unit, rounded down; nothing where it is negative.
pub(crate) fn offered(id: ResourceId, amount: &Quantity) -> i64 {
    let negated = Quantity::default() - *amount;
    let amount = if id == CPU {
        negated.millis()
    } else {
        negated.units()
    };
    amount.saturating_neg().max(0)
}

/// An amount as people write it.
pub(crate) fn written(id: ResourceId, amount: i64) -> String {
    match id {
        CPU => Quantity::from_millis(amount).to_string(),
        MEMORY | EPHEMERAL_STORAGE => rounded_bytes(amount),
        _ => amount.to_string(),
    }
}

/// Bytes in the largest binary unit that leaves at least ten, rounded down, so that it is readable and never too much.
fn rounded_bytes(bytes: i64) -> String {
    let exact = Quantity::from_bytes(bytes).to_string();
    if exact.len() <= 6 {
        return exact;
    }
    let shift = [40, 30, 20, 10]
        .into_iter()
        .find(|shift| bytes >> shift >= 10)
        .unwrap_or(0);
    Quantity::from_bytes((bytes >> shift) << shift).to_string()
}
