//! The result of a check, as values.

use jiff::Timestamp;
use serde::Serialize;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// A note; nothing is lost.
    Info,
    /// Some messages may not be sent, or late.
    Warning,
    /// Messages are not sent.
    Critical,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// A stable id for programs, for example `group.missing`.
    pub id: &'static str,
    /// The severity.
    pub severity: Severity,
    /// What it is about, for example the name of a group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// A description for people.
    pub what: String,
    /// Further lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// The command that fixes it, or shows more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Finding {
    /// A finding without a subject.
    pub fn new(severity: Severity, id: &'static str, what: impl Into<String>) -> Finding {
        Finding { id, severity, subject: None, what: what.into(), details: Vec::new(), command: None }
    }

    /// A critical finding: messages are not sent.
    pub fn critical(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Critical, id, what)
    }

    /// A warning: some messages may not be sent.
    pub fn warning(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, id, what)
    }

    /// A note.
    pub fn info(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Info, id, what)
    }

    /// Sets the subject.
    pub fn about(mut self, subject: impl Into<String>) -> Finding {
        self.subject = Some(subject.into());
        self
    }

    /// Sets further lines.
    pub fn details(mut self, details: Vec<String>) -> Finding {
        self.details = details;
        self
    }

    /// Sets the command.
    pub fn command(mut self, command: impl Into<String>) -> Finding {
        self.command = Some(command.into());
        self
    }
}

/// A fact that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An area that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Its name, for example `database`.
    pub name: &'static str,
    /// The worst severity of its findings.
    #[serde(serialize_with = "as_status")]
    pub status: Option<Severity>,
    /// Its state on a line.
    pub summary: String,
    /// Findings, the worst first.
    pub findings: Vec<Finding>,
    /// Facts that were checked.
    pub facts: Vec<Fact>,
}

impl Section {
    /// A section with these findings, sorted by severity.
    pub fn new(name: &'static str, summary: impl Into<String>, mut findings: Vec<Finding>) -> Section {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let status = findings.first().map(|finding| finding.severity);
        Section { name, status, summary: summary.into(), findings, facts: Vec::new() }
    }

    /// Adds facts.
    pub fn facts(mut self, facts: impl IntoIterator<Item = (String, String)>) -> Section {
        self.facts.extend(facts.into_iter().map(|(name, value)| Fact { name, value }));
        self
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The version of this JSON; it increases with breaking changes.
    pub schema: u32,
    /// The time of the check.
    pub checked_at: Timestamp,
    /// The worst severity: `ok`, `info`, `warning` or `critical`.
    #[serde(serialize_with = "as_status")]
    pub status: Option<Severity>,
    /// The sections, in the order in which messages pass them.
    pub sections: Vec<Section>,
}

impl Report {
    /// A report of these sections.
    pub fn new(checked_at: Timestamp, sections: Vec<Section>) -> Report {
        let status = sections.iter().filter_map(|section| section.status).max();
        Report { schema: 1, checked_at, status, sections }
    }

    /// The number of findings with a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.sections
            .iter()
            .flat_map(|section| &section.findings)
            .filter(|finding| finding.severity == severity)
            .count()
    }
}

fn as_status<S: serde::Serializer>(status: &Option<Severity>, serializer: S) -> Result<S::Ok, S::Error> {
    match status {
        None => serializer.serialize_str("ok"),
        Some(severity) => severity.serialize(serializer),
    }
}
