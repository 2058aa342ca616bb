//! A release that decides beside the live one and sends nothing: that it is under way, and why it ended early.

use jiff::Timestamp;

use super::{
    command::Command,
    report::{Finding, Section},
    words::time,
};
use crate::{
    releases::short,
    store::{ShadowEnd, StoredShadow},
};

/// The shadow that is under way, or that has ended lately.
pub fn judge(of: &StoredShadow, now: Timestamp) -> Section {
    let (release, live) = (short(&of.release), short(&of.live));
    let show = Command::new(&["release", "shadow", "show"]);
    let mut findings = Vec::new();
    let why = |why: &Option<String>| why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let summary = match &of.ended {
        None => {
            let what = format!("the release {release} is a shadow of {live} until {}", time(of.until));
            findings.push(Finding::info("shadow.under_way", what).about(release).command(show.clone()));
            if !of.is_held && of.until > now {
                let what = format!("no host is at the shadow of release {release}{}", why(&of.trouble));
                findings.push(Finding::warning("shadow.stalled", what).about(release).command(show));
            }
            format!("release {release} is a shadow of {live}")
        }
        Some((end, reason, at)) => {
            let stopped = match end {
                ShadowEnd::Failures => Some("failed too often"),
                ShadowEnd::Slow => Some("was too slow"),
                ShadowEnd::Error => Some("could not be carried on"),
                ShadowEnd::Time | ShadowEnd::Stopped | ShadowEnd::Activation => None,
            };
            if let Some(what) = stopped {
                let what = format!(
                    "the shadow of release {release} {what} and was stopped {}{}",
                    time(*at),
                    why(reason)
                );
                findings.push(Finding::warning("shadow.stopped", what).about(release).command(show));
            }
            format!("the shadow of release {release} has ended")
        }
    };
    Section::new("shadow", summary, findings)
}
