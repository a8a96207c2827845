//! What the entries of a limit range leave out.

use crate::{LimitRangeItem, LimitType};

/// Fills in an entry: the default limit is the highest one, the default request the default limit or else the lowest one.
pub(super) fn item(item: &mut LimitRangeItem) {
    if item.r#type != LimitType::Container {
        return;
    }
    for (name, most) in &item.max {
        item.default.entry(name.clone()).or_insert(*most);
    }
    for (name, amount) in item.default.iter().chain(&item.min) {
        item.default_request.entry(name.clone()).or_insert(*amount);
    }
}
