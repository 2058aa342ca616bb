//! The account itself: of books that are right it finds nothing, and it sees each fault that is planted.

use std::collections::HashMap;

use hookswitch_core::domain::{Delivery, NotificationId, Status};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    account::{Account, Fact, Found, Receipt},
    producer::{Accepted, CalledOff, Produced},
    story::{self, Kind, LEAVES, LEAVES_AND_MOVES, MOVES, RETURNS},
    turns::{Stop, Turn, Turns},
};

const EVENTS: usize = 1_600;
/// The events before which users act.
const STOPS: usize = 100;
const MOVE: usize = 200;
const BACK: usize = 300;
/// The cycles of an alarm that is called off in time, of one that is called off while its message is sent, and of one that
/// is not called off.
const OFF: usize = 1;
const LATE: usize = 2;
const STAYS: usize = 3;

/// A fault, and the column that shows it.
type Planted = (&'static str, fn(&mut Produced, &mut Found), fn(&Account) -> usize);

pub fn notices_what_is_wrong() {
    let (produced, found) = right();
    let account = Account::of("right", &produced, found);
    account.check_all_sent();
    assert!(account.kept > 0 && account.collected > 10 && account.deduped > 5, "{account:?}");
    assert!(account.called_off > 5 && account.limited > 5, "{account:?}");

    allows_what_is_gone();

    let planted: [Planted; 26] = [
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
        ("an alarm with one decision", |_, f| drop(decided(f, alarm(0)).pop()), |a| a.accepted - a.routed),
        ("a message after it was called off", |_, f| send_text(f, &escalation(OFF)), |a| a.after_call_off),
        ("another attempt after it was called off", |_, f| try_again(f, LATE), |a| a.after_call_off),
        (
            "a message that was called off, and does not say so",
            |_, f| fact_of(f, &escalation(OFF)).history[0].detail = Some("no such person".into()),
            |a| a.failed,
        ),
        (
            "a message that was not called off and not sent",
            |_, f| keep(f, &escalation(STAYS), "cancelled by event 1"),
            |a| a.failed,
        ),
        ("one message too many", |_, f| send(f, limited(story::AT_MOST)), |a| a.mislimited),
        (
            "one message too few",
            |_, f| keep(f, &story::text(limited(0)), "at_most: 3 per 1d"),
            |a| a.mislimited,
        ),
        (
            "a message without its file",
            |_, f| receipt(f, of(Kind::Filed, 0)).file = None,
            |a| a.strange.len(),
        ),
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
    for (n, may_be_gone) in [(145, false), (148, false), (156, true), (165, false)] {
        let (mut produced, mut found) = right();
        produced.gap = Some(gap.clone());
        found.decisions.remove(&n);
        found.facts.retain(|fact| fact.message.1 != story::text(n));
        let account = Account::of("gap", &produced, found);
        let is_right = account.objections().is_empty() && account.is_all_sent();
        assert_eq!((is_right, account.gone > 0), (may_be_gone, may_be_gone), "{n}: {account:?}");
    }
    // A host knew of it, and wrote what that had led to when it was gone.
    let calls_off = story::call_off(alarm(OFF)).unwrap();
    for n in [calls_off, limited(story::AT_MOST - 1)] {
        let (mut produced, mut found) = right();
        let at = 10 * n as u64;
        produced.gap = Some(at..at + 10);
        produced.called_off.retain(|called_off| story::call_off(called_off.alarm) != Some(n));
        found.decisions.remove(&n);
        found.facts.retain(|fact| fact.message.1 != story::text(n));
        let account = Account::of("gap", &produced, found);
        assert_eq!(account.gone, 1, "{n}: {account:?}");
        account.check_all_sent();
    }
}

/// The `nth` event of a kind.
fn of(kind: Kind, nth: usize) -> usize {
    (0..EVENTS).filter(|n| story::kind(*n) == kind).nth(nth).unwrap()
}

/// The alarm of a cycle.
fn alarm(cycle: usize) -> usize {
    of(Kind::Alarm, cycle)
}

fn escalation(cycle: usize) -> String {
    story::escalation(alarm(cycle)).unwrap().1
}

/// The `nth` message to the first of those who get a few at most.
fn limited(nth: usize) -> usize {
    let who = story::told(of(Kind::Limited, 0));
    let is_one = |n: &usize| story::kind(*n) == Kind::Limited && story::told(*n) == who;
    (0..EVENTS).filter(is_one).nth(nth).unwrap()
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
    fact_of(found, &story::text(n))
}

fn fact_of<'a>(found: &'a mut Found, text: &str) -> &'a mut Fact {
    found.facts.iter_mut().find(|fact| fact.message.1 == text).unwrap()
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
    send_text(found, &story::text(n));
}

