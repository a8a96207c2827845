//! Label selectors as people write them: `a=b,c!=d,e in (x,y),f notin (z),g,!h`.

use std::{fmt, str::FromStr};

use crate::{LabelSelector, LabelSelectorOperator as Operator, LabelSelectorRequirement, names};

/// Why a text is not a label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{term}` in label selector `{selector}`: {problem}")]
pub struct ParseSelectorError {
    /// The whole text.
    pub selector: String,
    /// The part that is wrong.
    pub term: String,
    /// What is wrong with it.
    pub problem: String,
}

/// Reads a label selector; an empty text selects everything.
///
/// # Errors
/// Names the first part that is wrong.
pub fn parse(text: &str) -> Result<LabelSelector, ParseSelectorError> {
    let mut selector = LabelSelector::default();
    if text.trim().is_empty() {
        return Ok(selector);
    }
    for term in split_terms(text) {
        let requirement = parse_term(term).map_err(|problem| ParseSelectorError {
            selector: text.to_owned(),
            term: term.trim().to_owned(),
            problem,
        })?;
        add(&mut selector, requirement);
    }
    Ok(selector)
}

/// Splits at commas outside parentheses.
fn split_terms(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
}

/// One value that must be equal is a label to match, unless the key must already equal another one.
fn add(selector: &mut LabelSelector, requirement: LabelSelectorRequirement) {
    match (requirement.operator, requirement.values.as_slice()) {
        (Operator::In, [value]) if !selector.match_labels.contains_key(&requirement.key) => {
            selector.match_labels.insert(requirement.key, value.clone());
        }
        _ => selector.match_expressions.push(requirement),
    }
}

fn parse_term(term: &str) -> Result<LabelSelectorRequirement, String> {
    let term = term.trim();
    if term.is_empty() {
        return Err("there is nothing between two commas; remove one".to_owned());
    }
    if let Some(key) = term.strip_prefix('!') {
        return requirement(key, Operator::DoesNotExist, Vec::new());
    }
    if let Some((key, value)) = term.split_once("!=") {
        return requirement(key, Operator::NotIn, vec![value]);
    }
    if let Some((key, value)) = term.split_once("==").or_else(|| term.split_once('=')) {
        return requirement(key, Operator::In, vec![value]);
    }
    let (head, set) = match term.split_once('(') {
        Some((head, rest)) => {
            let set = rest
                .strip_suffix(')')
                .ok_or("a closing parenthesis is missing at its end")?;
            (head, Some(set))
        }
        None => (term, None),
    };
    let mut words = head.split_whitespace();
    let key = words.next().unwrap_or("");
    match (words.next(), set, words.next()) {
        (None, None, None) => requirement(key, Operator::Exists, Vec::new()),
        (Some("in"), Some(set), None) => requirement(key, Operator::In, set.split(',').collect()),
        (Some("notin"), Some(set), None) => requirement(key, Operator::NotIn, set.split(',').collect()),
        (Some("in" | "notin"), None, _) => {
            Err("write its values in parentheses, such as `tier in (web,api)`".into())
        }
        _ => Err("write key=value, key!=value, key in (a,b), key notin (a,b), key or !key".into()),
    }
}

fn requirement(key: &str, operator: Operator, values: Vec<&str>) -> Result<LabelSelectorRequirement, String> {
    let key = key.trim();
    if let Some(problem) = names::qualified_name(key) {
        return Err(format!("key `{key}` {problem}"));
    }
    let values: Vec<String> = values.into_iter().map(|value| value.trim().to_owned()).collect();
    for value in &values {
        if let Some(problem) = names::label_value(value) {
            return Err(format!("value `{value}` {problem}"));
        }
    }
    Ok(LabelSelectorRequirement {
        key: key.to_owned(),
        operator,
        values,
    })
}

impl FromStr for LabelSelector {
    type Err = ParseSelectorError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let labels = self
            .match_labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        let expressions = self.match_expressions.iter().map(ToString::to_string);
        f.write_str(&labels.chain(expressions).collect::<Vec<_>>().join(","))
    }
}

impl fmt::Display for LabelSelectorRequirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            operator,
            values,
        } = self;
        match (operator, values.as_slice()) {
            (Operator::Exists, _) => write!(f, "{key}"),
            (Operator::DoesNotExist, _) => write!(f, "!{key}"),
            (Operator::In, [value]) => write!(f, "{key}={value}"),
            (Operator::NotIn, [value]) => write!(f, "{key}!={value}"),
            (Operator::In, values) => write!(f, "{key} in ({})", values.join(",")),
            (Operator::NotIn, values) => write!(f, "{key} notin ({})", values.join(",")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};

    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect()
    }

    fn check_error(text: &str, expected: &Expect) {
        expected.assert_eq(&parse(text).unwrap_err().to_string());
    }

    #[test]
    fn every_operator_is_understood_and_written_back() {
        let text = "a=b,c!=d,e in (x,y),f notin (z,w),g,!h";
        let selector = parse(text).unwrap();
        assert_eq!(selector.to_string(), text);
        assert!(selector.matches(&labels(&[("a", "b"), ("e", "y"), ("g", "")])));
        assert!(!selector.matches(&labels(&[("a", "b"), ("e", "y")])));
        assert!(!selector.matches(&labels(&[("a", "b"), ("e", "y"), ("g", ""), ("h", "1")])));
        assert!(!selector.matches(&labels(&[("a", "b"), ("e", "y"), ("g", ""), ("f", "w")])));
        assert!(!selector.matches(&labels(&[("a", "b"), ("e", "y"), ("g", ""), ("c", "d")])));
    }

    #[test]
    fn spaces_and_double_equals_do_not_matter() {
        assert_eq!(
            parse(" a == b , e in ( x , y ) ").unwrap(),
            parse("a=b,e in (x,y)").unwrap()
        );
        assert!(parse("  ").unwrap().is_empty());
    }

    #[test]
    fn contradiction_matches_nothing() {
        let selector = parse("a=b,a=c").unwrap();
        assert!(!selector.matches(&labels(&[("a", "b")])));
        assert!(!selector.matches(&labels(&[("a", "c")])));
    }

    #[test]
    fn mistakes_are_named() {
        check_error(
            "a=b,,c",
            &expect![[r#"`` in label selector `a=b,,c`: there is nothing between two commas; remove one"#]],
        );
        check_error(
            "a in (b",
            &expect!["`a in (b` in label selector `a in (b`: a closing parenthesis is missing at its end"],
        );
        check_error(
            "a in b",
            &expect![
                "`a in b` in label selector `a in b`: write its values in parentheses, such as `tier in (web,api)`"
            ],
        );
        check_error(
            "a > 1",
            &expect![
                "`a > 1` in label selector `a > 1`: write key=value, key!=value, key in (a,b), key notin (a,b), key or !key"
            ],
        );
    }
}
