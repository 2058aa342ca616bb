//! Schedules, and the times that they missed.

use hookswitch_core::catalog::Catalog;
use jiff::Timestamp;

use super::{
    report::{Finding, Section},
    words::{count, time},
};
use crate::store::MissedSlots;

/// The schedules on disk, and what was missed of them in the last 24 hours.
pub fn judge(catalog: Option<&Catalog>, missed: &[MissedSlots], now: Timestamp) -> Section {
    let schedules = catalog.map_or(&[][..], |catalog| &catalog.schedules);
    // One that is deleted matters to nobody; if the rules do not compile, none is known to be.
    let exists = |name: &str| catalog.is_none() || schedules.iter().any(|schedule| schedule.name == name);
    let missed = missed.iter().filter(|missed| exists(&missed.schedule));
    let findings: Vec<Finding> = missed
        .map(|missed| {
            // Of the times of an outage only the last is recorded.
            let what = format!(
                "the schedule {} did not fire at {}, as no host was running",
                missed.schedule,
                time(missed.last)
            );
            Finding::warning("schedule.missed", what).about(missed.schedule.clone()).advice(
                "post its event by hand if it still matters; with `missed: catch_up` in schedules.yaml, missed \
                 times are made up for",
            )
        })
        .collect();
    let summary = format!(
        "{}, {} missed a time in 24 hours",
        count(schedules.len(), "schedule", "schedules"),
        findings.len()
    );
    Section::new("schedules", summary, findings).facts(schedules.iter().map(|schedule| {
        let next = schedule.next(now).map_or("never".to_owned(), time);
        (schedule.name.clone(), format!("{}, next at {next}", schedule.kind))
    }))
}
