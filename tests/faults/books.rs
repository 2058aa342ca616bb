//! The account itself: of books that are right it finds nothing, and it sees each fault that is planted.

use hookswitch_core::domain::{Delivery, NotificationId, Status};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    account::{Account, Fact, Found, Receipt},
    producer::{Accepted, Produced},
    story::{self, Kind, LEAVES, LEAVES_AND_MOVES, MOVES, RETURNS},
    turns::{Stop, Turn, Turns},
};

const EVENTS: usize = 1_600;
/// The events before which users act.
const STOPS: usize = 100;
const MOVE: usize = 200;
const BACK: usize = 300;

/// A fault, and the column that shows it.
type Planted = (&'static str, fn(&mut Produced, &mut Found), fn(&Account) -> usize);

pub fn notices_what_is_wrong() {
    let (produced, found) = right();
    let account = Account::of("right", &produced, found);
    account.check_all_sent();
    assert!(account.kept > 0 && account.collected > 10 && account.deduped > 5, "{account:?}");

    allows_what_is_gone();

    let planted: [Planted; 18] = [
        ("an event without a decision", |_, f| drop(f.decisions.remove(&3)), |a| a.lost),
        (
            "an event that is decided twice",
            |_, f| decided(f, 3).push("notify".into()),
            |a| a.accepted - a.routed,
        ),
        (
            "an event that is decided wrongly",
            |_, f| decided(f, 3)[0] = "failed".into(),
            |a| a.accepted - a.routed,
        ),
        ("a message that was not sent", |_, f| drop(unsend(f, 3)), |a| a.unknown + a.lost),
        ("a message that failed", |_, f| ended(f, 3, Status::Failed), |a| a.failed),
        ("a message that waits", |_, f| waits(f, 3, "retry"), |a| a.waiting),
        ("a message of which nobody knows", |_, f| waits(f, 3, "unknown"), |a| a.unknown),
        ("a message that came twice", |_, f| again(f, 3), |a| a.doubled),
        (
            "a message that nobody asked for",
            |_, f| f.receipts[0].text = "Note 9999".into(),
            |a| a.strange.len(),
        ),
        ("a message that was planned twice", |_, f| f.facts.push(f.facts[0].clone()), |a| a.strange.len()),
        (
            "a message that was sent though it expired",
            |_, f| send(f, of(Kind::Expiring, 0)),
            |a| a.strange.len(),
        ),
        ("a message that overtook another", |_, f| swap(f, 3), |a| a.disordered),
        ("a message after STOP", |_, f| send(f, to(LEAVES, STOPS)), |a| a.after_stop),
        ("a message between STOP and START", send_before_back, |a| a.after_stop),
        ("a message to who left and moved", |_, f| send(f, to(LEAVES_AND_MOVES, MOVE)), |a| a.after_stop),
        (
            "a message to the old number",
            |_, f| receipt(f, to(MOVES, MOVE)).to = story::number(MOVES),
            |a| a.to_old,
        ),
        ("what was collected twice, or never", |_, f| retell(f), |a| a.miscollected),
        ("a pair of which both were told", |_, f| pair(f), |a| a.misdeduped),
    ];
    for (what, plant, column) in planted {
        let (mut produced, mut found) = right();
        plant(&mut produced, &mut found);
        let account = Account::of("planted", &produced, found);
        assert!(column(&account) > 0, "{what} is not seen: {account:?}");
        let fails = !account.objections().is_empty() || !account.is_all_sent();
        assert!(fails, "{what} does not fail the case: {account:?}");
    }
}

/// What was accepted in the gap may be gone, and the rest may not.
fn allows_what_is_gone() {
    let gap = 1_500..1_600;
    for (n, may_be_gone) in [(147, false), (149, false), (155, true), (165, false)] {
        let (mut produced, mut found) = right();
        produced.gap = Some(gap.clone());
        found.decisions.remove(&n);
        found.facts.retain(|fact| fact.message.1 != story::text(n));
        let account = Account::of("gap", &produced, found);
        let is_right = account.objections().is_empty() && account.is_all_sent();
        assert_eq!((is_right, account.gone > 0), (may_be_gone, may_be_gone), "{n}: {account:?}");
    }
}

/// The `nth` event of a kind.
fn of(kind: Kind, nth: usize) -> usize {
    (0..EVENTS).filter(|n| story::kind(*n) == kind).nth(nth).unwrap()
}

/// A user's first note after an event.
fn to(who: usize, after: usize) -> usize {
    let is_note = |n: &usize| matches!(story::kind(*n), Kind::Note(_)) && story::told(*n) == [who];
    (after..EVENTS).find(is_note).unwrap()
}

fn decided(found: &mut Found, n: usize) -> &mut Vec<String> {
    found.decisions.get_mut(&n).unwrap()
}

fn fact(found: &mut Found, n: usize) -> &mut Fact {
    found.facts.iter_mut().find(|fact| fact.message.1 == story::text(n)).unwrap()
}

fn place(found: &Found, n: usize) -> usize {
    found.receipts.iter().position(|receipt| receipt.text == story::text(n)).unwrap()
}

fn receipt(found: &mut Found, n: usize) -> &mut Receipt {
    let place = place(found, n);
    &mut found.receipts[place]
}

fn unsend(found: &mut Found, n: usize) -> Receipt {
    fact(found, n).history.clear();
    found.receipts.remove(place(found, n))
}

fn ended(found: &mut Found, n: usize, status: Status) {
    unsend(found, n);
    fact(found, n).history = vec![row(1, status)];
}

fn waits(found: &mut Found, n: usize, reason: &str) {
    unsend(found, n);
    fact(found, n).waits = Some(reason.to_owned());
}

fn again(found: &mut Found, n: usize) {
    let copy = receipt(found, n).clone();
    found.receipts.push(copy);
}

/// As if nothing had kept it back.
fn send(found: &mut Found, n: usize) {
    let fact = fact(found, n);
    let id = fact.history[0].notification_id.0;
    let (to, text) = (fact.planned.clone(), fact.message.1.clone());
    fact.history = vec![row(id.as_u128(), Status::Read)];
    found.receipts.push(Receipt { to, text, attempt: Some((id, 1)), failed: false });
}

/// To the user who comes back, before that.
fn send_before_back(produced: &mut Produced, found: &mut Found) {
    send(found, to(RETURNS, STOPS));
    let attempt = found.receipts.last().and_then(|receipt| receipt.attempt);
    produced.turns.stops[1].until.as_mut().unwrap().0.extend(attempt);
}

/// With the next one of its line.
fn swap(found: &mut Found, n: usize) {
    let is_next = |other: &usize| story::line(*other).is_some() && story::line(*other) == story::line(n);
    let other = (n + 1..EVENTS).find(is_next).unwrap();
    let (n, other) = (place(found, n), place(found, other));
    found.receipts.swap(n, other);
}

fn retell(found: &mut Found) {
    let is_digest = |text: &str| story::items(text).is_some();
    let text = &mut found.facts.iter_mut().find(|fact| is_digest(&fact.message.1)).unwrap().message.1;
    let other = text.replacen("Digest", "Digest 36", 1).replace(" 15", "");
    found.receipts.iter_mut().find(|receipt| receipt.text == *text).unwrap().text.clone_from(&other);
    *text = other;
}

fn pair(found: &mut Found) {
    let second = of(Kind::Pair, 1);
    decided(found, second)[0] = "notify".to_owned();
}

fn row(id: u128, status: Status) -> Delivery {
    Delivery {
        notification_id: NotificationId(Uuid::from_u128(id)),
        attempt: 1,
        status,
        at: Timestamp::UNIX_EPOCH,
        wamid: None,
        code: None,
        detail: Some("why".to_owned()),
    }
}

/// Books in which everything is as it must be.
fn right() -> (Produced, Found) {
    let events = (0..EVENTS).map(|n| Accepted { n, posted: 10 * n as u64 + 5, at: 10 * n as u64 + 6 });
    let mut found = Found::default();
    let mut turns = Turns::default();
    let turn = |who, n: usize, found: &Found| {
        let begun = found.receipts.iter().filter_map(|receipt| receipt.attempt).collect();
        Turn { who, acknowledged: 10 * n as u64, begun }
    };
    for n in 0..EVENTS {
        match n {
            STOPS => {
                for who in [LEAVES, RETURNS, LEAVES_AND_MOVES] {
                    turns.stops.push(Stop { turn: turn(who, n, &found), until: None });
                }
            }
            MOVE => turns.moves = [MOVES, LEAVES_AND_MOVES].map(|who| turn(who, n, &found)).into(),
            BACK => {
                let Turn { acknowledged, begun, .. } = turn(RETURNS, n, &found);
                turns.stops[1].until = Some((begun, acknowledged));
            }
            _ => {}
        }
        let second = story::kind(n) == Kind::Pair && n / 21 % 2 == 1;
        let outcomes = story::kind(n).outcomes();
        found.decisions.insert(n, vec![outcomes[usize::from(second)].to_owned()]);
        let told = if second { vec![] } else { story::told(n) };
        for who in told {
            let kept = match who {
                _ if story::kind(n) == Kind::Expiring => Some(Status::Expired),
                LEAVES | LEAVES_AND_MOVES if n >= STOPS => Some(Status::Skipped),
                RETURNS if (STOPS..BACK).contains(&n) => Some(Status::Skipped),
                _ => None,
            };
            let to = if n >= MOVE && who == MOVES { story::new_number(who) } else { story::number(who) };
            enter(&mut found, who, to, story::text(n), kept);
        }
        if story::kind(n) == Kind::Digest {
            enter(&mut found, 20, story::number(20), format!("Digest {n}"), None);
        }
    }
    (Produced { events: events.collect(), turns, gap: None }, found)
}

fn enter(found: &mut Found, who: usize, to: String, text: String, kept: Option<Status>) {
    let id = 1 + found.facts.len() as u128;
    let history = vec![row(id, kept.unwrap_or(Status::Read))];
    found.facts.push(Fact {
        message: (who, text.clone()),
        planned: story::number(who),
        history,
        waits: None,
    });
    if kept.is_none() {
        found.receipts.push(Receipt { to, text, attempt: Some((Uuid::from_u128(id), 1)), failed: false });
    }
}
