//! What must come of the accepted events: what is decided about each, which messages, in which order, and to whom.

use std::collections::{BTreeMap, HashMap, HashSet, hash_map::Entry};

use hookswitch_core::domain::Status;

use crate::{
    account::{Account, Fact, Found, Message, Receipt},
    producer::{Accepted, CalledOff, Produced},
    story::{self, AT_MOST, Kind},
    turns::Intent,
};

/// What must come of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Sent,
    /// Its user opted out at about this time: sent, or kept back with a reason.
    Either,
    /// Its user had opted out.
    Never,
    /// Its time comes too late.
    Expired,
    /// It was called off at about its time: sent, or kept back with a reason.
    Late,
    /// It was called off before its time.
    Withdrawn,
    /// One of those of which its user gets a few at most.
    Limited,
}

impl Fate {
    /// How it may end without being sent, and what the history says then.
    pub fn kept(self) -> Option<(Status, &'static str)> {
        match self {
            Fate::Sent => None,
            Fate::Either | Fate::Never => Some((Status::Skipped, "")),
            Fate::Expired => Some((Status::Expired, "")),
            Fate::Late | Fate::Withdrawn => Some((Status::Skipped, "cancelled by event ")),
            Fate::Limited => Some((Status::Skipped, "at_most: ")),
        }
    }
}

/// What must come of each message of the accepted events.
pub fn fates(produced: &Produced) -> BTreeMap<Message, Fate> {
    let mut fates = BTreeMap::new();
    for event in &produced.events {
        for who in story::told(event.n) {
            fates.insert((who, story::text(event.n)), fate(produced, event, who));
        }
        if let Some(escalation) = story::escalation(event.n) {
            fates.insert(escalation, escalated(produced, event));
        }
    }
    fates
}

/// Whether an alarm is called off.
enum CallOff<'a> {
    No,
    /// At about the time of its message; or PostgreSQL may have lost that it is.
    Perhaps,
    Yes(&'a CalledOff),
}

fn call_off<'a>(produced: &'a Produced, alarm: &Accepted) -> CallOff<'a> {
    let by = story::call_off(alarm.n);
    let by = produced
        .events
        .iter()
        .chain(&produced.gone)
        .find(|event| Some(event.n) == by && event.at > alarm.posted);
    let Some(by) = by else { return CallOff::No };
    let is_forgotten = |tick| produced.gap.as_ref().is_some_and(|gap| gap.contains(&tick));
    let mut known = produced.called_off.iter();
    match known.find(|called_off| called_off.alarm == alarm.n && !is_forgotten(called_off.routed)) {
        // Else nobody knows which of the two came first.
        Some(called_off) if by.posted > alarm.at => CallOff::Yes(called_off),
        _ => CallOff::Perhaps,
    }
}

/// What must come of the message that others get where an alarm is not called off.
fn escalated(produced: &Produced, alarm: &Accepted) -> Fate {
    match call_off(produced, alarm) {
        CallOff::No => Fate::Sent,
        CallOff::Yes(called_off) if called_off.begun.is_empty() => Fate::Withdrawn,
        CallOff::Perhaps | CallOff::Yes(_) => Fate::Late,
    }
}

fn fate(produced: &Produced, event: &Accepted, who: usize) -> Fate {
    match story::kind(event.n) {
        Kind::Expiring => return Fate::Expired,
        Kind::Limited => return Fate::Limited,
        _ => {}
    }
    let Some(stop) = produced.turns.stops.iter().find(|stop| stop.turn.who == who) else { return Fate::Sent };
    match &stop.until {
        Some((_, back)) if event.posted > *back => Fate::Sent,
        None if event.posted > stop.turn.acknowledged => Fate::Never,
        _ => Fate::Either,
    }
}

