//! Runs cases: decides and plans as a host does, but sends nothing.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::Value;

use super::{
    Catalog, Told,
    case::Case,
    case_http::Rehearsed,
    expect::{self, Actual},
    findings::{Finding, Severity, TOLD},
    people,
    together::{CaseResult, results},
    uses,
};
use crate::{
    bounds::counted,
    decide::{Place, Ports, StandIns, plugin::Http},
    domain::{Event, Mode, Outcome, Senders, Verdict},
    plan::{Planned, Planner},
};

/// Ports of a case: its time and its configuration.
struct CasePorts<'a> {
    catalog: &'a Catalog,
    case: &'a Case,
    http: Arc<Rehearsed>,
}

impl<'a> CasePorts<'a> {
    fn new(catalog: &'a Catalog, case: &'a Case) -> CasePorts<'a> {
        CasePorts { catalog, case, http: Rehearsed::new(&case.http) }
    }
}

impl Ports for CasePorts<'_> {
    fn now(&self) -> Timestamp {
        self.case.now
    }

    fn config(&self, folder: &str, key: &str) -> Option<Value> {
        let own = (folder == self.case.domain).then(|| self.case.config.get(key)).flatten();
        own.or_else(|| self.catalog.config.get(folder)?.get(key)).cloned()
    }

    /// Always: what a case says may depend on nobody.
    fn http(&self) -> Option<Arc<dyn Http>> {
        Some(self.http.clone())
    }

    fn stand_ins(&self, plugin: &str) -> StandIns {
        let is_own = self.case.domain.strip_prefix("plugins/") == Some(plugin);
        let config = if is_own { self.case.config.clone() } else { Default::default() };
        StandIns { config, lookup: self.case.lookup.clone() }
    }

    fn is_rehearsal(&self) -> bool {
        true
    }
}

/// Decides a case's events and plans their messages, without comparing them.
pub fn decided(catalog: &Catalog, case: &Case) -> Vec<CaseResult> {
    results(catalog, case, &CasePorts::new(catalog, case))
}

/// Plans the messages of a verdict on one of a case's events.
pub fn plan(catalog: &Catalog, case: &Case, event: &Event, verdict: &Verdict) -> Planned {
    let made_up =
        case.made_up.then(|| people::with_users(case.people.clone(), std::slice::from_ref(verdict)));
    let planner = Planner {
        templates: &catalog.templates,
        senders: &Senders::any(),
        in_use: None,
        people: made_up.as_ref().unwrap_or(&case.people),
        now: case.now,
    };
    let mut planned = planner.plan(event, verdict);
    for planned in planned.notifications.iter_mut().filter(|planned| planned.skipped.is_none()) {
        planned.skipped = planner.opt_out(planned).map(ToString::to_string);
    }
    planned
}

/// Maximum time for all cases together: a host waits for them when it starts or reloads its rules.
const TIME: Duration = Duration::from_secs(60);

/// What the cases show.
#[derive(Default)]
pub struct Shown {
    /// Why cases fail.
    pub findings: Vec<Finding>,
    /// Warnings about messages that do not read well as Meta templates.
    pub warnings: Vec<Finding>,
    /// Rules that a case reaches: their files and lines.
    pub rules: BTreeSet<(String, usize)>,
    /// Templates that a case reaches.
    pub templates: BTreeSet<String>,
    /// Whom the rules told.
    pub told: BTreeSet<Told>,
    /// Places where a warning has been given.
    warned: BTreeSet<(String, usize, usize)>,
}

/// Runs all cases.
pub fn all(catalog: &Catalog) -> Shown {
    let started = Instant::now();
    let mut shown = Shown::default();
    for case in &catalog.cases {
        if started.elapsed() > TIME {
            let what = format!("the cases take longer than {} s", TIME.as_secs());
            shown.findings.push(
                Finding::at(&case.place, what)
                    .help("this case and all after it were not run; remove some cases or make them faster"),
            );
            break;
        }
        run(catalog, case, &mut shown);
        if shown.findings.len() > TOLD {
            break;
        }
    }
    shown
}

