//! The sums: what must come of the accepted events, against what is. Pure.

use std::collections::HashMap;

use hookswitch_core::domain::{Delivery, Status, status_of};

use crate::{
    audits::{Fate, fates},
    producer::{Accepted, Produced},
    story,
    turns::Intent,
};

/// A message, by who gets it (at whatever number) and its text.
pub type Message = (usize, String);

/// What the database says of a notification.
#[derive(Clone, Debug)]
pub struct Fact {
    pub message: Message,
    /// The number that it was planned for.
    pub planned: String,
    pub history: Vec<Delivery>,
    /// What it waits for, where it waits.
    pub waits: Option<String>,
}

/// What the Cloud API took.
#[derive(Clone, Debug)]
pub struct Receipt {
    pub to: String,
    pub text: String,
    /// The id of the file that it has.
    pub file: Option<String>,
    pub attempt: Option<Intent>,
    /// It failed afterwards, by the Cloud API's own word.
    pub failed: bool,
}

/// All that is known at the end.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By the number of each event that PostgreSQL has, what was decided about it.
    pub decisions: HashMap<usize, Vec<String>>,
    pub facts: Vec<Fact>,
    /// In the order in which they came.
    pub receipts: Vec<Receipt>,
}

impl Fact {
    /// Whether it ended in one of these without being sent, and says why.
    fn ended(&self, ends: &[Status]) -> bool {
        // That it expired says why by itself.
        let says_why = |row: &Delivery| {
            ends.contains(&row.status)
                && (row.status == Status::Expired || row.code.is_some() || row.detail.is_some())
        };
        self.waits.is_none() && ends.contains(&status_of(&self.history)) && self.history.iter().any(says_why)
    }

    /// Whether it was not sent, as it need not be or must not be, and its history says so.
    pub fn was_kept(&self, fate: Fate) -> bool {
        let Some((end, why)) = fate.kept() else { return false };
        let says_why =
            |row: &Delivery| row.status == end && row.detail.as_deref().unwrap_or_default().starts_with(why);
        self.ended(&[end]) && self.history.iter().any(says_why)
    }

    /// One line a row.
    pub fn told(&self) -> String {
        self.history.iter().fold(String::new(), |told, row| {
            let Delivery { at, attempt, status, detail, .. } = row;
            format!("{told}\n    {at:.3} {attempt} {status} {}", detail.as_deref().unwrap_or_default())
        })
    }
}

/// One line of the table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account {
    pub case: &'static str,
    pub accepted: usize,
    /// Events of which PostgreSQL has nothing, accepted when it lost what it had written.
    pub gone: usize,
    /// Events about which what must be decided was decided, once.
    pub routed: usize,
    /// That must come of what was accepted.
    pub messages: usize,
    pub sent: usize,
    /// Rightly not sent, because of an opt-out, the time, a cancel or a limit, and the history says so.
    pub kept: usize,
    /// Not sent, and the history says why.
    pub failed: usize,
    /// Not sent yet, and will be.
    pub waiting: usize,
    /// Neither sent, nor failed with a reason, nor waiting; or an event that was not routed.
    pub lost: usize,
    /// Sent once more than they should.
    pub doubled: usize,
    /// So many may be doubled.
    pub in_doubt: usize,
    /// Nobody knows whether they were sent, or the history says what is not true.
    pub unknown: usize,
    /// Came before one that was accepted earlier, of the same subject, recipient and priority.
    pub disordered: usize,
    /// Sent after the opt-out was acknowledged.
    pub after_stop: usize,
    /// Sent to the old number after the new one was acknowledged.
    pub to_old: usize,
    /// Not sent, as it had been called off.
    pub called_off: usize,
    /// Sent after what called it off had been routed.
    pub after_call_off: usize,
    /// Not sent, as its user had got as many as they may.
    pub limited: usize,
    /// Users who got more than they may, or less.
    pub mislimited: usize,
    /// Told in exactly one digest.
    pub collected: usize,
    /// Told in no digest, or in several.
    pub miscollected: usize,
    /// Pairs of events with the same key of which exactly one led to a message.
    pub deduped: usize,
    /// Pairs of which none or both did.
    pub misdeduped: usize,
    /// What a check that fails shows.
    pub wrong: Vec<String>,
    /// Shown after those: what was sent once more may be in doubt, and then nothing is wrong.
    pub twice: Vec<String>,
    /// What nobody asked for: there must be none.
    pub strange: Vec<String>,
}

