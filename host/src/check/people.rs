//! The groups that rules name, and the people in them.

use hookswitch_core::catalog::{Catalog, RouteUse};
use jiff::Timestamp;

use super::{
    report::{Finding, Section},
    words::{count, quoted, some, time},
};
use crate::store::{OptedOutPerson, PeopleFacts, StoredPerson};

/// The groups: name, members, active members.
pub fn groups(catalog: Option<&Catalog>, groups: &[(String, i64, i64)]) -> Section {
    let mut findings = Vec::new();
    let named = catalog.map_or(&[][..], |catalog| &catalog.groups);
    let active = |name: &str| groups.iter().find(|(known, ..)| known == name).map(|(_, _, active)| *active);
    for group in named {
        match active(&group.name) {
            None => findings.push(
                Finding::critical("group.missing", format!("the group {} does not exist", group.name))
                    .about(group.name.clone())
                    .command("hookswitch groups create-defaults"),
            ),
            Some(0) => findings.push(
                Finding::warning("group.empty", format!("the group {} has no active members", group.name))
                    .about(group.name.clone())
                    .command(format!("hookswitch groups add {} USERNAME", quoted(&group.name))),
            ),
            Some(_) => {}
        }
    }
    let nobody: Vec<&RouteUse> = catalog
        .map_or(&[][..], |catalog| &catalog.uses)
        .iter()
        .filter(|used| !used.others && used.groups.iter().all(|group| active(group).unwrap_or(0) == 0))
        .collect();
    if let Some(group) = nobody.first().and_then(|used| used.groups.first()) {
        let what = format!(
            "{} no recipients: no group has an active member",
            count(nobody.len(), "route has", "routes have")
        );
        let details = nobody.iter().map(|used| format!("{} to {}", used.place, used.groups.join(", ")));
        findings.push(
            Finding::critical("route.tells_nobody", what)
                .details(details.collect())
                .command(format!("hookswitch groups add {} USERNAME", quoted(group))),
        );
    }
    let staffed = groups.iter().filter(|(.., active)| *active > 0).count();
    let summary = format!("{}, {staffed} with active members", count(groups.len(), "group", "groups"));
    Section::new("groups", summary, findings).facts(groups.iter().map(|(name, members, active)| {
        (name.clone(), format!("{}, {active} active", count(*members, "member", "members")))
    }))
}

/// The people; `listed` are the first of them.
pub fn people(
    facts: &PeopleFacts,
    unlinked: &[String],
    opted_out: &[OptedOutPerson],
    listed: &[StoredPerson],
    now: Timestamp,
) -> Section {
    let mut findings = Vec::new();
    if facts.active == 0 {
        findings.push(
            Finding::critical("people.none", "no active people")
                .command("hookswitch people add USERNAME --name NAME --whatsapp NUMBER"),
        );
    }
    if let Some(first) = unlinked.first() {
        let what = format!(
            "{}: {}",
            count(
                facts.unlinked,
                "active person has no WhatsApp number linked and receives nothing",
                "active people have no WhatsApp number linked and receive nothing",
            ),
            some(unlinked, facts.unlinked)
        );
        findings.push(
            Finding::warning("people.unlinked", what)
                .command(format!("hookswitch people link {first} NUMBER")),
        );
    }
    if let Some(first) = opted_out.first() {
        let who = opted_out.iter().map(|person| format!("{} {}", person.username, person.opt_out));
        let what = count(opted_out.len(), "active person has opted out", "active people have opted out");
        findings.push(
            Finding::info("people.opted_out", what)
                .details(who.collect())
                .command(format!("hookswitch contacts opt-in {}", first.username)),
        );
    }
    let linked = facts.active - facts.unlinked;
    if linked > facts.open {
        let what = format!(
            "the 24-hour window of {} is closed ({} never wrote): only approved Meta templates reach them until they \
             write in",
            count(linked - facts.open, "person", "people"),
            facts.never_wrote
        );
        findings.push(Finding::info("people.window_closed", what).command("hookswitch people list"));
    }
    let summary = format!(
        "{}, {} with an open window",
        count(facts.active, "active person", "active people"),
        facts.open
    );
    let window = |person: &StoredPerson| match &person.contact {
        _ if !person.active => "deactivated".to_owned(),
        None => "no WhatsApp number linked".to_owned(),
        Some(contact) if contact.recipient().is_none() => "number reassigned to another user".to_owned(),
        Some(contact) => match contact.window_until() {
            None => "window closed, never wrote".to_owned(),
            Some(until) if until > now => format!("window open until {}", time(until)),
            Some(until) => format!("window closed since {}", time(until)),
        },
    };
    Section::new("people", summary, findings)
        .facts(listed.iter().map(|person| (person.username.clone(), window(person))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hookswitch_core::domain::{OptOut, OptOutScope};

    fn ids(section: &Section) -> Vec<&'static str> {
        section.findings.iter().map(|finding| finding.id).collect()
    }

    #[test]
    fn who_opted_out_is_named() {
        let facts = PeopleFacts { active: 1, inactive: 0, unlinked: 0, open: 1, never_wrote: 0 };
        let opt_out = OptOut {
            scope: OptOutScope::All,
            source: "they wrote \"STOP\"".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        let ann = OptedOutPerson { username: "ann".to_owned(), opt_out };
        let section = people(&facts, &[], &[ann], &[], Timestamp::UNIX_EPOCH);
        assert_eq!(ids(&section), ["people.opted_out"]);
        assert_eq!(section.findings[0].details, ["ann opted out on 1970-01-01: they wrote \"STOP\""]);
        assert_eq!(section.findings[0].command.as_deref(), Some("hookswitch contacts opt-in ann"));
    }

    #[test]
    fn people_who_cannot_be_reached_are_found() {
        let good = PeopleFacts { active: 2, inactive: 1, unlinked: 0, open: 2, never_wrote: 0 };
        assert_eq!(ids(&people(&good, &[], &[], &[], Timestamp::UNIX_EPOCH)), Vec::<&str>::new());
        let unlinked = PeopleFacts { unlinked: 1, open: 1, ..good };
        let section = people(&unlinked, &["ann".to_owned()], &[], &[], Timestamp::UNIX_EPOCH);
        assert_eq!(ids(&section), ["people.unlinked"]);
        assert_eq!(section.findings[0].command.as_deref(), Some("hookswitch people link ann NUMBER"));
        let closed = PeopleFacts { open: 1, ..good };
        assert_eq!(ids(&people(&closed, &[], &[], &[], Timestamp::UNIX_EPOCH)), ["people.window_closed"]);
        assert_eq!(
            ids(&people(&PeopleFacts::default(), &[], &[], &[], Timestamp::UNIX_EPOCH)),
            ["people.none"]
        );
    }
}
