//! Evaluates templates over documents.

use std::{cell::Cell, cmp::Ordering};

use serde_json::Value;

use super::{Comparison, JsonPathError, Node, Operand, Path, Step, show};

type Found<'v> = Result<Vec<&'v Value>, JsonPathError>;

/// A template may come to so many values for each one that the document has: ranges in ranges multiply.
const VALUES_PER_VALUE_MAX: usize = 64;

/// And to so many in any case.
const VALUES_MIN: usize = 1 << 16;

/// The document, and how much may still be found in it.
struct Reach<'v> {
    root: &'v Value,
    max: usize,
    found: Cell<usize>,
}

impl<'v> Reach<'v> {
    fn new(root: &'v Value) -> Self {
        let max = VALUES_MIN.saturating_add(count(root).saturating_mul(VALUES_PER_VALUE_MAX));
        let found = Cell::new(0);
        Self { root, max, found }
    }

    fn note(&self, found: usize) -> Result<(), JsonPathError> {
        self.found.set(self.found.get().saturating_add(found));
        if self.found.get() > self.max {
            return Err(JsonPathError::TooMuch { max: self.max });
        }
        Ok(())
    }
}

/// The value itself and all below it.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(fields) => fields.values().map(count).sum(),
        _ => 0_usize,
    }
}

/// The text that nodes make of a document.
pub(super) fn render(nodes: &[Node], root: &Value) -> Result<String, JsonPathError> {
    let mut text = String::new();
    render_at(nodes, &Reach::new(root), root, &mut text)?;
    Ok(text)
}

fn render_at<'v>(
    nodes: &[Node],
    reach: &Reach<'v>,
    current: &'v Value,
    text: &mut String,
) -> Result<(), JsonPathError> {
    for node in nodes {
        match node {
            Node::Text(literal) => text.push_str(literal),
            Node::Path(path) => {
                let shown: Vec<_> = walk(path, reach, current)?.into_iter().map(show).collect();
                text.push_str(&shown.join(" "));
            }
            Node::Range(path, body) => {
                for item in walk(path, reach, current)? {
                    render_at(body, reach, item, text)?;
                }
            }
        }
    }
    Ok(())
}

/// The values that the paths among the nodes find.
pub(super) fn find<'v>(nodes: &[Node], root: &'v Value) -> Found<'v> {
    find_at(nodes, &Reach::new(root), root)
}

fn find_at<'v>(nodes: &[Node], reach: &Reach<'v>, current: &'v Value) -> Found<'v> {
    let mut found = Vec::new();
    for node in nodes {
        match node {
            Node::Text(_) => {}
            Node::Path(path) => found.extend(walk(path, reach, current)?),
            Node::Range(path, body) => {
                for item in walk(path, reach, current)? {
                    found.extend(find_at(body, reach, item)?);
                }
            }
        }
    }
    Ok(found)
}

fn walk<'v>(path: &Path, reach: &Reach<'v>, current: &'v Value) -> Found<'v> {
    let mut values = vec![current];
    for step in &path.0 {
        let mut next = Vec::new();
        for value in values {
            let before = next.len();
            take(step, reach, value, &mut next)?;
            reach.note(next.len() - before)?;
        }
        values = next;
    }
    Ok(values)
}

fn take<'v>(
    step: &Step,
    reach: &Reach<'v>,
    value: &'v Value,
    next: &mut Vec<&'v Value>,
) -> Result<(), JsonPathError> {
    match step {
        Step::Root => next.push(reach.root),
        Step::Field(name) => next.extend(value.get(name)),
        Step::Wildcard => next.extend(children(value)),
        Step::Recursive => descend(value, next),
        Step::Index(index) => next.extend(item(value, *index)?),
        Step::Slice(from, to, step) => slice(list(value)?, *from, *to, *step, next),
        Step::Union(steps) => {
            for step in steps {
                take(step, reach, value, next)?;
            }
        }
        Step::Filter(left, comparison) => {
            for item in list(value)? {
                if passes(left, comparison.as_ref(), reach, item)? {
                    next.push(item);
                }
            }
        }
    }
    Ok(())
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => Vec::new(),
    }
}

fn descend<'v>(value: &'v Value, found: &mut Vec<&'v Value>) {
    found.push(value);
    for child in children(value) {
        descend(child, found);
    }
}

fn list(value: &Value) -> Result<&[Value], JsonPathError> {
    Err(JsonPathError::NotAList(match value {
        Value::Array(items) => return Ok(items),
        Value::Null => return Ok(&[]),
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Object(_) => "a mapping",
    }))
}

fn item(value: &Value, index: i64) -> Result<Option<&Value>, JsonPathError> {
    let items = list(value)?;
    if value.is_null() {
        return Ok(None);
    }
    let position = if index < 0 {
        index + as_signed(items.len())
    } else {
        index
    };
    let item = usize::try_from(position)
        .ok()
        .and_then(|position| items.get(position));
    item.map(Some).ok_or(JsonPathError::OutOfBounds {
        index,
        length: items.len(),
    })
}

fn slice<'v>(items: &'v [Value], from: Option<i64>, to: Option<i64>, step: i64, next: &mut Vec<&'v Value>) {
    let length = as_signed(items.len());
    let bound = |end: i64| {
        let end = if end < 0 { end.saturating_add(length) } else { end };
        usize::try_from(end.clamp(0, length)).expect("the bound lies between 0 and the length")
    };
    let (from, to) = (bound(from.unwrap_or(0)), bound(to.unwrap_or(length)));
    if from < to {
        next.extend(
            items[from..to]
                .iter()
                .step_by(usize::try_from(step).unwrap_or(usize::MAX)),
        );
    }
}

fn as_signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

fn passes<'v>(
    left: &Operand,
    comparison: Option<&(Comparison, Operand)>,
    reach: &Reach<'v>,
    item: &'v Value,
) -> Result<bool, JsonPathError> {
    let left = operand(left, reach, item)?;
    let (Some(left), Some((comparison, right))) = (&left, comparison) else {
        return Ok(left.is_some());
    };
    Ok(operand(right, reach, item)?.is_some_and(|right| compare(*comparison, left, &right)))
}

/// The first value of an operand; `None` where its path leads nowhere.
fn operand<'v>(
    operand: &Operand,
    reach: &Reach<'v>,
    item: &'v Value,
) -> Result<Option<Value>, JsonPathError> {
    match operand {
        Operand::Literal(value) => Ok(Some(value.clone())),
        Operand::Path(path) => Ok(walk(path, reach, item)?.first().map(|value| (*value).clone())),
    }
}

fn compare(comparison: Comparison, left: &Value, right: &Value) -> bool {
    let order = match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64().partial_cmp(&right.as_f64()),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (left, right) if left == right => Some(Ordering::Equal),
        _ => None,
    };
    match comparison {
        Comparison::Equal => order == Some(Ordering::Equal),
        Comparison::NotEqual => order != Some(Ordering::Equal),
        Comparison::Less => order == Some(Ordering::Less),
        Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        Comparison::Greater => order == Some(Ordering::Greater),
        Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}
