//! How releases are printed.

use hookswitch_core::domain::LaneShare;

use crate::{
    check::words::size,
    cli::{
        output,
        table::{self, one_line, time},
    },
    operate::{ReleaseDetail, ReleaseDifference, ReleaseReport},
    releases::short,
};

pub(super) fn list(releases: &[ReleaseReport], json: bool) -> anyhow::Result<()> {
    if json {
        return Ok(output::json_lines(releases)?);
    }
    if releases.is_empty() {
        println!("No releases. To create one: hookswitch release create");
        return Ok(());
    }
    let mut table = table::table(&["RELEASE", "STATE", "CHECKS", "HOSTS", "CREATED", "BY", "NOTE"]);
    for release in releases {
        table.add_row([
            release.release.clone(),
            state(release),
            release.verdict.state.words().to_owned(),
            release.hosts.len().to_string(),
            time(release.created_at),
            one_line(&release.created_by).into_owned(),
            one_line(release.note.as_deref().unwrap_or_default()).into_owned(),
        ]);
    }
    table::print(&table);
    Ok(())
}

fn state(release: &ReleaseReport) -> String {
    match (release.active, LaneShare::of_lanes(release.lanes), release.activated_at) {
        (true, None, _) => "active".to_owned(),
        (true, Some(rest), _) => format!("active for {rest}"),
        (false, Some(share), _) => format!("decides for {share}"),
        (false, None, Some(_)) => "was active".to_owned(),
        (false, None, None) => String::new(),
    }
}

pub(super) fn show(shown: &ReleaseDetail) {
    let ReleaseDetail { release, files, activations } = shown;
    println!("release   {} ({})", release.release, release.id);
    let state = state(release);
    if !state.is_empty() {
        println!("state     {state}");
    }
    println!("created   {} by {}", time(release.created_at), one_line(&release.created_by));
    if let Some(note) = &release.note {
        println!("note      {}", one_line(note));
    }
    if let Some(parent) = &release.parent {
        println!("parent    {}", short(parent));
    }
    println!("checks    {}", release.verdict.state.words());
    for finding in &release.verdict.findings {
        let place = finding.place.as_deref().map(|place| format!("{place}: ")).unwrap_or_default();
        println!("  {}", one_line(&format!("{place}{}", finding.message)));
    }
    match release.hosts.is_empty() {
        true => println!("live on   no host"),
        false => println!("live on   {}", release.hosts.join(", ")),
    }
    for activation in activations {
        let forced = if activation.forced { ", forced" } else { "" };
        let reason = activation.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
        let share =
            LaneShare::of_lanes(activation.lanes).map(|share| format!(" for {share}")).unwrap_or_default();
        let words = format!(
            "{} by {} ({}{share}{forced}){reason}",
            time(activation.at),
            activation.who,
            activation.way
        );
        println!("activated {}", one_line(&words));
    }
    println!();
    let mut table = table::table(&["FILE", "SIZE", "SHA-256"]);
    for file in files {
        table.add_row([
            one_line(&file.path).into_owned(),
            size(u64::try_from(file.size).unwrap_or_default()),
            short(&file.sha256).to_owned(),
        ]);
    }
    table::print(&table);
}

pub(super) fn difference(difference: &ReleaseDifference) {
    if difference.files.is_empty() {
        println!("No difference: they are the same release.");
        return;
    }
    for part in &difference.parts {
        let words = match (&part.before, &part.after) {
            (Some(before), Some(after)) => format!(": {before} → {after}"),
            (Some(words), None) | (None, Some(words)) => format!(": {words}"),
            (None, None) => String::new(),
        };
        println!("{} {} {}", part.kind, part.change.as_str(), one_line(&format!("{}{words}", part.name)));
    }
    if !difference.parts.is_empty() {
        println!();
    }
    for file in &difference.files {
        println!("{} {}", one_line(&file.path), file.change.as_str());
        if let Some(diff) = &file.diff {
            for line in diff.lines() {
                println!("  {}", one_line(line));
            }
        }
    }
}