impl Shown {
    fn see(&mut self, catalog: &Catalog, case: &Case, verdict: &Verdict, planned: &Planned) {
        if let Some(rule) = &verdict.rule {
            self.rules.insert((rule.file.clone(), rule.line));
        }
        let Outcome::Notify(decision) = &verdict.outcome else { return };
        self.templates.insert(decision.template.clone());
        let first = planned.notifications.first().map(|planned| &planned.notification.message);
        let Some(message) = first.filter(|message| message.mode != Mode::Text) else { return };
        let variant = catalog.templates.variant(&decision.template, &message.language);
        let Some(template) = variant else { return };
        // A case that leaves a value out is only short; one with a blank value shows that there are such.
        let is_blank = |source: &str| {
            let blank = decision
                .context
                .iter()
                .filter(|(_, value)| value.as_str().is_some_and(|text| text.trim().is_empty()));
            let mut names = blank.map(|(name, _)| name.as_str());
            names
                .any(|name| source.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name))
        };
        for (line, column, source) in template.gaps(message).filter(|(_, _, source)| is_blank(source)) {
            if !self.warned.insert((template.file.clone(), line, column)) {
                continue;
            }
            let place = Place { line, column, ..Place::start_of(template.file.as_str()) };
            let what =
                format!("in the case `{}`, `{source}` is blank, which no Meta template can be", case.name);
            let text = message.meta_body.as_ref().unwrap_or(&message.body);
            let finding = Finding::at(&place, what)
                .note("outside the 24-hour window", text.clone())
                .help("give it another value, for example `first(value, \"…\")` in `context`");
            self.warnings.push(Finding { severity: Severity::Warning, ..finding });
        }
    }
}

/// Runs a case.
fn run(catalog: &Catalog, case: &Case, shown: &mut Shown) {
    let ports = CasePorts::new(catalog, case);
    let results = results(catalog, case, &ports);
    let named = |message: String| format!("case `{}` failed: {message}", case.name);
    let mut findings: Vec<Finding> = ports
        .http
        .unanswered()
        .into_iter()
        .map(|(method, url)| {
            let what = named(format!("it has no answer to {method} {url}, which a plugin requests"));
            let line = format!("- {{method: {method}, url: {url:?}, status: 200, body: '{{}}'}}");
            Finding::at(&case.place, what).help(format!("give one under `http`, such as {line}"))
        })
        .collect();
    for (index, CaseResult { types, event, verdict, planned }) in results.iter().enumerate() {
        shown.told.extend(types.iter().filter_map(|kind| uses::told(kind, verdict)));
        shown.see(catalog, case, verdict, planned);
        let result = Actual { event, verdict, planned };
        let place = case.expected.get(index).map_or(&case.place, |expected| &expected.place);
        if let Outcome::Notify(decision) = &verdict.outcome {
            let known = |name: &str| catalog.groups.iter().any(|group| group.name == name);
            for group in decision.all_groups().filter(|group| !known(group)) {
                let finding = people::unknown_group(group, place, &catalog.groups);
                findings.push(Finding { message: named(finding.message), ..finding });
            }
        }
        let Some(expected) = case.expected.get(index) else {
            let finding = Finding::at(place, named(format!("unexpected result {}", index + 1)));
            let by = verdict
                .rule
                .as_ref()
                .map_or_else(|| "no rule".to_owned(), |rule| format!("{}:{}", rule.file, rule.line));
            findings.push(finding.note("actual", expect::said(&result)).note("from", by));
            continue;
        };
        for difference in expected.differences(&result) {
            let finding = Finding::at(&difference.place, named(format!("{} differs", difference.about)));
            findings.push(finding.note("expected", difference.expected).note("actual", difference.actual));
        }
    }
    let led = if case.has_several { "the events led" } else { "the event led" };
    for expected in case.expected.iter().skip(results.len()) {
        let message =
            named(format!("expected another result; {led} to only {}", counted(results.len(), "result")));
        findings.push(Finding::at(&expected.place, message));
    }
    shown.findings.extend(findings);
}
