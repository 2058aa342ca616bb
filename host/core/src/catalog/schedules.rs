//! `schedules.yaml`: events that are fired at set times.

use cronexpr::{Crontab, MakeTimestamp};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Map, Value};

use super::{
    findings::Finding,
    people::unknown_group,
    routes::{Group, items, required},
    yaml::{Fields, Kind, Node},
};
use crate::decide::Source;

pub(super) const KEYS: [&str; 8] =
    ["name", "cron", "time_zone", "event", "subject", "data", "for_each", "missed"];
pub(super) const FOR_EACH: [&str; 1] = ["expiring_windows"];
const NAME_LIMIT: usize = 100;

/// An event that is fired at set times.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// Unique name, under which its times are recorded; 1 to 100 bytes.
    pub name: String,
    /// Cron expression and time zone, as written.
    pub cron: String,
    /// What happens at times when no host ran.
    pub missed: Missed,
    /// Type of the event.
    pub kind: String,
    /// Subject of the event.
    pub subject: Option<String>,
    /// Data of the event.
    pub data: Map<String, Value>,
    /// Fires one event for each of these, instead of one event.
    pub for_each: Option<ForEach>,
    crontab: Crontab,
}

impl Schedule {
    /// The first scheduled time after this one; `None` if there is none within four years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        self.crontab.find_next(MakeTimestamp(after)).ok().map(|next| next.timestamp())
    }
}

/// What happens at times when no host ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// They are recorded as missed.
    #[default]
    Skip,
    /// They are fired late.
    CatchUp,
}

/// What a schedule fires one event for each of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ForEach {
    /// Members of these groups whose 24-hour window closes within the hour.
    ExpiringWindows(Vec<String>),
}

/// Reads `schedules.yaml`.
pub fn schedules(file: &str, text: &str, groups: &[Group], findings: &mut Vec<Finding>) -> Vec<Schedule> {
    let mut schedules: Vec<Schedule> = Vec::new();
    for node in items(file, text, findings) {
        let Some(fields) = node.fields(&KEYS, findings) else { continue };
        let Some(schedule) = schedule(&fields, groups, findings) else { continue };
        if schedules.iter().any(|other| other.name == schedule.name) {
            let place = &fields.key("name").map_or(&fields.place, |key| &key.place);
            findings.push(Finding::at(place, format!("duplicate schedule `{}`", schedule.name)));
        }
        schedules.push(schedule);
    }
    schedules
}

fn schedule(fields: &Fields<'_>, groups: &[Group], findings: &mut Vec<Finding>) -> Option<Schedule> {
    let name = required(fields, "name", findings);
    let cron = required(fields, "cron", findings);
    let zone = required(fields, "time_zone", findings);
    let kind = required(fields, "event", findings);
    if let Some(name) = &name
        && (name.text.trim().is_empty() || name.text.len() > NAME_LIMIT)
    {
        findings.push(Finding::at(&name.place, format!("expected a name of 1 to {NAME_LIMIT} bytes")));
    }
    if let Some(kind) =
        kind.as_ref().filter(|kind| kind.text.contains(|c: char| c.is_whitespace() || c == '*'))
    {
        findings.push(Finding::at(&kind.place, "expected one event type, for example `report.due`"));
    }
    let subject = fields.text("subject", findings).map(|subject| subject.text);
    let data = match fields.get("data").map(|node| (node.json(), node)) {
        None => Map::new(),
        Some((Value::Object(data), _)) => data,
        Some((_, node)) => {
            findings.push(node.wrong("a map"));
            Map::new()
        }
    };
    let for_each = fields.get("for_each").and_then(|node| for_each(node, groups, findings));
    if let (Some(_), Some(key)) = (&for_each, fields.key("data").or(fields.key("subject"))) {
        let finding = Finding::at(&key.place, format!("`{}` cannot be used with `for_each`", key.text));
        findings.push(finding.help("each event is about the member it is fired for"));
    }
    let missed = fields.parsed("missed", missed, findings).unwrap_or_default();
    let crontab = cron.as_ref().zip(zone.as_ref()).and_then(|(cron, zone)| crontab(cron, zone, findings));
    Some(Schedule {
        name: name?.text,
        cron: format!("{} {}", cron?.text, zone?.text),
        missed,
        kind: kind?.text,
        subject,
        data,
        for_each,
        crontab: crontab?,
    })
}

fn crontab(cron: &Source, zone: &Source, findings: &mut Vec<Finding>) -> Option<Crontab> {
    if TimeZone::get(&zone.text).is_err() {
        let finding = Finding::at(&zone.place, format!("unknown time zone `{}`", zone.text));
        findings.push(finding.help("use an IANA name, for example `Africa/Harare` or `UTC`"));
        return None;
    }
    let example = "minute, hour, day of the month, month, day of the week; for example `0 7 * * MON-FRI`";
    if cron.text.split_whitespace().count() != 5 {
        let finding = Finding::at(&cron.place, format!("invalid cron expression `{}`", cron.text));
        findings.push(finding.help(format!("it needs five fields: {example}")));
        return None;
    }
    let crontab = match cronexpr::parse_crontab(&format!("{} {}", cron.text, zone.text)) {
        Ok(crontab) => crontab,
        Err(error) => {
            // The library draws the place on further lines.
            let why =
                error.to_string().lines().last().unwrap_or_default().trim_matches(['^', ' ']).to_owned();
            let finding = Finding::at(&cron.place, format!("invalid cron expression `{}`: {why}", cron.text));
            findings.push(finding.help(format!("the five fields are {example}")));
            return None;
        }
    };
    if crontab.find_next(MakeTimestamp(Timestamp::UNIX_EPOCH)).is_err() {
        findings.push(Finding::at(&cron.place, format!("`{}` never occurs", cron.text)));
        return None;
    }
    Some(crontab)
}