impl Account {
    /// Whether each event has its decisions, and each pair with the same key one of each.
    pub fn routing(&mut self, events: &[Accepted], decisions: &HashMap<usize, Vec<String>>) {
        let mut pairs: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for event in events {
            let decided = decisions.get(&event.n).map(Vec::as_slice).unwrap_or_default();
            match decided {
                [] => {
                    self.lost += 1;
                    self.wrong.push(format!("{} was not routed", story::id(event.n)));
                }
                [one, ..]
                    if decided.len() == story::kind(event.n).decisions()
                        && decided
                            .iter()
                            .all(|one| story::kind(event.n).outcomes().contains(&one.as_str())) =>
                {
                    self.routed += 1;
                    if story::kind(event.n) == Kind::Pair {
                        pairs.entry(story::text(event.n)).or_default().push(one);
                    }
                }
                other => {
                    self.wrong.push(format!("{} was routed as {}", story::id(event.n), other.join(", ")));
                }
            }
        }
        for (pair, mut outcomes) in pairs {
            outcomes.sort_unstable();
            match outcomes[..] {
                ["notify"] => {}
                ["duplicate", "notify"] => self.deduped += 1,
                _ => {
                    self.misdeduped += 1;
                    self.wrong.push(format!("the events of {pair} were routed as {}", outcomes.join(", ")));
                }
            }
        }
    }

    pub fn digests(&mut self, events: &[Accepted], facts: &[Fact]) {
        let mut told: HashMap<usize, usize> = HashMap::new();
        for n in facts.iter().filter_map(|fact| story::items(&fact.message.1)).flatten() {
            *told.entry(n).or_default() += 1;
        }
        for event in events.iter().filter(|event| story::kind(event.n) == Kind::Digest) {
            match told.remove(&event.n).unwrap_or(0) {
                1 => self.collected += 1,
                times => {
                    self.miscollected += 1;
                    self.wrong.push(format!("{} was told in digests {times} times", story::id(event.n)));
                }
            }
        }
        self.strange.extend(told.into_keys().map(|n| format!("{} was told in a digest", story::id(n))));
    }

    /// Whether messages of one subject, recipient and priority came in the order in which their events were accepted.
    /// Where a message came twice the first time counts; but where PostgreSQL lost the end of its log, it is left out: the
    /// log no longer says for which number it was planned at first.
    pub fn order(&mut self, produced: &Produced, found: &Found) {
        let mut came: HashMap<Message, usize> = HashMap::new();
        let mut again: HashSet<Message> = HashSet::new();
        for (place, receipt) in found.receipts.iter().enumerate() {
            let Some(who) = story::who(&receipt.to) else { continue };
            let message = (who, receipt.text.clone());
            match came.entry(message) {
                Entry::Occupied(known) => {
                    again.insert(known.key().clone());
                }
                Entry::Vacant(new) => {
                    new.insert(place);
                }
            }
        }
        if produced.gap.is_some() {
            came.retain(|message, _| !again.contains(message));
        }
        let facts: HashMap<&Message, &Fact> = found.facts.iter().map(|fact| (&fact.message, fact)).collect();
        let mut lines: BTreeMap<_, Vec<(&Accepted, usize, &Fact)>> = BTreeMap::new();
        for event in &produced.events {
            let Some(line) = story::line(event.n) else { continue };
            for who in story::told(event.n) {
                let message = (who, story::text(event.n));
                if let Some((place, fact)) = came.get(&message).zip(facts.get(&message)) {
                    // A message that was planned for another number stands in another line.
                    lines.entry((line.clone(), &fact.planned)).or_default().push((event, *place, fact));
                }
            }
        }
        for ((line, to), messages) in lines {
            for (event, place, fact) in &messages {
                let overtaken = messages.iter().find(|(other, at, _)| other.at < event.posted && at > place);
                if let Some((other, _, before)) = overtaken {
                    self.disordered += 1;
                    let (n, other, told, other_told) = (event.n, other.n, fact.told(), before.told());
                    self.wrong.push(format!(
                        "Note {n} came before Note {other}, to {to} of {line:?}:{told}\n   and {other}:{other_told}"
                    ));
                }
            }
        }
    }

