//! What a mistyped word was meant to be.

use std::collections::VecDeque;

use crate::schema::Struct;

/// How deep below a mapping a misplaced field is looked for.
const DEPTH_MAX: usize = 4;

/// The candidate nearest to `word`, if one is near enough.
pub(crate) fn closest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).clamp(1, 3);
    let scored = candidates.map(|candidate| (distance(word, candidate), candidate));
    scored
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, near)| near)
}

/// Where below `fields` there is a field of exactly this name: `template.spec.containers`.
pub(crate) fn deeper(name: &str, fields: &Struct) -> Option<String> {
    let mut queue = VecDeque::from([(fields, String::new(), 0)]);
    while let Some((fields, path, depth)) = queue.pop_front() {
        for (field, inner) in &fields.fields {
            let Some(inner) = inner
                .shape
                .inner_struct()
                .filter(|_| depth < DEPTH_MAX && field != "status")
            else {
                continue;
            };
            let path = format!("{path}{field}.");
            if inner.fields.contains_key(name) {
                return Some(format!("{path}{name}"));
            }
            queue.push_back((inner, path, depth + 1));
        }
    }
    None
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other; case does not count.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.chars().take(64).flat_map(char::to_lowercase).collect();
    let to: Vec<char> = to.chars().take(64).flat_map(char::to_lowercase).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let replace = last[j] + usize::from(a != b);
            let mut best = replace.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before_last[j - 1] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Kind, schema};

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["replicas", "selector", "template"];
        assert_eq!(closest("replcias", words.into_iter()), Some("replicas"));
        assert_eq!(closest("Selector", words.into_iter()), Some("selector"));
        assert_eq!(closest("affinity", words.into_iter()), None);
    }

    #[test]
    fn misplaced_field_is_found_where_it_belongs() {
        assert_eq!(
            deeper("containers", schema::of(Kind::Deployment)).as_deref(),
            Some("spec.template.spec.containers")
        );
        assert_eq!(deeper("nonsense", schema::of(Kind::Deployment)), None);
    }
}
