//! The sums: what must come of the accepted events, against what is. Pure.

use std::collections::{BTreeMap, HashMap};

use hookswitch::domain::{Delivery, NotificationId, Status, status_of};
use jiff::Timestamp;

use crate::producer::expected;

/// A message, by its recipient and text.
pub type Message = (String, String);

/// What the database says of a notification.
pub struct Fact {
    pub message: Message,
    pub history: Vec<Delivery>,
    /// What it waits for, where it waits.
    pub waits: Option<String>,
}

impl Fact {
    /// Whether it ended without being sent, and says why.
    fn failed_for_a_reason(&self) -> bool {
        let ended = [Status::Failed, Status::Skipped, Status::Expired];
        let says_why =
            |row: &Delivery| ended.contains(&row.status) && (row.code.is_some() || row.detail.is_some());
        self.waits.is_none() && ended.contains(&status_of(&self.history)) && self.history.iter().any(says_why)
    }

    /// One line a row.
    fn told(&self) -> String {
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
    /// That must come of what was accepted.
    pub messages: usize,
    pub sent: usize,
    /// Not sent, and the history says why.
    pub failed: usize,
    /// Not sent yet, and will be.
    pub waiting: usize,
    /// Neither sent, nor failed with a reason, nor waiting.
    pub lost: usize,
    /// Sent once more than they should.
    pub doubled: usize,
    /// So many may be doubled.
    pub in_doubt: usize,
    /// Nobody knows whether they were sent, or the history says what is not true.
    pub unknown: usize,
    /// What a check that fails shows.
    pub wrong: Vec<String>,
    /// What nobody asked for: there must be none.
    pub strange: Vec<String>,
}

impl Account {
    /// Weighs what must be against what is. `decided` is how many events have a decision, if only that nobody is told;
    /// `taken` is what the Cloud API took and did not fail itself.
    pub fn of(
        case: &'static str,
        accepted: usize,
        decided: usize,
        facts: Vec<Fact>,
        mut taken: HashMap<Message, usize>,
    ) -> Account {
        let expected = expected(accepted);
        let mut account = Account { case, accepted, messages: expected.len(), ..Account::default() };
        account.lost += accepted.saturating_sub(decided);
        let mut rows: HashMap<Message, Vec<Fact>> = HashMap::new();
        for fact in facts {
            rows.entry(fact.message.clone()).or_default().push(fact);
        }
        for message in expected.into_keys() {
            let rows = rows.remove(&message).unwrap_or_default();
            account.weigh(&message, &rows, taken.remove(&message).unwrap_or(0));
        }
        for (message, count) in taken {
            account
                .strange
                .push(format!("{message:?} was sent {count} times and belongs to no accepted event"));
        }
        for message in rows.into_keys() {
            account.strange.push(format!("{message:?} was planned and belongs to no accepted event"));
        }
        account
    }

    fn weigh(&mut self, message: &Message, rows: &[Fact], taken: usize) {
        let row = rows.first();
        let told = row.map(Fact::told).unwrap_or_default();
        let status = row.map_or(Status::Queued, |row| status_of(&row.history));
        if rows.len() > 1 {
            self.strange.push(format!("{message:?} was planned {} times", rows.len()));
        }
        if taken > 0 {
            self.sent += 1;
            self.doubled += taken - 1;
            if taken > 1 {
                self.wrong.push(format!("{message:?} was sent {taken} times:{told}"));
            }
            if status < Status::Accepted || status == Status::Failed {
                self.unknown += 1;
                self.wrong.push(format!("{message:?} was sent, and its history does not say so:{told}"));
            }
            return;
        }
        match row.and_then(|row| row.waits.as_deref()) {
            Some("unknown" | "hold") => self.unknown += 1,
            Some(reason) => {
                self.waiting += 1;
                self.wrong.push(format!("{message:?} waits still, for {reason}:{told}"));
            }
            None if row.is_some_and(Fact::failed_for_a_reason) => {
                self.failed += 1;
                self.wrong.push(format!("{message:?} failed:{told}"));
            }
            None => {
                self.lost += 1;
                self.wrong.push(format!("{message:?} was not sent, and nothing says why:{told}"));
            }
        }
    }

    /// Whether everything is accounted for.
    ///
    /// # Panics
    /// Where something was lost, more was doubled than may be, or the books do not balance.
    #[track_caller]
    pub fn check(&self) {
        let told = self.in_words();
        assert_eq!(self.lost, 0, "lost, {told}");
        assert!(
            self.doubled <= self.in_doubt,
            "{} doubled, at most {} may be, {told}",
            self.doubled,
            self.in_doubt
        );
        let balance = self.sent + self.failed + self.waiting;
        assert!((balance..=balance + self.unknown).contains(&self.messages), "the sums differ, {told}");
        assert_eq!(self.strange, Vec::<String>::new(), "in {}", self.case);
    }

    /// The same, and that each message was sent and its history says so.
    #[track_caller]
    pub fn check_all_sent(&self) {
        self.check();
        assert_eq!((self.sent, self.unknown), (self.messages, 0), "{}", self.in_words());
    }

    /// The first of what is wrong.
    pub fn in_words(&self) -> String {
        let wrong = self.wrong.iter().take(5).fold(String::new(), |all, one| format!("{all}\n  {one}"));
        format!("in {}:{wrong}", self.case)
    }
}

/// The ledger itself: it counts what is wrong.
pub fn notices_what_is_wrong() {
    let message = |n| expected(30).into_iter().find(|(_, event)| *event == n).unwrap().0;
    let fact = |n, status| {
        let row = Delivery {
            notification_id: NotificationId(uuid::Uuid::nil()),
            attempt: 1,
            status,
            at: Timestamp::UNIX_EPOCH,
            wamid: None,
            code: None,
            detail: Some("why".to_owned()),
        };
        Fact { message: message(n), history: vec![row], waits: None }
    };
    let all: BTreeMap<Message, usize> = expected(5).into_keys().map(|message| (message, 1)).collect();
    let facts =
        |statuses: [Status; 5]| (0..5).zip(statuses).map(|(n, status)| fact(n, status)).collect::<Vec<_>>();
    let good = facts([Status::Read; 5]);
    Account::of("good", 5, 5, good, all.clone().into_iter().collect()).check_all_sent();

    let mut taken: HashMap<_, _> = all.into_iter().collect();
    taken.insert(message(0), 3);
    for n in 1..4 {
        taken.remove(&message(n));
    }
    let mut mixed =
        facts([Status::Read, Status::Accepted, Status::Failed, Status::Retrying, Status::Sending]);
    mixed[3].waits = Some("retry".to_owned());
    let account = Account::of("mixed", 5, 5, mixed, taken);
    let Account { sent, failed, waiting, lost, doubled, unknown, .. } = account;
    assert_eq!((sent, failed, waiting, lost, doubled, unknown), (2, 1, 1, 1, 2, 1), "{:?}", account.wrong);
    let unrouted = Account::of("unrouted", 30, 29, Vec::new(), HashMap::new());
    assert_eq!(unrouted.lost, 1 + expected(30).len());
    let strange = Account::of("strange", 4, 4, facts([Status::Read; 5]), HashMap::from([(message(7), 1)]));
    assert_eq!(strange.strange.len(), 2, "{:?}", strange.strange);
}
