//! The result of a check, as values.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use super::{command::Command, recipients::GroupUse};

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Finding)]
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
    /// A line for a shell that fixes it, or shows what is behind it: it can be executed as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// What to do where no command does it, or after the command.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// Where in the advice a command of this program begins that has words to fill in, in capitals.
    #[serde(skip)]
    pub example: Option<usize>,
}

impl Finding {
    /// A finding without a subject.
    pub fn new(severity: Severity, id: &'static str, what: impl Into<String>) -> Finding {
        Finding {
            id,
            severity,
            subject: None,
            what: what.into(),
            details: Vec::new(),
            command: None,
            advice: None,
            example: None,
        }
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

    /// Sets the command of this program that fixes it or shows what is behind it.
    pub fn command(self, command: Command) -> Finding {
        self.shell(command.to_string())
    }

    /// Sets a command of another program, as a line for a shell.
    pub fn shell(mut self, line: String) -> Finding {
        self.command = Some(line);
        self
    }

    /// Says what to do where no command does it, or after the command.
    pub fn advice(mut self, advice: impl Into<String>) -> Finding {
        self.advice = Some(advice.into());
        self
    }

    /// Says what to do, with a command that has words to fill in, or that somebody must want.
    pub fn example(mut self, advice: &str, command: &Command) -> Finding {
        self.example = Some(advice.len() + 2);
        self.advice(format!("{advice}: {command}"))
    }
}

/// A fact that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckedFact)]
pub struct Fact {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// An area that was checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckedSection)]
pub struct Section {
    /// Its name, for example `database`.
    pub name: &'static str,
    /// The worst severity of its findings: `ok`, `info`, `warning` or `critical`.
    #[serde(serialize_with = "as_status")]
    #[schema(value_type = String)]
    pub status: Option<Severity>,
    /// Its state on a line.
    pub summary: String,
    /// Findings, the worst first.
    pub findings: Vec<Finding>,
    /// Facts that were checked.
    pub facts: Vec<Fact>,
    /// Number of further facts, which are not listed.
    #[serde(skip_serializing_if = "is_zero")]
    pub further_facts: i64,
}

fn is_zero(number: &i64) -> bool {
    *number == 0
}

impl Section {
    /// A section with these findings, sorted by severity.
    pub fn new(name: &'static str, summary: impl Into<String>, mut findings: Vec<Finding>) -> Section {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
        let status = findings.first().map(|finding| finding.severity);
        Section { name, status, summary: summary.into(), findings, facts: Vec::new(), further_facts: 0 }
    }

    /// Adds facts.
    pub fn facts(mut self, facts: impl IntoIterator<Item = (String, String)>) -> Section {
        self.facts.extend(facts.into_iter().map(|(name, value)| Fact { name, value }));
        self
    }

    /// Sets the number of further facts, which are not listed.
    pub fn further_facts(mut self, number: i64) -> Section {
        self.further_facts = number.max(0);
        self
    }
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CheckReport)]
pub struct Report {
    /// The version of this JSON; it increases with breaking changes.
    pub schema: u32,
    /// The time of the check.
    pub checked_at: Timestamp,
    /// The worst severity: `ok`, `info`, `warning` or `critical`.
    #[serde(serialize_with = "as_status")]
    #[schema(value_type = String)]
    pub status: Option<Severity>,
    /// The sections, in the order in which messages pass them.
    pub sections: Vec<Section>,
    /// Whom rules tell about which events, by group.
    pub recipients: Vec<GroupUse>,
}

impl Report {
    /// A report of these sections.
    pub fn new(checked_at: Timestamp, sections: Vec<Section>, recipients: Vec<GroupUse>) -> Report {
        let status = sections.iter().filter_map(|section| section.status).max();
        Report { schema: 1, checked_at, status, sections, recipients }
    }

    /// All findings.
    pub fn findings_mut(&mut self) -> impl Iterator<Item = &mut Finding> {
        self.sections.iter_mut().flat_map(|section| &mut section.findings)
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
