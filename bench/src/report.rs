/// A table of what was measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

struct Row {
    what: String,
    measured: f64,
    unit: &'static str,
    floor: Option<f64>,
    goal: Option<f64>,
}

impl Report {
    /// Adds a figure; `floor` is that of the bare relay in the same run, `goal` what Waypost aims
    /// at.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        measured: f64,
        unit: &'static str,
        floor: Option<f64>,
        goal: Option<f64>,
    ) {
        let row = Row { what: what.into(), measured, unit, floor, goal };
        eprintln!("{}", row.show());
        self.rows.push(row);
    }

    pub(crate) fn print(&self) {
        println!("{:<52} {:>12} {:>16} {:>8} {:>12}", "", "Waypost", "bare relay", "ratio", "goal");
        for row in &self.rows {
            println!("{}", row.show());
        }
    }
}

impl Row {
    fn show(&self) -> String {
        let value = |value: Option<f64>| {
            value.map_or_else(|| "–".to_owned(), |value| format!("{value:.2} {}", self.unit))
        };
        let ratio =
            self.floor.map_or_else(String::new, |floor| format!("{:.2}", self.measured / floor));
        let goal =
            self.goal.map_or_else(|| "–".to_owned(), |goal| format!("≤ {goal} {}", self.unit));
        format!(
            "{:<52} {:>12} {:>16} {:>8} {:>12}",
            self.what,
            value(Some(self.measured)),
            value(self.floor),
            ratio,
            goal,
        )
    }
}
