/// What was measured, a table for each subject.
#[derive(Default)]
pub(crate) struct Report {
    tables: Vec<Table>,
}

struct Table {
    /// Who did the same in the same run.
    beside: &'static str,
    rows: Vec<Row>,
}

struct Row {
    what: String,
    measured: f64,
    unit: &'static str,
    theirs: Option<f64>,
    goal: Option<f64>,
}

impl Report {
    /// Begins a table of figures beside those of somebody else.
    pub(crate) fn begin(&mut self, beside: &'static str) {
        self.tables.push(Table { beside, rows: Vec::new() });
    }

    /// Adds a figure; `theirs` is that of who stands beside Waypost, `goal` what Waypost aims at.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        theirs: Option<f64>,
        goal: Option<f64>,
    ) {
        let row = Row { what: what.into(), measured, unit, theirs, goal };
        eprintln!("{}", row.show());
        if let Some(table) = self.tables.last_mut() {
            table.rows.push(row);
        }
    }

    pub(crate) fn print(&self) {
        for Table { beside, rows } in &self.tables {
            println!("{:<52} {:>12} {beside:>16} {:>8} {:>12}", "", "Waypost", "ratio", "goal");
            for row in rows {
                println!("{}", row.show());
            }
        }
    }
}

impl Row {
    fn show(&self) -> String {
        let value = |value: Option<f64>| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2} {}", self.unit))
        };
        let ratio =
            self.theirs.map_or_else(String::new, |theirs| format!("{:.2}", self.measured / theirs));
        let goal =
            self.goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal} {}", self.unit));
        format!(
            "{:<52} {:>12} {:>16} {:>8} {:>12}",
            self.what,
            value(Some(self.measured)),
            value(self.theirs),
            ratio,
            goal,
        )
    }
}
