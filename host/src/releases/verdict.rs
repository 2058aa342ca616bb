//! What became of the checks and cases of a release when it was created.

use hookswitch_core::{
    catalog::{Catalog, Finding, Findings, Severity},
    decide::plugin::Plugin,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Maximum number of findings that are kept.
const KEPT: usize = 20;
/// Maximum length of a finding's message, in characters.
const MESSAGE: usize = 500;

/// What became of the checks and cases of a release when it was created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleaseVerdict)]
pub struct Verdict {
    /// Whether it compiles and its cases pass.
    pub state: VerdictState,
    /// Number of its cases.
    pub cases: usize,
    /// Number of warnings.
    pub warnings: usize,
    /// The errors and the cases that fail, at most 20.
    pub findings: Vec<VerdictFinding>,
}

/// Whether a release compiles and its cases pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReleaseVerdictState)]
pub enum VerdictState {
    /// It compiles, and all cases pass.
    Passed,
    /// It compiles, but cases fail: it goes live only by force.
    CasesFail,
    /// It does not compile: it cannot go live.
    DoesNotCompile,
}

impl VerdictState {
    /// The words for people.
    pub fn words(self) -> &'static str {
        match self {
            VerdictState::Passed => "passed",
            VerdictState::CasesFail => "cases fail",
            VerdictState::DoesNotCompile => "does not compile",
        }
    }
}

/// An error in a release, or a case that fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReleaseFinding)]
pub struct VerdictFinding {
    /// The file, with its line if it is about one; null if it is about the release as a whole.
    pub place: Option<String>,
    /// What is wrong.
    pub message: String,
}

impl From<&Finding> for VerdictFinding {
    fn from(finding: &Finding) -> Self {
        let place = match (finding.file.as_str(), finding.line) {
            ("", _) => None,
            (file, 0) => Some(file.to_owned()),
            (file, line) => Some(format!("{file}:{line}")),
        };
        VerdictFinding { place, message: finding.message.chars().take(MESSAGE).collect() }
    }
}

impl Verdict {
    /// The verdict on a catalog that went live: its cases have passed, unless a plugin is left out because they fail.
    pub fn live(catalog: &Catalog) -> Verdict {
        Verdict {
            state: match catalog.plugins.values().any(Plugin::is_left_out) {
                false => VerdictState::Passed,
                true => VerdictState::CasesFail,
            },
            cases: catalog.counts.cases,
            warnings: catalog.all_warnings().count(),
            findings: Vec::new(),
        }
    }

    /// The verdict on what was compiled to be tried.
    pub fn new(loaded: &Result<Catalog, Findings>) -> Verdict {
        let some = |findings: &[Finding]| {
            let errors = findings.iter().filter(|finding| finding.severity == Severity::Error);
            errors.take(KEPT).map(VerdictFinding::from).collect()
        };
        match loaded {
            Ok(catalog) if catalog.failed_cases.is_empty() => Verdict::live(catalog),
            Ok(catalog) => Verdict {
                state: VerdictState::CasesFail,
                findings: some(&catalog.failed_cases),
                ..Verdict::live(catalog)
            },
            Err(findings) => Verdict {
                state: VerdictState::DoesNotCompile,
                cases: 0,
                warnings: 0,
                findings: some(&findings.findings),
            },
        }
    }
}
