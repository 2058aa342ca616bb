//! The report for people.

use console::{Term, style};

use crate::{
    check::{
        EventUse, Finding, GroupUse, KnownFrom, Report, Section, Severity, count,
        words::{grouped, some},
    },
    cli::table,
};

/// Maximum number of lines of a finding, of facts of a section, and of rows of the table of recipients.
const DETAILS: usize = 10;
const MORE_DETAILS: usize = 100;
const FACTS: usize = 50;
const ROWS: usize = 200;
/// Maximum number of members of a group to name.
const MEMBERS: usize = 3;

/// Prints the report; `verbose` with notes, facts and the table of recipients.
pub fn print(report: &Report, verbose: bool) {
    let width = report.sections.iter().map(|section| section.name.len()).max().unwrap_or(0);
    for section in &report.sections {
        let name = section.name.replace('_', " ");
        println!("{} {}  {}", mark(section.status), style(format!("{name:width$}")).bold(), section.summary);
        if verbose {
            print_facts(section, width);
        }
        for finding in &section.findings {
            if finding.severity > Severity::Info || verbose {
                print_finding(finding, width, if verbose { MORE_DETAILS } else { DETAILS });
            }
        }
    }
    if verbose {
        print_recipients(&report.recipients);
    }
    println!();
    let (critical, warnings) = (report.count(Severity::Critical), report.count(Severity::Warning));
    let hidden = if verbose { 0 } else { report.count(Severity::Info) };
    let more = match hidden {
        0 => String::new(),
        some => format!(" {} hidden; use --verbose.", count(some, "note", "notes")),
    };
    match (critical, warnings) {
        (0, 0) => println!("{}{more}", style("No problems found.").green()),
        (0, _) => {
            println!("{}{more}", style(format!("{}.", count(warnings, "warning", "warnings"))).yellow())
        }
        _ => println!(
            "{}{more}",
            style(format!("{critical} critical, {}.", count(warnings, "warning", "warnings"))).red()
        ),
    }
}

fn mark(severity: Option<Severity>) -> console::StyledObject<&'static str> {
    match severity {
        None | Some(Severity::Info) => style("✓").green(),
        Some(Severity::Warning) => style("!").yellow(),
        Some(Severity::Critical) => style("✗").red(),
    }
}

fn print_finding(finding: &Finding, width: usize, most: usize) {
    let indent = " ".repeat(width + 4);
    let mark = match finding.severity {
        Severity::Info => style("·").dim(),
        Severity::Warning => style("!").yellow(),
        Severity::Critical => style("✗").red(),
    };
    // Elsewhere than on a terminal a finding is a line.
    let width = if Term::stdout().is_term() { 96 } else { usize::MAX };
    let options = textwrap::Options::new(width).initial_indent("").subsequent_indent("  ");
    let text = textwrap::wrap(&finding.what, options);
    for (index, line) in text.iter().enumerate() {
        match index {
            0 => println!("{indent}{mark} {line}"),
            _ => println!("{indent}{line}"),
        }
    }
    for detail in finding.details.iter().take(most) {
        println!("{indent}    {detail}");
    }
    print_left(&format!("{indent}    "), finding.details.len().saturating_sub(most));
    for next in finding.command.iter().chain(&finding.advice) {
        println!("{indent}  {} {next}", style("→").dim());
    }
}

fn print_left(indent: &str, left: usize) {
    if left > 0 {
        println!("{indent}and {} more", grouped(i64::try_from(left).unwrap_or(i64::MAX)));
    }
}

fn print_facts(section: &Section, width: usize) {
    let facts = &section.facts[..section.facts.len().min(FACTS)];
    let indent = " ".repeat(width + 4);
    let longest = facts.iter().map(|fact| fact.name.chars().count()).max().unwrap_or(0).min(40);
    for fact in facts {
        println!("{indent}{:longest$}  {}", fact.name, fact.value);
    }
    let left = section.facts.len() - facts.len();
    print_left(&indent, left.saturating_add(usize::try_from(section.further_facts).unwrap_or(0)));
}

/// Groups × event types × members.
fn print_recipients(groups: &[GroupUse]) {
    let rows: Vec<[String; 4]> = groups.iter().flat_map(rows).collect();
    if rows.is_empty() {
        return;
    }
    let mut table = table::table(&["GROUP", "MEMBERS", "EVENT TYPE", "RULE"]);
    for row in rows.iter().take(ROWS) {
        table.add_row(row.iter().map(|cell| table::one_line(cell)));
    }
    println!();
    table::print(&table);
    print_left("", rows.len().saturating_sub(ROWS));
}

/// A row for each event; the group stands in the first.
fn rows(group: &GroupUse) -> Vec<[String; 4]> {
    let name = group.group.clone().unwrap_or_else(|| "(named by the rule)".to_owned());
    let mut head = Some((name, members(group)));
    let none = [("(none)".to_owned(), String::new())];
    let events = group.events.iter().map(|event| (event.kind.clone(), rule(event)));
    let events: Vec<(String, String)> = if group.events.is_empty() { none.into() } else { events.collect() };
    let row = |(kind, rule)| {
        let (name, members) = head.take().unwrap_or_default();
        [name, members, kind, rule]
    };
    events.into_iter().map(row).collect()
}

fn members(group: &GroupUse) -> String {
    match group {
        GroupUse { group: None, .. } => String::new(),
        GroupUse { exists: false, .. } => "(no such group)".to_owned(),
        GroupUse { active: 0, members: 0, .. } => "(none)".to_owned(),
        GroupUse { active: 0, .. } => "(none active)".to_owned(),
        GroupUse { active, usernames, .. } => some(&usernames[..usernames.len().min(MEMBERS)], *active),
    }
}

fn rule(event: &EventUse) -> String {
    match event.known_from {
        KnownFrom::Route => event.rule.clone(),
        KnownFrom::Cases => format!("{} (in its cases)", event.rule),
        KnownFrom::History => format!("{} (in its history)", event.rule),
    }
}