impl Account {
    /// Weighs what must be against what is.
    pub fn of(case: &'static str, produced: &Produced, found: Found) -> Account {
        let mut account = Account { case, accepted: produced.events.len(), ..Account::default() };
        let produced = without_gone(produced, &found);
        account.gone = produced.gone.len();
        account.routing(&produced.events, &found.decisions);
        account.digests(&produced.events, &found.facts);
        account.order(&produced, &found);
        account.turns(&produced, &found.receipts);
        account.calls_off(&produced, &found);
        account.limits(&produced, &found);
        account.files(&found.receipts);

        let mut fates = fates(&produced);
        // A digest is one message more.
        let digests = found.facts.iter().filter(|fact| story::items(&fact.message.1).is_some());
        fates.extend(digests.map(|fact| (fact.message.clone(), Fate::Sent)));
        account.messages = fates.len();
        let mut facts: HashMap<Message, Vec<Fact>> = HashMap::new();
        for fact in found.facts {
            facts.entry(fact.message.clone()).or_default().push(fact);
        }
        let has_gap = produced.gap.is_some();
        let mut taken: HashMap<Message, usize> = HashMap::new();
        for receipt in found.receipts.into_iter().filter(|receipt| !receipt.failed) {
            match story::who(&receipt.to) {
                Some(who) => *taken.entry((who, receipt.text)).or_default() += 1,
                None => account.strange.push(format!("{receipt:?} went to nobody's number")),
            }
        }
        for (message, fate) in fates {
            let rows = facts.remove(&message).unwrap_or_default();
            account.weigh(&message, fate, &rows, taken.remove(&message).unwrap_or(0), has_gap);
        }
        taken.retain(|(_, text), _| !was_forgotten(text, &produced));
        for (message, count) in taken {
            account
                .strange
                .push(format!("{message:?} was sent {count} times and belongs to no accepted event"));
        }
        for message in facts.into_keys() {
            account.strange.push(format!("{message:?} was planned and belongs to no accepted event"));
        }
        account
    }

    /// Whether what has a file came with it, and nothing else did.
    fn files(&mut self, receipts: &[Receipt]) {
        for receipt in receipts {
            let has_file = story::has_file(&receipt.text);
            if receipt.file.is_some() != has_file {
                self.strange.push(format!("{receipt:?} has a file that it must not have, or lacks its own"));
            }
        }
    }

    fn weigh(&mut self, message: &Message, fate: Fate, rows: &[Fact], taken: usize, has_gap: bool) {
        let row = rows.first();
        let was_kept = row.is_some_and(|row| row.was_kept(fate));
        let told = row.map(Fact::told).unwrap_or_default();
        let status = row.map_or(Status::Queued, |row| status_of(&row.history));
        if rows.len() > 1 {
            self.strange.push(format!("{message:?} was planned {} times", rows.len()));
        }
        if taken > 0 {
            self.sent += 1;
            self.doubled += taken - 1;
            if taken > 1 {
                self.twice.push(format!("{message:?} was sent {taken} times:{told}"));
            }
            // What was sent when PostgreSQL lost that may have been called off when it was planned again, or be one too many.
            let may_be_kept = matches!(fate, Fate::Late | Fate::Withdrawn | Fate::Limited);
            let is_forgotten = has_gap && was_kept && may_be_kept;
            if !is_forgotten && (status < Status::Accepted || status == Status::Failed) {
                self.unknown += 1;
                self.wrong.push(format!("{message:?} was sent, and its history does not say so:{told}"));
            }
            if fate == Fate::Expired {
                self.strange.push(format!("{message:?} was sent after it had expired:{told}"));
            }
            return;
        }
        match row.and_then(|row| row.waits.as_deref()) {
            Some("unknown" | "hold") => {
                self.unknown += 1;
                self.wrong.push(format!("of {message:?} nobody knows:{told}"));
            }
            Some(reason) => {
                self.waiting += 1;
                self.wrong.push(format!("{message:?} waits still, for {reason}:{told}"));
            }
            None if was_kept => {
                self.kept += 1;
                self.called_off += usize::from(matches!(fate, Fate::Late | Fate::Withdrawn));
            }
            None if row.is_some_and(|row| row.ended(&[Status::Failed, Status::Skipped, Status::Expired])) => {
                self.failed += 1;
                self.wrong.push(format!("{message:?} failed:{told}"));
            }
            None => {
                self.lost += 1;
                self.wrong.push(format!("{message:?} was not sent, and nothing says why:{told}"));
            }
        }
    }

