//! Findings: what is wrong in a rules folder, where, and how it is printed.

use std::fmt;

use crate::{
    bounds::{REASON, counted, cut},
    decide::{Place, RuleError},
    domain::{is_visible, visible},
    plan::TemplateError,
};

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The catalog does not go live.
    Error,
    /// The catalog goes live all the same.
    Warning,
    /// Nothing is wrong: it is good to know.
    Note,
}

/// A problem in a rules folder, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Severity.
    pub severity: Severity,
    /// File, relative to the rules folder; empty for the folder itself.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// Labelled details, for example `help` or what a case `expected`.
    pub notes: Vec<(&'static str, String)>,
    /// Text of the line; of a long line, the part around the column.
    pub source_line: Option<String>,
    /// Column within `source_line`, from 1.
    pub(super) caret: usize,
}

/// Maximum length of a shown line, in characters: half before the column, half after it.
const SHOWN: usize = 160;
/// Maximum number of findings reported.
pub const TOLD: usize = 100;
/// Maximum number of findings kept while files are read.
pub const KEPT: usize = 10 * TOLD;
/// Maximum length of a note, in characters: the text of a message has at most 4,096.
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

    /// Adds the line of the file.
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

    /// Cuts the message and the notes to a readable length.
    pub fn in_bounds(mut self) -> Self {
        self.message = cut(&self.message, REASON);
        for (_, note) in &mut self.notes {
            *note = cut(note, NOTE);
        }
        self
    }

    /// Adds what to do about it.
    pub fn help(self, help: impl Into<String>) -> Self {
        self.note("help", help)
    }

    /// Adds a labelled detail.
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

impl From<TemplateError> for Finding {
    fn from(error: TemplateError) -> Self {
        let place = Place { line: error.line, column: error.column, ..Place::start_of(error.file) };
        let finding = Finding::at(&place, error.message);
        match error.help {
            Some(help) => finding.help(help),
            None => finding,
        }
    }
}

/// All findings of a rules folder, ordered by file and line, and printed in the style of rustc.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Findings {
    /// Rules folder, as it was given.
    pub folder: String,
    /// Errors first, then warnings.
    pub findings: Vec<Finding>,
}

impl Findings {
    /// Number of errors.
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
        let count = |severity| self.findings.iter().filter(|it| it.severity == severity).count();
        let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
        let told: Vec<String> = counts
            .into_iter()
            .map(|(severity, word)| (count(severity), word))
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| counted(count, word))
            .collect();
        let told = if told.is_empty() { counted(0, "error") } else { told.join(" and ") };
        write!(f, "{told} in {}", self.folder)
    }
}

fn print(f: &mut fmt::Formatter<'_>, folder: &str, finding: &Finding) -> fmt::Result {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    writeln!(f, "{severity}: {}", visible(&finding.message))?;
    let number = if finding.line == 0 { String::new() } else { finding.line.to_string() };
    let margin = " ".repeat(number.len().max(1));
    let file = match finding.file.as_str() {
        "" => folder.to_owned(),
        // Plugins have their own folder.
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
