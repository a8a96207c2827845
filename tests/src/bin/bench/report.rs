//! Rows of figures: a table for people, one JSON object a line for machines.

use serde_json::json;

/// Collects rows.
#[derive(Default)]
pub(crate) struct Report {
    /// Print JSON lines.
    pub(crate) json: bool,
    rows: Vec<(Row, Aim)>,
}

/// Which way a ratio should be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aim {
    AtMost,
    AtLeast,
}

/// One figure and the one beside it.
pub(crate) struct Row {
    /// The benchmark.
    pub(crate) bench: &'static str,
    /// What was measured, and against whom.
    pub(crate) row: String,
    /// skep's figure.
    pub(crate) ours: f64,
    /// The peer's figure, or the bound.
    pub(crate) peer: f64,
    /// Of both.
    pub(crate) unit: &'static str,
    /// `ours / peer` should be at most this; at least, with [`Report::add_at_least`].
    pub(crate) aim: f64,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours / self.peer
    }

    fn met(&self, aim: Aim) -> bool {
        match aim {
            Aim::AtMost => self.ratio() <= self.aim,
            Aim::AtLeast => self.ratio() >= self.aim,
        }
    }
}

impl Report {
    /// Adds a row of which less is better; in JSON it is printed at once.
    pub(crate) fn add(&mut self, row: Row) {
        self.add_with(row, Aim::AtMost);
    }

    /// Adds a row of which more is better.
    pub(crate) fn add_at_least(&mut self, row: Row) {
        self.add_with(row, Aim::AtLeast);
    }

    fn add_with(&mut self, row: Row, aim: Aim) {
        if self.json {
            println!(
                "{}",
                json!({
                    "bench": row.bench, "row": row.row, "ours": row.ours, "peer": row.peer, "unit": row.unit,
                    "ratio": row.ratio(), "aim": row.aim,
                    "more_is_better": aim == Aim::AtLeast, "met": row.met(aim),
                })
            );
        }
        self.rows.push((row, aim));
    }

    /// Prints the table.
    pub(crate) fn finish(&self) {
        if self.json {
            return;
        }
        let width = self
            .rows
            .iter()
            .map(|(row, _)| row.row.len())
            .max()
            .unwrap_or(0)
            .max(3);
        println!(
            "{:9} {:width$} {:>10} {:>10} {:5} {:>7} {:>9}  met",
            "bench", "row", "ours", "peer", "unit", "ratio", "aim"
        );
        for (row, wanted) in &self.rows {
            let (ratio, met) = (row.ratio(), if row.met(*wanted) { "yes" } else { "no" });
            let sign = if *wanted == Aim::AtMost { "<=" } else { ">=" };
            let Row {
                bench,
                row: name,
                ours,
                peer,
                unit,
                aim,
            } = row;
            println!(
                "{bench:9} {name:width$} {ours:>10.2} {peer:>10.2} {unit:5} {ratio:>7.4} {sign}{aim:>7.2}  {met}"
            );
        }
    }
}
