//! Rows of figures: a table for people, one JSON object a line for machines.

use serde_json::json;

/// Collects rows.
#[derive(Default)]
pub(crate) struct Report {
    /// Print JSON lines.
    pub(crate) json: bool,
    rows: Vec<Row>,
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
    /// `ours / peer` should be at most this.
    pub(crate) aim: f64,
}

impl Row {
    fn ratio(&self) -> f64 {
        self.ours / self.peer
    }

    fn met(&self) -> bool {
        self.ratio() <= self.aim
    }
}

impl Report {
    /// Adds a row; in JSON it is printed at once.
    pub(crate) fn add(&mut self, row: Row) {
        if self.json {
            println!(
                "{}",
                json!({
                    "bench": row.bench, "row": row.row, "ours": row.ours, "peer": row.peer, "unit": row.unit,
                    "ratio": row.ratio(), "aim": row.aim, "met": row.met(),
                })
            );
        }
        self.rows.push(row);
    }

    /// Prints the table.
    pub(crate) fn finish(&self) {
        if self.json {
            return;
        }
        let width = self
            .rows
            .iter()
            .map(|row| row.row.len())
            .max()
            .unwrap_or(0)
            .max(3);
        println!(
            "{:9} {:width$} {:>10} {:>10} {:5} {:>7} {:>7}  met",
            "bench", "row", "ours", "peer", "unit", "ratio", "aim"
        );
        for row in &self.rows {
            let (ratio, met) = (row.ratio(), if row.met() { "yes" } else { "no" });
            let Row {
                bench,
                row: name,
                ours,
                peer,
                unit,
                aim,
            } = row;
            println!(
                "{bench:9} {name:width$} {ours:>10.2} {peer:>10.2} {unit:5} {ratio:>7.4} {aim:>7.2}  {met}"
            );
        }
    }
}
