//! `--sort-by`: documents in the order of one of their fields.

use std::cmp::Ordering;

use serde_json::Value;
use skep_api::Quantity;

use crate::output::JsonPath;

/// The field to sort by.
pub(super) struct SortKey<'a>(pub(super) &'a JsonPath);

impl SortKey<'_> {
    /// Sorts documents; those without the field come first, and equal ones keep their order.
    ///
    /// # Errors
    /// Where a document does not fit the path.
    pub(super) fn sort(&self, documents: &mut Vec<Value>) -> anyhow::Result<()> {
        let mut keyed = Vec::with_capacity(documents.len());
        for document in documents.drain(..) {
            let key = self.0.find(&document)?.first().map(|value| (*value).clone());
            keyed.push((key, document));
        }
        keyed.sort_by(|(left, _), (right, _)| match (left, right) {
            (Some(left), Some(right)) => compare(left, right),
            (left, right) => left.is_some().cmp(&right.is_some()),
        });
        documents.extend(keyed.into_iter().map(|(_, document)| document));
        Ok(())
    }
}

/// Numbers by size, quantities by amount, other texts as people count: `pod-2` before `pod-10`.
fn compare(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left
            .as_f64()
            .partial_cmp(&right.as_f64())
            .unwrap_or(Ordering::Equal),
        (Value::String(left), Value::String(right)) => {
            match (left.parse::<Quantity>(), right.parse::<Quantity>()) {
                (Ok(left), Ok(right)) => left.cmp(&right),
                _ => natural(left, right),
            }
        }
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        _ => rank(left).cmp(&rank(right)),
    }
}

fn rank(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn natural(mut left: &str, mut right: &str) -> Ordering {
    loop {
        let (left_number, right_number) = (digits(left), digits(right));
        if !left_number.is_empty() && !right_number.is_empty() {
            let value = |text: &str| text.trim_start_matches('0').to_owned();
            let (a, b) = (value(left_number), value(right_number));
            let order = a.len().cmp(&b.len()).then_with(|| a.cmp(&b));
            if order.is_ne() {
                return order;
            }
            (left, right) = (&left[left_number.len()..], &right[right_number.len()..]);
            continue;
        }
        let (mut left_rest, mut right_rest) = (left.chars(), right.chars());
        match (left_rest.next(), right_rest.next()) {
            (None, None) => return Ordering::Equal,
            (a, b) if a != b => return a.cmp(&b),
            _ => (left, right) = (left_rest.as_str(), right_rest.as_str()),
        }
    }
}

fn digits(text: &str) -> &str {
    &text[..text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sorted(values: &[Value]) -> Vec<Value> {
        let path = JsonPath::parse_relaxed(".v").unwrap();
        let mut documents: Vec<_> = values.iter().map(|value| json!({ "v": value })).collect();
        SortKey(&path).sort(&mut documents).unwrap();
        documents
            .into_iter()
            .map(|mut document| document["v"].take())
            .collect()
    }

    #[test]
    fn numbers_sort_by_size() {
        assert_eq!(
            sorted(&[json!(10), json!(9), json!(1.5)]),
            [json!(1.5), json!(9), json!(10)]
        );
    }

    #[test]
    fn names_sort_as_people_count() {
        let names = ["pod-10", "pod-2", "a", "pod-2a", "pod-002"].map(|name| json!(name));
        assert_eq!(
            sorted(&names),
            ["a", "pod-2", "pod-002", "pod-2a", "pod-10"].map(|name| json!(name))
        );
    }

    #[test]
    fn quantities_sort_by_amount() {
        let amounts = ["1Gi", "900m", "512Mi", "2"].map(|amount| json!(amount));
        assert_eq!(
            sorted(&amounts),
            ["900m", "2", "512Mi", "1Gi"].map(|amount| json!(amount))
        );
    }

    #[test]
    fn documents_without_the_field_come_first() {
        let path = JsonPath::parse_relaxed(".v").unwrap();
        let mut documents = vec![json!({ "v": 1 }), json!({ "n": "none" })];
        SortKey(&path).sort(&mut documents).unwrap();
        assert_eq!(documents, [json!({ "n": "none" }), json!({ "v": 1 })]);
    }
}
