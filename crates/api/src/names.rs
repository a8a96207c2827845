//! The rules for names, keys and values. Each check returns what is wrong, as the rest of a sentence that starts with the
//! text, or `None` where nothing is.

use std::net::{IpAddr, Ipv4Addr};

const LABEL_MAX: usize = 63;
const SUBDOMAIN_MAX: usize = 253;

fn alphanumeric_ends(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    ends(text.chars().next()) && ends(text.chars().next_back())
}

fn too_long(text: &str, max: usize) -> Option<String> {
    (text.len() > max).then(|| format!("is {} characters long, {max} are allowed", text.len()))
}

/// RFC 1123 label: a namespace, container, volume.
pub fn dns_label(text: &str) -> Option<String> {
    if let Some(problem) = too_long(text, LABEL_MAX) {
        return Some(problem);
    }
    let fits = alphanumeric_ends(text)
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    (!fits).then(|| {
        "must consist of lower-case letters, digits and `-`, and start and end with a letter or digit"
            .to_owned()
    })
}

/// RFC 1123 subdomain: labels joined by dots; most objects' names.
pub fn dns_subdomain(text: &str) -> Option<String> {
    if let Some(problem) = too_long(text, SUBDOMAIN_MAX) {
        return Some(problem);
    }
    let part = |part: &str| {
        alphanumeric_ends(part)
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    (!text.split('.').all(part)).then(|| {
        "must consist of lower-case letters, digits, `-` and `.`, and each part between dots must start and end with a \
         letter or digit"
            .to_owned()
    })
}

/// A label's key, a taint's key, an extended resource: `name` or `example.com/name`.
pub fn qualified_name(text: &str) -> Option<String> {
    let (prefix, name) = match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    };
    if let Some(prefix) = prefix {
        if prefix.is_empty() {
            return Some("has nothing before its `/`".to_owned());
        }
        if let Some(problem) = dns_subdomain(prefix) {
            return Some(format!("has the prefix `{prefix}`, which {problem}"));
        }
    }
    if name.is_empty() {
        return Some("is empty; a key looks like `app` or `example.com/app`".to_owned());
    }
    if name.len() > LABEL_MAX {
        return Some(format!(
            "has a name of {} characters, {LABEL_MAX} are allowed",
            name.len()
        ));
    }
    name_characters(name)
}

/// A label's value; may be empty.
pub fn label_value(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    too_long(text, LABEL_MAX).or_else(|| name_characters(text))
}

fn name_characters(text: &str) -> Option<String> {
    let fits = alphanumeric_ends(text)
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (!fits).then(|| {
        "must consist of letters, digits, `-`, `_` and `.`, and start and end with a letter or digit"
            .to_owned()
    })
}

/// IANA service name: a container port's name.
pub fn port_name(text: &str) -> Option<String> {
    const MAX: usize = 15;
    if let Some(problem) = too_long(text, MAX) {
        return Some(problem);
    }
    let fits = alphanumeric_ends(text)
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && text.chars().any(|c| c.is_ascii_lowercase())
        && !text.contains("--");
    (!fits).then(|| {
        "must consist of lower-case letters, digits and single `-`, with at least one letter, and start and end with a \
         letter or digit"
            .to_owned()
    })
}

/// A variable's name.
pub fn env_name(text: &str) -> Option<String> {
    let first = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.');
    let fits = text.starts_with(first) && text.chars().all(|c| first(c) || c.is_ascii_digit());
    (!fits || matches!(text, "." | ".."))
        .then(|| "must consist of letters, digits, `_`, `-` and `.`, and not start with a digit".to_owned())
}

/// A key of a config map or secret, which may become a file's name.
pub fn config_key(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("is empty".to_owned());
    }
    if let Some(problem) = too_long(text, SUBDOMAIN_MAX) {
        return Some(problem);
    }
    if text == "." || text.starts_with("..") {
        return Some("must not be `.` or start with `..`".to_owned());
    }
    let fits = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    (!fits).then(|| "must consist of letters, digits, `-`, `_` and `.`".to_owned())
}

/// An IP address, of either family.
pub fn ip(text: &str) -> Option<String> {
    text.parse::<IpAddr>()
        .is_err()
        .then(|| format!("is not an IP address such as {}", Ipv4Addr::new(10, 0, 0, 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for good in ["a", "web-0", "0web", &"x".repeat(63)] {
            assert_eq!(dns_label(good), None, "{good}");
        }
        for bad in ["", "Web", "-web", "web-", "web.one", "wéb", &"x".repeat(64)] {
            assert!(dns_label(bad).is_some(), "{bad}");
        }
        assert_eq!(dns_subdomain("web.v1.example"), None);
        for bad in ["", "web..v1", ".web", "web."] {
            assert!(dns_subdomain(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn keys_may_have_a_domain() {
        for good in ["app", "app.kubernetes.io/name", "A_b.c-d"] {
            assert_eq!(qualified_name(good), None, "{good}");
        }
        for bad in ["", "/app", "app/", "Example.com/app", "a/b/c", "-app", "app app"] {
            assert!(qualified_name(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn port_and_variable_names_have_their_own_rules() {
        assert_eq!(port_name("http-2"), None);
        for bad in ["8080", "a--b", "averyveryverylongname", "Http"] {
            assert!(port_name(bad).is_some(), "{bad}");
        }
        assert_eq!(env_name("JAVA_OPTS.x-1"), None);
        for bad in ["", "1A", "A B", "A=B", ".."] {
            assert!(env_name(bad).is_some(), "{bad}");
        }
        for bad in ["", ".", "..data", "a/b"] {
            assert!(config_key(bad).is_some(), "{bad}");
        }
    }
}