    /// What speaks against it: nothing where everything is accounted for.
    pub fn objections(&self) -> Vec<String> {
        let accounted = self.sent + self.kept + self.failed + self.waiting;
        let holds = [
            (self.lost == 0, "something was lost"),
            (self.doubled <= self.in_doubt, "more was doubled than was in doubt"),
            (self.routed + self.gone == self.accepted, "events were not routed once, as they must be"),
            (self.disordered == 0, "messages came out of order"),
            (self.after_stop == 0, "messages were sent after an opt-out"),
            (self.to_old == 0, "messages were sent to a number that had changed"),
            (self.after_call_off == 0, "messages were sent after they had been called off"),
            (self.mislimited == 0, "users got more than they may, or less"),
            (self.miscollected == 0, "events were not told in exactly one digest"),
            (self.misdeduped == 0, "of events with one key not exactly one was told"),
            ((accounted..=accounted + self.unknown).contains(&self.messages), "the sums differ"),
            // A few may wait for another pair's time; many are stuck.
            (20 * self.waiting <= self.messages.max(20), "many wait still"),
            (self.strange.is_empty(), "there is what nobody asked for"),
        ];
        holds.into_iter().filter(|(holds, _)| !holds).map(|(_, why)| why.to_owned()).collect()
    }

    /// Whether everything is accounted for.
    ///
    /// # Panics
    /// Where something was lost, more was doubled than may be, or the books do not balance.
    #[track_caller]
    pub fn check(&self) {
        assert_eq!(self.objections(), Vec::<String>::new(), "{}", self.in_words());
    }

    /// Whether each message that should be was sent, and its history says so.
    pub fn is_all_sent(&self) -> bool {
        (self.sent + self.kept, self.unknown) == (self.messages, 0)
    }

    /// That everything is accounted for and all was sent.
    #[track_caller]
    pub fn check_all_sent(&self) {
        self.check();
        assert!(self.is_all_sent(), "not all was sent, or nobody knows: {}", self.in_words());
    }

    /// The first of what is wrong.
    pub fn in_words(&self) -> String {
        let all = self.strange.iter().chain(&self.wrong).chain(&self.twice);
        let wrong = all.take(8).fold(String::new(), |all, one| format!("{all}\n  {one}"));
        format!("in {}:{wrong}", self.case)
    }
}

/// With the events apart that are gone, and may be.
fn without_gone(produced: &Produced, found: &Found) -> Produced {
    let Produced { events, gap, .. } = produced.clone();
    let may_be_gone = |event: &Accepted| gap.as_ref().is_some_and(|gap| gap.contains(&event.at));
    let (gone, events) =
        events.into_iter().partition(|event| may_be_gone(event) && !found.decisions.contains_key(&event.n));
    Produced { events, gone, ..produced.clone() }
}

/// Whether PostgreSQL may rightly know nothing of a message that was sent: of an event that is gone, or a digest that was
/// sent before the gap ended, and told other events than the one of which PostgreSQL knows.
fn was_forgotten(text: &str, produced: &Produced) -> bool {
    let Some(gap) = &produced.gap else { return false };
    match story::items(text) {
        None => {
            produced.gone.iter().any(|event| story::messages(event.n).any(|(_, of_event)| of_event == text))
        }
        Some(items) => items.iter().all(|n| {
            let accepted = produced.events.iter().chain(&produced.gone).find(|event| event.n == *n);
            accepted.is_some_and(|event| event.at < gap.end)
        }),
    }
}
