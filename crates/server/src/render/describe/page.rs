//! A page of text whose columns line up.

/// Text made of labels with values, lists and tables. In neighbouring lines that have a column, its cells get the same
/// width, as with kubectl's elastic tab stops.
#[derive(Default)]
pub(super) struct Page {
    lines: Vec<Vec<String>>,
}

const GAP: usize = 2;

impl Page {
    /// `Label:  value`, indented by so many levels; more lines of the value stand below its first.
    pub(super) fn field(&mut self, level: usize, label: &str, value: impl AsRef<str>) {
        match value.as_ref() {
            "" => self
                .lines
                .push(vec![indented(level, &format!("{label}:")), String::new()]),
            value => self.list(level, label, value.lines()),
        }
    }

    /// The same, left out where the value is empty.
    pub(super) fn field_if(&mut self, level: usize, label: &str, value: impl AsRef<str>) {
        if !value.as_ref().is_empty() {
            self.field(level, label, value);
        }
    }

    /// A label with a value on each line; `<none>` where there are none.
    pub(super) fn list<T: AsRef<str>>(
        &mut self,
        level: usize,
        label: &str,
        values: impl IntoIterator<Item = T>,
    ) {
        let mut label = indented(level, &format!("{label}:"));
        let mut empty = true;
        for value in values {
            self.lines
                .push(vec![std::mem::take(&mut label), value.as_ref().to_owned()]);
            empty = false;
        }
        if empty {
            self.lines.push(vec![label, super::NONE.to_owned()]);
        }
    }

    /// `Label:` with what follows below it.
    pub(super) fn heading(&mut self, level: usize, label: &str) {
        self.text(level, &format!("{label}:"));
    }

    /// A line as it is.
    pub(super) fn text(&mut self, level: usize, text: &str) {
        self.lines.push(vec![indented(level, text)]);
    }

    /// A line of a table.
    pub(super) fn cells<T: Into<String>>(&mut self, level: usize, cells: impl IntoIterator<Item = T>) {
        let mut cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        if let Some(first) = cells.first_mut() {
            *first = indented(level, first);
        }
        self.lines.push(cells);
    }

    /// A table with its header underlined.
    pub(super) fn table(
        &mut self,
        level: usize,
        header: &[&str],
        rows: impl IntoIterator<Item = Vec<String>>,
    ) {
        self.cells(level, header.iter().copied());
        self.cells(level, header.iter().map(|title| "-".repeat(title.len())));
        for row in rows {
            self.cells(level, row);
        }
    }

    /// The text, every line ended by a line feed.
    pub(super) fn finish(self) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for (line, widths) in self.lines.iter().zip(&widths) {
            let start = text.len();
            for (cell, width) in line.iter().zip(widths) {
                text.push_str(cell);
                text.extend(std::iter::repeat_n(
                    ' ',
                    width.saturating_sub(cell.chars().count()),
                ));
            }
            text.truncate(start + text[start..].trim_end().len());
            text.push('\n');
        }
        text
    }

    /// The width of every cell; a line's last cell has none.
    fn widths(&self) -> Vec<Vec<usize>> {
        let mut widths: Vec<Vec<usize>> = self.lines.iter().map(|line| vec![0; line.len()]).collect();
        let columns = self.lines.iter().map(Vec::len).max().unwrap_or(0);
        for column in 0..columns.saturating_sub(1) {
            let mut first = 0;
            while first < self.lines.len() {
                let run = self.lines[first..]
                    .iter()
                    .take_while(|line| line.len() > column + 1)
                    .count();
                let block = first..first + run;
                let widest = self.lines[block.clone()]
                    .iter()
                    .map(|line| line[column].chars().count())
                    .max();
                for line in &mut widths[block] {
                    line[column] = widest.unwrap_or(0) + GAP;
                }
                first += run + 1;
            }
        }
        widths
    }
}

fn indented(level: usize, text: &str) -> String {
    format!("{:width$}{text}", "", width = 2 * level)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn neighbouring_lines_line_up_and_others_do_not() {
        let mut page = Page::default();
        page.field(0, "Name", "web");
        page.list(0, "Labels", ["a=b", "c=d"]);
        page.field_if(0, "Left out", "");
        page.heading(0, "Conditions");
        page.table(
            1,
            &["Type", "Status"],
            [vec!["Available".to_owned(), "True".to_owned()]],
        );
        page.list(0, "Events", [""; 0]);
        expect![[r"
            Name:    web
            Labels:  a=b
                     c=d
            Conditions:
              Type       Status
              ----       ------
              Available  True
            Events:      <none>
        "]]
        .assert_eq(&page.finish());
    }
}
