//! What is wrong in a rules folder: values, and how they are printed.

use std::fmt;

use crate::{
    bounds::{REASON, cut},
    decide::{Place, RuleError},
    domain::{is_visible, visible},
};

/// Whether a finding keeps the catalog from going live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does.
    Error,
    /// It does not.
    Warning,
}

/// One thing that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The file, relative to the rules folder; empty where it is about the folder itself.
    pub file: String,
    /// The line, from 1; 0 where it is about the file as a whole.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// More about it: a label and a text, such as what a case expected.
    pub notes: Vec<(&'static str, String)>,
    /// The line as it stands in the file; of a long one, what is around the column.
    pub source_line: Option<String>,
    /// The column within `source_line`, from 1.
    pub(super) caret: usize,
}

/// How much of a line is shown, in characters: as much before the column as behind it.
const SHOWN: usize = 160;
/// How many findings are told.
pub const TOLD: usize = 100;
/// How many are kept while files are read.
pub const KEPT: usize = 10 * TOLD;
/// How long a note may be, in characters: what people read has 4,096 at most.
const NOTE: usize = 5_000;

impl Finding {
    /// An error at a place in a file.
    pub fn at(place: &Place, message: impl Into<String>) -> Self {
        Finding { line: place.line, column: place.column, ..Finding::of_file(&*place.file, message) }
    }

    /// An error about a file as a whole.
    pub fn of_file(file: impl Into<String>, message: impl Into<String>) -> Self {
        Finding {
            severity: Severity::Error,
            file: file.into(),
            line: 0,
            column: 0,
            message: message.into(),
            notes: Vec::new(),
            source_line: None,
            caret: 1,
        }
    }

    /// Shows the line of the file that it is about.
    pub fn with_line(mut self, line: &str) -> Self {
        let before = self.column.saturating_sub(1);
        let skipped = before.saturating_sub(SHOWN / 2);
        let mut shown: String = line.chars().skip(skipped).take(SHOWN).collect();
        if skipped > 0 {
            shown.insert(0, '…');
        }
        if line.chars().nth(skipped + SHOWN).is_some() {
            shown.push('…');
        }
        self.caret = before - skipped + 1 + usize::from(skipped > 0);
        self.source_line = Some(shown);
        self
    }

    /// With words of a length that people read.
    pub fn in_bounds(mut self) -> Self {
        self.message = cut(&self.message, REASON);
        for (_, note) in &mut self.notes {
            *note = cut(note, NOTE);
        }
        self
    }

    /// Says what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.note("help", help)
    }

    /// Says more about it.
    pub fn note(mut self, label: &'static str, text: impl Into<String>) -> Self {
        self.notes.push((label, text.into()));
        self
    }
}

impl From<RuleError> for Finding {
    fn from(error: RuleError) -> Self {
        let finding = Finding::at(&error.place, error.message);
        match error.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

/// All that is wrong in a rules folder, in the order of files and lines; printed as rustc prints its errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// The rules folder, as it was given.
    pub folder: String,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Findings {
    /// How many of them are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error).count()
    }
}

impl std::error::Error for Findings {}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            print(f, &self.folder, finding)?;
            writeln!(f)?;
        }
        let (errors, warnings) = (self.errors(), self.findings.len() - self.errors());
        let counted = |count: usize, what| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
        match (errors, warnings) {
            (_, 0) => write!(f, "{} in {}", counted(errors, "error"), self.folder),
            (0, _) => write!(f, "{} in {}", counted(warnings, "warning"), self.folder),
            _ => write!(
                f,
                "{} and {} in {}",
                counted(errors, "error"),
                counted(warnings, "warning"),
                self.folder
            ),
        }
    }
}

fn print(f: &mut fmt::Formatter<'_>, folder: &str, finding: &Finding) -> fmt::Result {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    writeln!(f, "{severity}: {}", visible(&finding.message))?;
    let number = if finding.line == 0 { String::new() } else { finding.line.to_string() };
    let margin = " ".repeat(number.len().max(1));
    let file = match finding.file.as_str() {
        "" => folder.to_owned(),
        // Plugins have a folder of their own.
        file if file.starts_with("plugins/") => visible(file).into_owned(),
        file => format!("{}/{}", folder.trim_end_matches('/'), visible(file)),
    };
    match finding.line {
        0 => writeln!(f, "{margin}--> {file}")?,
        line => writeln!(f, "{margin}--> {file}:{line}:{}", finding.column)?,
    }
    if let Some(line) = &finding.source_line {
        // Tabs take one column, so that the caret stands under its character.
        let line = line.replace('\t', " ").replace(|c: char| !is_visible(c), "\u{fffd}");
        let caret = " ".repeat(finding.caret.saturating_sub(1));
        writeln!(f, "{margin} |\n{number} | {line}\n{margin} | {caret}^")?;
    }
    for (label, text) in &finding.notes {
        let text = visible(text);
        let mut lines = text.lines();
        writeln!(f, "{margin} = {label}: {}", lines.next().unwrap_or_default())?;
        for line in lines {
            writeln!(f, "{margin}   {}{line}", " ".repeat(label.len() + 2))?;
        }
    }
    Ok(())
}