fn send_text(found: &mut Found, text: &str) {
    let fact = fact_of(found, text);
    let id = fact.history[0].notification_id.0;
    let to = fact.planned.clone();
    fact.history = vec![row(id.as_u128(), Status::Read)];
    found.receipts.push(Receipt {
        to,
        text: text.to_owned(),
        file: None,
        attempt: Some((id, 1)),
        failed: false,
    });
}

/// As if something had kept it back, for this reason.
fn keep(found: &mut Found, text: &str, why: &str) {
    found.receipts.retain(|receipt| receipt.text != text);
    let history = &mut fact_of(found, text).history;
    let id = history[0].notification_id.0.as_u128();
    *history = vec![Delivery { detail: Some(why.to_owned()), ..row(id, Status::Skipped) }];
}

/// In place of the attempt that had begun in time.
fn try_again(found: &mut Found, cycle: usize) {
    let text = escalation(cycle);
    let receipt = found.receipts.iter_mut().find(|receipt| receipt.text == text).unwrap();
    receipt.attempt.as_mut().unwrap().1 = 2;
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
    let other = text.replacen("Digest", "Digest 42", 1).replace(" 15", "");
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
    let mut called_off = Vec::new();
    let mut limited: HashMap<usize, usize> = HashMap::new();
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
        let kind = story::kind(n);
        let second = kind == Kind::Pair && n > of(Kind::Pair, 0) && story::text(n) == story::text(n - 27);
        let outcome = kind.outcomes()[usize::from(second)].to_owned();
        found.decisions.insert(n, vec![outcome; kind.decisions()]);
        let told = if second { vec![] } else { story::told(n) };
        for who in told {
            let kept = match who {
                _ if kind == Kind::Expiring => Some((Status::Expired, "its time")),
                LEAVES | LEAVES_AND_MOVES if n >= STOPS => Some((Status::Skipped, "opted out")),
                RETURNS if (STOPS..BACK).contains(&n) => Some((Status::Skipped, "opted out")),
                _ if kind == Kind::Limited => {
                    let got = limited.entry(who).or_default();
                    *got += 1;
                    (*got > story::AT_MOST).then_some((Status::Skipped, "at_most: 3 per 1d"))
                }
                _ => None,
            };
            let to = if n >= MOVE && who == MOVES { story::new_number(who) } else { story::number(who) };
            enter(&mut found, who, to, story::text(n), kept);
        }
        if let Some((who, text)) = story::escalation(n) {
            let is_off = story::call_off(n).is_some_and(|call_off| call_off < EVENTS);
            let is_late = n == alarm(LATE);
            let kept = (is_off && !is_late).then_some((Status::Skipped, "cancelled by event 1"));
            enter(&mut found, who, story::number(who), text, kept);
            if is_off {
                let begun = found.receipts.last().filter(|_| is_late).and_then(|receipt| receipt.attempt);
                let routed = 10 * (n + 60) as u64;
                called_off.push(CalledOff { alarm: n, routed, begun: begun.into_iter().collect() });
            }
        }
        if kind == Kind::Digest {
            enter(&mut found, 20, story::number(20), format!("Digest {n}"), None);
        }
    }
    (Produced { events: events.collect(), turns, called_off, ..Produced::default() }, found)
}

fn enter(found: &mut Found, who: usize, to: String, text: String, kept: Option<(Status, &str)>) {
    let id = 1 + found.facts.len() as u128;
    let (status, why) = kept.unwrap_or((Status::Read, "why"));
    let history = vec![Delivery { detail: Some(why.to_owned()), ..row(id, status) }];
    found.facts.push(Fact {
        message: (who, text.clone()),
        planned: story::number(who),
        history,
        waits: None,
    });
    if kept.is_none() {
        let file = story::has_file(&text).then(|| "1".to_owned());
        found.receipts.push(Receipt {
            to,
            text,
            file,
            attempt: Some((Uuid::from_u128(id), 1)),
            failed: false,
        });
    }
}
