//! What the check found: values, apart from how they are shown.

use jiff::Timestamp;
use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Good to know; nothing is lost.
    Info,
    /// Some messages may not go out, or later than they should.
    Warning,
    /// Messages do not go out.
    Critical,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Stable, for programs, such as `group.missing`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// What it is about, such as a group's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What is wrong, in words.
    pub what: String,
    /// More about it, a line each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// The command to paste.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

impl Finding {
    /// A finding about the whole.
    pub fn new(severity: Severity, id: &'static str, what: impl Into<String>) -> Finding {
        Finding { id, severity, subject: None, what: what.into(), details: Vec::new(), command: None }
    }

    /// Messages do not go out.
    pub fn critical(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Critical, id, what)
    }

    /// Some messages may not go out.
    pub fn warning(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, id, what)
    }

    /// Good to know.
    pub fn info(id: &'static str, what: impl Into<String>) -> Finding {
        Finding::new(Severity::Info, id, what)
    }

    /// Says what it is about.
    pub fn about(mut self, subject: impl Into<String>) -> Finding {
        self.subject = Some(subject.into());
        self
    }

    /// Says more about it.
    pub fn details(mut self, details: Vec<String>) -> Finding {
        self.details = details;
        self
    }

    /// Says what to do.
    pub fn command(mut self, command: impl Into<String>) -> Finding {
        self.command = Some(command.into());
        self
    }
}

/// One value that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// How it is.
    pub value: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    /// Such as `database`.
    pub name: &'static str,
    /// The worst of its findings.
    #[serde(serialize_with = "as_status")]
    pub status: Option<Severity>,
    /// How it is, in a line.
    pub summary: String,
    /// What was found.
    pub findings: Vec<Finding>,
    /// All that was looked at.
    pub facts: Vec<Fact>,
}

impl Section {
    /// A section; its findings stand in the order of their severity.
    pub fn new(name: &'static str, summary: impl Into<String>, mut findings: Vec<Finding>) -> Section {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let status = findings.first().map(|finding| finding.severity);
        Section { name, status, summary: summary.into(), findings, facts: Vec::new() }
    }

    /// Adds what was looked at.
    pub fn facts(mut self, facts: impl IntoIterator<Item = (String, String)>) -> Section {
        self.facts.extend(facts.into_iter().map(|(name, value)| Fact { name, value }));
        self
    }
}

/// All that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Of this JSON; a change that breaks readers counts it up.
    pub schema: u32,
    /// When.
    pub checked_at: Timestamp,
    /// The worst finding: `ok`, `info`, `warning` or `critical`.
    #[serde(serialize_with = "as_status")]
    pub status: Option<Severity>,
    /// One for each thing that was looked at, in the order of the flow.
    pub sections: Vec<Section>,
}

impl Report {
    /// Of these sections.
    pub fn new(checked_at: Timestamp, sections: Vec<Section>) -> Report {
        let status = sections.iter().filter_map(|section| section.status).max();
        Report { schema: 1, checked_at, status, sections }
    }

    /// How many findings there are of a severity.
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