fn missed(text: &str) -> Result<Missed, String> {
    match text {
        "skip" => Ok(Missed::Skip),
        "catch_up" => Ok(Missed::CatchUp),
        other => Err(format!("expected skip or catch_up, got `{other}`")),
    }
}

fn for_each(node: &Node, groups: &[Group], findings: &mut Vec<Finding>) -> Option<ForEach> {
    let Kind::Map(_) = &node.value else {
        findings
            .push(node.wrong("a map").help("for example `for_each: {expiring_windows: [Technical Admin]}`"));
        return None;
    };
    let fields = node.fields(&FOR_EACH, findings)?;
    let named = fields.texts("expiring_windows", findings);
    if named.is_empty() {
        findings.push(Finding::at(&fields.place, "expected `expiring_windows` with a list of groups"));
        return None;
    }
    for group in named.iter().filter(|named| !groups.iter().any(|group| group.name == named.text)) {
        findings.push(unknown_group(&group.text, &group.place, groups));
    }
    Some(ForEach::ExpiringWindows(named.into_iter().map(|group| group.text).collect()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    const GROUPS: &str = "Technical Admin";

    fn read(text: &str) -> (Vec<Schedule>, Vec<String>) {
        let groups = [Group { name: GROUPS.to_owned(), description: String::new() }];
        let mut findings = Vec::new();
        let schedules = schedules("schedules.yaml", text, &groups, &mut findings);
        let said = |f: Finding| format!("{}:{}: {}", f.line, f.column, f.message);
        (schedules, findings.into_iter().map(said).collect())
    }

    fn times(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let (schedules, findings) =
            read(&format!("- {{name: n, cron: \"{cron}\", time_zone: {zone}, event: report.due}}"));
        assert!(findings.is_empty(), "{findings:?}");
        let mut at: Timestamp = after.parse().unwrap();
        let mut next = || {
            at = schedules[0].next(at).unwrap();
            at.to_string()
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn times_are_those_of_the_zone() {
        assert_eq!(
            times("0 7 * * MON-FRI", "Africa/Harare", "2026-11-20T05:00:00Z", 2),
            ["2026-11-23T05:00:00Z", "2026-11-24T05:00:00Z"]
        );
        assert_eq!(times("0 * * * *", "UTC", "2026-11-20T05:00:00Z", 1), ["2026-11-20T06:00:00Z"]);
    }

    /// As rules/README.md says.
    #[test]
    fn a_time_that_the_clock_skips_is_left_out_and_one_that_comes_twice_fires_twice() {
        assert_eq!(times("30 2 * * *", "Europe/Berlin", "2026-03-28T02:00:00Z", 1), ["2026-03-30T00:30:00Z"]);
        assert_eq!(
            times("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]
        );
    }

    #[test]
    fn all_is_read() {
        let (schedules, findings) = read(
            "- name: reminders\n  cron: '0 * * * *'\n  time_zone: Africa/Harare\n  event: window.expiring\n  \
             for_each: {expiring_windows: [Technical Admin]}\n  missed: catch_up\n\
             - name: report\n  cron: 0 7 1 * *\n  time_zone: UTC\n  event: report.due\n  subject: sales\n  data: {report: 1}\n",
        );
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(schedules[0].for_each, Some(ForEach::ExpiringWindows(vec![GROUPS.to_owned()])));
        assert_eq!(schedules[0].missed, Missed::CatchUp);
        assert_eq!(schedules[1].missed, Missed::Skip);
        assert_eq!(schedules[1].data["report"], 1);
        assert_eq!(schedules[1].cron, "0 7 1 * * UTC");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let wrong = |text: &str| read(text).1;
        let with =
            |key: &str| format!("- name: n\n  cron: 0 * * * *\n  time_zone: UTC\n  event: a.b\n  {key}\n");
        assert_eq!(wrong("- cron: 0 * * * *\n  time_zone: UTC\n  event: a.b\n"), ["1:3: `name` is missing"]);
        assert_eq!(
            wrong("- name: n\n  cron: 0 * * *\n  time_zone: UTC\n  event: a\n"),
            ["2:9: invalid cron expression `0 * * *`"]
        );
        let zone = wrong("- name: n\n  cron: 0 * * * *\n  time_zone: Harare\n  event: a\n");
        assert_eq!(zone, ["3:14: unknown time zone `Harare`"]);
        assert_eq!(
            wrong("- name: n\n  cron: 0 0 31 2 *\n  time_zone: UTC\n  event: a\n"),
            ["2:9: `0 0 31 2 *` never occurs"]
        );
        let minute = wrong("- name: n\n  cron: 61 * * * *\n  time_zone: UTC\n  event: a\n");
        assert!(minute[0].starts_with("2:9: invalid cron expression `61 * * * *`: "), "{minute:?}");
        assert!(wrong(&with("missed: never"))[0].starts_with("5:11: expected skip or catch_up, got `never`"));
        assert_eq!(wrong(&with("data: 3")), ["5:9: expected a map, got a number"]);
        assert_eq!(wrong(&with("for_each: {expiring_windows: [Sales]}")), ["5:33: unknown group `Sales`"]);
        let twice = format!("{}{}", with("missed: skip"), with("missed: skip"));
        assert_eq!(wrong(&twice), ["6:3: duplicate schedule `n`"]);
    }
}
