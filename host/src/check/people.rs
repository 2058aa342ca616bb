//! The people, and whether messages reach them.

use jiff::Timestamp;

use super::{
    command::Command,
    groups::ADD,
    report::{Finding, Section},
    words::{count, some, time},
};
use crate::store::{OptedOutPerson, PeopleFacts, SharedNumbers, StoredPerson};

/// Some people, for [`judge`].
pub struct SomePeople {
    /// Usernames of active people without a number, the first of them.
    pub unlinked: Vec<String>,
    /// People who have opted out.
    pub opted_out: Vec<OptedOutPerson>,
    /// Numbers that several people share.
    pub shared: SharedNumbers,
    /// The first people.
    pub listed: Vec<StoredPerson>,
}

/// The people.
pub fn judge(facts: &PeopleFacts, some_people: &SomePeople, now: Timestamp) -> Section {
    let SomePeople { unlinked, opted_out, shared, listed } = some_people;
    let mut findings = Vec::new();
    if facts.active == 0 {
        findings.push(Finding::critical("people.none", "no active people").example(
            ADD,
            &Command::new(&["people", "add", "USERNAME", "--name", "NAME", "--whatsapp", "NUMBER"]),
        ));
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
            Finding::warning("people.unlinked", what).example(
                "link a number",
                &Command::new(&["people", "link"]).operand(first).operand("NUMBER"),
            ),
        );
    }
    if let Some(first) = opted_out.first() {
        let who = opted_out.iter().map(|person| format!("{} {}", person.username, person.opt_out));
        let what = count(opted_out.len(), "active person has opted out", "active people have opted out");
        findings.push(Finding::info("people.opted_out", what).details(who.collect()).example(
            "only if they ask for messages again",
            &Command::new(&["contacts", "opt-in"]).operand(&first.username),
        ));
    }
    findings.extend(shared_numbers(shared));
    let linked = facts.active - facts.unlinked;
    if linked > facts.open {
        let what = format!(
            "the 24-hour window of {} is closed ({} never wrote): only approved Meta templates reach them until they \
             write in",
            count(linked - facts.open, "person", "people"),
            facts.never_wrote
        );
        findings.push(Finding::info("people.window_closed", what).command(Command::new(&["people", "list"])));
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
    let more = facts.active + facts.inactive - i64::try_from(listed.len()).unwrap_or(i64::MAX);
    Section::new("people", summary, findings)
        .facts(listed.iter().map(|person| (person.username.clone(), window(person))))
        .further_facts(more)
}

/// A message to both is one message, so whoever has the number reads what is meant for the other.
fn shared_numbers(shared: &SharedNumbers) -> Option<Finding> {
    let first = shared.some.first()?;
    let what = format!(
        "{}: messages to several of them arrive once",
        count(shared.count, "number is linked to several people", "numbers are linked to several people")
    );
    let details = shared
        .some
        .iter()
        .map(|number| format!("{}: {}", number.address, some(&number.usernames, number.people)));
    let unlink = first.usernames.last().map(|username| Command::new(&["people", "unlink"]).operand(username));
    let finding = Finding::info("people.shared_number", what).details(details.collect());
    Some(match unlink {
        Some(unlink) => finding.example("if one of them has another number", &unlink),
        None => finding,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::SharedNumber;
    use hookswitch_core::domain::{OptOut, OptOutScope};

    fn ids(section: &Section) -> Vec<&'static str> {
        section.findings.iter().map(|finding| finding.id).collect()
    }

    fn nobody() -> SomePeople {
        let shared = SharedNumbers { count: 0, some: Vec::new() };
        SomePeople { unlinked: Vec::new(), opted_out: Vec::new(), shared, listed: Vec::new() }
    }

    fn judged(facts: &PeopleFacts, some_people: &SomePeople) -> Section {
        judge(facts, some_people, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn numbers_that_people_share_are_named() {
        let facts = PeopleFacts { active: 3, inactive: 0, unlinked: 0, open: 3, never_wrote: 0 };
        let usernames = vec!["ann".to_owned(), "ben".to_owned()];
        let number = SharedNumber { address: "263771234567".to_owned(), people: 3, usernames };
        let section = judged(
            &facts,
            &SomePeople { shared: SharedNumbers { count: 1, some: vec![number] }, ..nobody() },
        );
        assert_eq!(ids(&section), ["people.shared_number"]);
        assert_eq!(section.findings[0].details, ["263771234567: ann, ben and 1 more"]);
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
        let section = judged(&facts, &SomePeople { opted_out: vec![ann], ..nobody() });
        assert_eq!(ids(&section), ["people.opted_out"]);
        assert_eq!(section.findings[0].details, ["ann opted out on 1970-01-01: they wrote \"STOP\""]);
        // Consent is theirs: no command to paste takes it back.
        assert_eq!(section.findings[0].command, None);
        let advice = section.findings[0].advice.as_deref();
        assert_eq!(advice, Some("only if they ask for messages again: hookswitch contacts opt-in ann"));
    }

    #[test]
    fn people_who_cannot_be_reached_are_found() {
        let good = PeopleFacts { active: 2, inactive: 1, unlinked: 0, open: 2, never_wrote: 0 };
        assert_eq!(ids(&judged(&good, &nobody())), Vec::<&str>::new());
        let unlinked = PeopleFacts { unlinked: 1, open: 1, ..good };
        let ann = SomePeople { unlinked: vec!["ann".to_owned()], ..nobody() };
        let section = judged(&unlinked, &ann);
        assert_eq!(ids(&section), ["people.unlinked"]);
        assert_eq!(section.findings[0].command, None);
        let advice = section.findings[0].advice.as_deref();
        assert_eq!(advice, Some("link a number: hookswitch people link ann NUMBER"));
        let closed = PeopleFacts { open: 1, ..good };
        assert_eq!(ids(&judged(&closed, &nobody())), ["people.window_closed"]);
        assert_eq!(ids(&judged(&PeopleFacts::default(), &nobody())), ["people.none"]);
    }
}