    /// Whether what was called off was not sent from then on. Attempts that PostgreSQL lost may have begun before.
    pub fn calls_off(&mut self, produced: &Produced, found: &Found) {
        let rows = found.facts.iter().flat_map(|fact| &fact.history);
        let rows = rows.filter(|row| row.status == Status::Sending);
        let known: HashSet<Intent> = rows.map(|row| (row.notification_id.0, row.attempt)).collect();
        let is_lost = |intent: &Intent| produced.gap.is_some() && !known.contains(intent);
        for alarm in &produced.events {
            let Some((_, text)) = story::escalation(alarm.n) else { continue };
            let CallOff::Yes(CalledOff { begun, .. }) = call_off(produced, alarm) else { continue };
            let may_be = |receipt: &Receipt| {
                receipt.attempt.is_some_and(|attempt| begun.contains(&attempt) || is_lost(&attempt))
            };
            for receipt in found.receipts.iter().filter(|receipt| receipt.text == text && !may_be(receipt)) {
                self.after_call_off += 1;
                self.wrong.push(format!("{receipt:?} was sent after it had been called off"));
            }
        }
    }

    /// Whether nobody got more than they may, nor less.
    pub fn limits(&mut self, produced: &Produced, found: &Found) {
        let mut asked: BTreeMap<usize, HashSet<String>> = BTreeMap::new();
        for event in produced.events.iter().filter(|event| story::kind(event.n) == Kind::Limited) {
            for who in story::told(event.n) {
                asked.entry(who).or_default().insert(story::text(event.n));
            }
        }
        for (who, texts) in asked {
            let is_one = |to: usize, text: &String| to == who && texts.contains(text);
            let facts = found.facts.iter().filter(|fact| is_one(fact.message.0, &fact.message.1));
            let planned = facts.filter(|fact| !fact.was_kept(Fate::Limited)).count();
            let receipts = found.receipts.iter().filter(|receipt| story::who(&receipt.to) == Some(who));
            let sent: HashSet<&String> =
                receipts.map(|receipt| &receipt.text).filter(|text| texts.contains(*text)).collect();
            let may = texts.len().min(AT_MOST);
            // What PostgreSQL lost does not count, and may have counted.
            let gone = produced.gone.iter().filter(|event| story::kind(event.n) == Kind::Limited);
            let gone = gone.filter(|event| story::told(event.n).contains(&who)).count();
            if (may.saturating_sub(gone)..=may).contains(&planned)
                && (sent.len() <= may || produced.gap.is_some())
            {
                self.limited += texts.len() - planned;
            } else {
                self.mislimited += 1;
                let (sent, all) = (sent.len(), texts.len());
                self.wrong.push(format!(
                    "user {who} got {sent} messages and was to get {planned} of {all}, {may} at most"
                ));
            }
        }
    }

    /// Whether each user's wish counted from its acknowledgement on.
    pub fn turns(&mut self, produced: &Produced, receipts: &[Receipt]) {
        let fates = fates(produced);
        for receipt in receipts {
            let Some(who) = story::who(&receipt.to) else { continue };
            let fate = fates.get(&(who, receipt.text.clone()));
            let begun =
                |begun: &HashSet<Intent>| receipt.attempt.is_none_or(|attempt| begun.contains(&attempt));
            let stopped = produced.turns.stops.iter().filter(|stop| stop.turn.who == who).any(|stop| {
                !begun(&stop.turn.begun) && stop.until.as_ref().is_none_or(|(until, _)| begun(until))
            });
            if stopped || fate == Some(&Fate::Never) {
                self.after_stop += 1;
                self.wrong.push(format!("{receipt:?} was sent after an opt-out"));
            }
            let mut moves = produced.turns.moves.iter().filter(|turn| turn.who == who);
            if receipt.to == story::number(who) && moves.any(|turn| !begun(&turn.begun)) {
                self.to_old += 1;
                self.wrong.push(format!("{receipt:?} was sent to a number that had changed"));
            }
        }
    }
}
