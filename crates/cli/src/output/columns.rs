//! `-o custom-columns=HEADING:PATH,…`: a table of one's own.

use serde_json::Value;

use super::{JsonPath, Table, jsonpath::show};

/// Columns by heading and path.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CustomColumns {
    columns: Vec<(String, JsonPath)>,
}

impl CustomColumns {
    /// Reads `NAME:.metadata.name,IMAGES:.spec.containers[*].image`.
    ///
    /// # Errors
    /// Where a column lacks heading or path, or the path is malformed.
    pub(crate) fn parse(spec: &str) -> Result<Self, String> {
        let columns: Vec<_> = split_outside_brackets(spec)
            .into_iter()
            .map(column)
            .collect::<Result<_, _>>()?;
        if columns.is_empty() {
            return Err("custom-columns format specified but no custom columns given".to_owned());
        }
        Ok(Self { columns })
    }

    /// Reads a template file's two lines: headings, and the paths under them.
    ///
    /// # Errors
    /// Where the lines differ in number of columns, or a path is malformed.
    pub(crate) fn parse_template(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let mut words = || {
            lines
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        let (headings, paths) = (words(), words());
        if headings.len() != paths.len() || headings.is_empty() {
            let (headings, paths) = (headings.len(), paths.len());
            return Err(format!(
                "a column template has a line of headings and a line of as many paths: {headings} and {paths} found"
            ));
        }
        let columns = headings.into_iter().zip(paths);
        let columns = columns.map(|(heading, path)| Ok((heading.to_owned(), relaxed(path)?)));
        Ok(Self {
            columns: columns.collect::<Result<_, String>>()?,
        })
    }

    /// An empty table with these headings.
    pub(crate) fn table(&self) -> Table {
        Table::new(self.columns.iter().map(|(heading, _)| heading.as_str()))
    }

    /// The cells of a document; `<none>` stands where there is nothing.
    ///
    /// # Errors
    /// Where the document does not fit a path.
    pub(crate) fn row(&self, document: &Value) -> anyhow::Result<Vec<String>> {
        self.columns
            .iter()
            .map(|(_, path)| cell(path, document))
            .collect()
    }
}

fn cell(path: &JsonPath, document: &Value) -> anyhow::Result<String> {
    let found = path.find(document)?;
    if found.is_empty() {
        return Ok("<none>".to_owned());
    }
    Ok(found.into_iter().map(show).collect::<Vec<_>>().join(","))
}

fn column(text: &str) -> Result<(String, JsonPath), String> {
    match text.split_once(':') {
        Some((heading, path)) if !path.is_empty() => Ok((heading.to_owned(), relaxed(path)?)),
        _ => Err(format!(
            "unexpected custom-columns spec: {text}, expected <header>:<json-path-expr>"
        )),
    }
}

fn relaxed(path: &str) -> Result<JsonPath, String> {
    JsonPath::parse_relaxed(path).map_err(|error| error.to_string())
}

/// Splits at commas, except those inside brackets, braces or parentheses.
fn split_outside_brackets(spec: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let parts = spec.split(move |c| {
        match c {
            '[' | '{' | '(' => depth += 1,
            ']' | '}' | ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0
    });
    parts.filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn show_table(columns: &CustomColumns) -> String {
        let mut table = columns.table();
        for document in [
            json!({ "metadata": { "name": "a" }, "spec": { "containers": [{ "image": "x:1" }, { "image": "y:2" }] } }),
            json!({ "metadata": { "name": "longer" } }),
        ] {
            table.push(columns.row(&document).unwrap());
        }
        table.render()
    }

    #[test]
    fn each_column_shows_what_its_path_finds() {
        let columns = CustomColumns::parse(
            "NAME:.metadata.name,IMAGES:spec.containers[*].image,ENDS:{.spec.containers[0,-1].image}",
        );
        expect![[r#"
            NAME     IMAGES    ENDS
            a        x:1,y:2   x:1,y:2
            longer   <none>    <none>
        "#]]
        .assert_eq(&show_table(&columns.unwrap()));
    }

    #[test]
    fn a_template_file_has_headings_and_paths() {
        let columns =
            CustomColumns::parse_template("NAME     FIRST\nmetadata.name  {.spec.containers[0].image}\n");
        expect![[r#"
            NAME     FIRST
            a        x:1
            longer   <none>
        "#]]
        .assert_eq(&show_table(&columns.unwrap()));
        assert!(
            CustomColumns::parse_template("A B\n.a\n")
                .unwrap_err()
                .contains("2 and 1 found")
        );
    }

    #[test]
    fn a_column_needs_a_path() {
        assert!(
            CustomColumns::parse("NAME")
                .unwrap_err()
                .contains("expected <header>:<json-path-expr>")
        );
        assert!(
            CustomColumns::parse("")
                .unwrap_err()
                .contains("no custom columns given")
        );
        assert!(CustomColumns::parse("A:.b[").is_err());
    }
}
