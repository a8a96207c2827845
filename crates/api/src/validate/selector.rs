//! Label selectors.

use crate::{LabelSelector, LabelSelectorOperator as Operator, errors::Errors, names, path::Path};

use super::meta;

/// Checks a label selector.
pub(super) fn check(selector: &LabelSelector, path: &Path<'_>, errors: &mut Errors) {
    meta::labels(&selector.match_labels, &path.field("matchLabels"), errors);
    let list = path.field("matchExpressions");
    for (index, requirement) in selector.match_expressions.iter().enumerate() {
        let path = list.index(index);
        errors.about(
            &path.field("key"),
            &requirement.key,
            names::qualified_name(&requirement.key),
        );
        let values = path.field("values");
        match requirement.operator {
            Operator::In | Operator::NotIn if requirement.values.is_empty() => {
                errors.required(&values, "is missing; In and NotIn need at least one value");
            }
            Operator::Exists | Operator::DoesNotExist if !requirement.values.is_empty() => {
                errors.forbidden(&values, "must be left out for Exists and DoesNotExist");
            }
            _ => {}
        }
        for (index, value) in requirement.values.iter().enumerate() {
            errors.about(&values.index(index), value, names::label_value(value));
        }
    }
}
