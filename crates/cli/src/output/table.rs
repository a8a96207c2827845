//! kubectl's plain table: upper-case headings, columns three spaces apart, no lines.

/// Rows under headings.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// False leaves out the line of headings.
    pub(crate) show_headers: bool,
    /// True colours what a cell says of an object's state.
    pub(crate) color: bool,
    headers: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(crate) fn new<H: Into<String>>(headers: impl IntoIterator<Item = H>) -> Self {
        let headers = headers.into_iter().map(Into::into).collect();
        Self {
            show_headers: true,
            color: false,
            headers,
            rows: Vec::new(),
        }
    }

    /// Adds a row, one cell for each heading.
    pub(crate) fn push(&mut self, row: impl Into<Vec<String>>) {
        self.rows.push(row.into());
    }

    /// The width of each column, at least these.
    pub(crate) fn widths(&self, at_least: &[usize]) -> Vec<usize> {
        let mut widths: Vec<usize> = at_least.to_vec();
        widths.resize(self.headers.len().max(widths.len()), 0);
        let shown = self.show_headers.then_some(&self.headers);
        for row in shown.into_iter().chain(&self.rows) {
            for (cell, width) in row.iter().zip(&mut widths) {
                *width = (*width).max(cell.chars().count());
            }
        }
        widths
    }

    /// The table as text, each line with its end.
    pub(crate) fn render(&self) -> String {
        self.render_with(&self.widths(&[]))
    }

    /// The table as text with columns of these widths.
    pub(crate) fn render_with(&self, widths: &[usize]) -> String {
        let mut text = String::new();
        if self.show_headers && !self.headers.is_empty() {
            line(&mut text, &self.headers, widths, |_| None);
        }
        for row in &self.rows {
            let paint = |cell: &str| if self.color { state_color(cell) } else { None };
            line(&mut text, row, widths, paint);
        }
        text
    }
}

fn line(text: &mut String, cells: &[String], widths: &[usize], paint: impl Fn(&str) -> Option<&'static str>) {
    for (index, cell) in cells.iter().enumerate() {
        match paint(cell) {
            Some(color) => text.extend([color, cell, "\x1b[0m"]),
            None => text.push_str(cell),
        }
        if index + 1 < cells.len() {
            let width = widths.get(index).copied().unwrap_or(0);
            let padding = width.saturating_sub(cell.chars().count()) + 3;
            text.extend(std::iter::repeat_n(' ', padding));
        }
    }
    text.push('\n');
}

/// The colour of a word that tells an object's state; other words have none.
fn state_color(cell: &str) -> Option<&'static str> {
    const GREEN: &str = "\x1b[32m";
    const YELLOW: &str = "\x1b[33m";
    const RED: &str = "\x1b[31m";
    Some(match cell {
        "Running" | "Ready" | "Active" | "Completed" | "Succeeded" | "Bound" | "Available" => GREEN,
        "Pending" | "ContainerCreating" | "PodInitializing" | "Terminating" | "Unknown" | "Warning" => YELLOW,
        "Failed"
        | "Error"
        | "CrashLoopBackOff"
        | "ImagePullBackOff"
        | "ErrImagePull"
        | "OOMKilled"
        | "Evicted"
        | "NotReady"
        | "ErrImageNeverPull"
        | "CreateContainerConfigError"
        | "CreateContainerError"
        | "RunContainerError"
        | "InvalidImageName"
        | "ContainerCannotRun"
        | "DeadlineExceeded" => RED,
        _ if cell.starts_with("Init:") => YELLOW,
        _ if cell.starts_with("Ready,") => YELLOW,
        _ if cell.starts_with("NotReady,") => RED,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn pods() -> Table {
        let mut table = Table::new(["NAME", "READY", "STATUS"]);
        table.push(["web-0", "1/1", "Running"].map(str::to_owned));
        table.push(["a-much-longer-name", "0/1", "CrashLoopBackOff"].map(str::to_owned));
        table
    }

    #[test]
    fn columns_stand_three_spaces_apart() {
        expect![[r#"
            NAME                 READY   STATUS
            web-0                1/1     Running
            a-much-longer-name   0/1     CrashLoopBackOff
        "#]]
        .assert_eq(&pods().render());
    }

    #[test]
    fn without_headings_columns_are_as_wide_as_their_cells() {
        let mut table = pods();
        table.show_headers = false;
        expect![[r#"
            web-0                1/1   Running
            a-much-longer-name   0/1   CrashLoopBackOff
        "#]]
        .assert_eq(&table.render());
    }

    #[test]
    fn colour_changes_no_alignment() {
        let mut table = pods();
        table.color = true;
        let text = table.render();
        assert!(text.contains("\x1b[32mRunning\x1b[0m"));
        assert!(text.contains("\x1b[31mCrashLoopBackOff\x1b[0m"));
        let plain = text
            .replace("\x1b[32m", "")
            .replace("\x1b[31m", "")
            .replace("\x1b[0m", "");
        assert_eq!(plain, pods().render());
    }
}
