//! Documents as YAML.

use serde::Serialize;

/// A document as YAML: two spaces a level, texts of several lines as blocks, what could be misread in quotes.
///
/// # Errors
/// Where the document cannot be written, which values of JSON always can.
pub(crate) fn yaml(document: &impl Serialize) -> anyhow::Result<String> {
    Ok(skep_api::yaml::to_string(&serde_json::to_value(document)?))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::{Value, json};

    use super::*;

    fn tricky() -> Value {
        json!({
            "words": ["true", "no", "null", "~", "1", "1e3", "0x1f", "", " a", "a: b", "#c", "- d", "2026-01-31T12:00:00Z", "250m", "=", "é", "a\tb", "12:30", "y"],
            "long": "word ".repeat(60),
            "lines": "a\n\n  b\nc",
            "end": "a\n",
            "ends": "a\n\n",
            "first": "  a\nb\n",
            "crlf": "a\r\nb\r\n",
            "empty": [{}, [], [[1, [2]]]],
            "nested": [{ "a": [{ "b": 1 }], "c": { "d": null } }],
            "numbers": [1, -1, 1.5, 1e30],
            "app.kubernetes.io/name": true,
            "1": "key"
        })
    }

    #[test]
    fn what_is_written_is_read_back_the_same() {
        let text = yaml(&tricky()).unwrap();
        let back = skep_api::yaml::documents(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(back, [tricky()], "{text}");
    }

    #[test]
    fn yaml_reads_as_people_write_it() {
        expect![[r##"
            "1": key
            app.kubernetes.io/name: true
            crlf: "a\r\nb\r\n"
            empty:
            - {}
            - []
            - - - 1
                - - 2
            end: |
              a
            ends: |+
              a

            first: |2
                a
              b
            lines: |-
              a

                b
              c
            long: "word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word word "
            nested:
            - a:
              - b: 1
              c:
                d: null
            numbers:
            - 1
            - -1
            - 1.5
            - 1.0e+30
            words:
            - "true"
            - "no"
            - "null"
            - "~"
            - "1"
            - "1e3"
            - "0x1f"
            - ""
            - " a"
            - "a: b"
            - "#c"
            - "- d"
            - "2026-01-31T12:00:00Z"
            - 250m
            - "="
            - é
            - "a\tb"
            - "12:30"
            - "y"
        "##]].assert_eq(&yaml(&tricky()).unwrap());
    }
}
