//! The table of figures, as text for a README.

use crate::process;
use stoa_types::Timestamp;

/// A figure beside its reference.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) figure: String,
    /// The value with its unit.
    pub(crate) value: String,
    /// What it is held against, with its value.
    pub(crate) reference: String,
    /// The value in parts of the reference.
    pub(crate) ratio: Option<f64>,
    /// What is asked for, and whether it is reached.
    pub(crate) aim: Option<(String, bool)>,
    /// Processor time of the server per answer, in microseconds.
    pub(crate) cpu_us: Option<f64>,
    /// What else there is to say.
    pub(crate) note: String,
    /// Load average when it was measured.
    load: String,
}

impl Row {
    /// A figure without anything beside.
    pub(crate) fn new(figure: &str, value: String) -> Self {
        Self {
            figure: figure.to_owned(),
            value,
            reference: String::new(),
            ratio: None,
            aim: None,
            cpu_us: None,
            note: String::new(),
            load: process::load(),
        }
    }

    /// The same, with an aim.
    pub(crate) fn aim(mut self, text: impl Into<String>, reached: bool) -> Self {
        self.aim = Some((text.into(), reached));
        self
    }

    /// The same, with a note.
    pub(crate) fn note(mut self, text: impl Into<String>) -> Self {
        self.note = text.into();
        self
    }

    fn line(&self) -> String {
        let ratio = self.ratio.map(|r| format!("{r:.3}")).unwrap_or_default();
        let aim = match &self.aim {
            None => String::new(),
            Some((aim, true)) => format!("{aim}: reached"),
            Some((aim, false)) => format!("{aim}: **missed**"),
        };
        let cpu = self.cpu_us.map(|us| format!("{us:.0} µs"));
        format!(
            "| {} | {} | {} | {ratio} | {aim} | {} | {} | {} |",
            self.figure,
            self.value,
            self.reference,
            cpu.unwrap_or_default(),
            self.note,
            self.load,
        )
    }
}

/// The whole table of one way to run.
pub(crate) fn markdown(mode: &str, rows: &[Row], now: Timestamp, is_pinned: bool) -> String {
    let place = if is_pinned {
        "server on one core, load generator on another"
    } else {
        "server and load generator share the cores: `taskset` or a second core is missing"
    };
    let mut text = format!(
        "Measured {} on {}, {mode} ({place}); 32 keep-alive connections, best of three rounds of 2 s, each \
         beside its reference. CPU is the time of all server processes per answer, without PostgreSQL.\n\n\
         | Figure | Measured | Reference | Ratio | Aim | CPU per request | Notes | Load |\n\
         |---|---|---|---|---|---|---|---|\n",
        now.to_string().split('T').next().unwrap_or_default(),
        process::processor(),
    );
    for row in rows {
        text.push_str(&row.line());
        text.push('\n');
    }
    text
}
