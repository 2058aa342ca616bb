#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::{super::job::testing::job, *};

fn number() -> Arc<str> {
    "1".into()
}

fn line(recipient: &str) -> LineId {
    LineId::new("1", recipient)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn seqs(lines: &mut Lines) -> Vec<i64> {
    std::iter::from_fn(|| lines.take(&number(), true)).map(|job| job.logged.seq).collect()
}

fn put_off(lines: &mut Lines, job: &Job, due: i64, reason: WaitReason) -> Vec<(i64, i64)> {
    let behind = lines.put_off(&job.line, job.place(), at(due), reason, SignedDuration::ZERO);
    behind.into_iter().map(|(job, due)| (job.logged.seq, due.as_second())).collect()
}

#[test]
fn one_recipient_has_one_message_on_its_way() {
    let mut lines = Lines::default();
    for seq in 1..=3 {
        lines.join(job(seq, "a", Priority::Normal));
    }
    lines.join(job(4, "a", Priority::Urgent));
    let first = lines.take(&number(), true).unwrap();
    assert_eq!(first.logged.seq, 4, "a higher priority overtakes");
    assert_eq!(seqs(&mut lines), [0; 0]);
    lines.written(first.place());
    assert_eq!(seqs(&mut lines), [1]);
    lines.written(job(1, "a", Priority::Normal).place());
    assert_eq!(seqs(&mut lines), [2]);
}

#[test]
fn each_priority_has_its_turn_however_many_urgent_ones_there_are() {
    let mut lines = Lines::default();
    for seq in 0..60 {
        lines.join(job(seq, &format!("bulk {seq}"), Priority::Bulk));
        lines.join(job(100 + seq, &format!("normal {seq}"), Priority::Normal));
        lines.join(job(200 + seq, &format!("urgent {seq}"), Priority::Urgent));
    }
    let first: Vec<i64> = seqs(&mut lines).into_iter().take(40).filter(|seq| *seq < 200).collect();
    assert_eq!(first, [100, 0, 101, 1, 102, 2, 103, 3], "a tenth each, the oldest first");
}

#[test]
fn bulk_goes_in_its_turn_only_where_there_is_no_room_to_spare() {
    let mut lines = Lines::default();
    for seq in 0..10 {
        lines.join(job(seq, &format!("bulk {seq}"), Priority::Bulk));
        lines.join(job(100 + seq, &format!("normal {seq}"), Priority::Normal));
    }
    let taken: Vec<i64> =
        std::iter::from_fn(|| lines.take(&number(), false)).map(|job| job.logged.seq).collect();
    assert_eq!(taken, [100, 101, 102, 103, 104, 105, 106, 107, 108, 0, 109]);
    assert!(lines.take(&number(), true).is_some());
}

#[test]
fn a_place_stands_once_until_it_is_written() {
    let mut lines = Lines::default();
    lines.join(job(1, "a", Priority::Normal));
    lines.join(job(1, "a", Priority::Normal));
    assert_eq!(lines.standing().values().sum::<usize>(), 1);
    let first = lines.take(&number(), true).unwrap();
    put_off(&mut lines, &first, 5, WaitReason::Quiet);
    // What is due may be read before it is written that it waits longer.
    lines.join(Job { waited: true, ..job(1, "a", Priority::Normal) });
    assert_eq!(seqs(&mut lines), [0; 0]);
    assert!(!lines.are_idle());
    lines.written(first.place());
    assert!(lines.are_idle() && !lines.know(first.place()));
}

#[test]
fn what_is_put_back_goes_first() {
    let mut lines = Lines::default();
    lines.join(job(1, "a", Priority::Normal));
    lines.join(job(2, "a", Priority::Normal));
    let first = lines.take(&number(), true).unwrap();
    assert!(!lines.are_idle());
    lines.put_back(first);
    assert!(lines.are_idle());
    assert_eq!(seqs(&mut lines), [1]);
}

#[test]
fn what_waits_for_an_attempt_keeps_its_priority_waiting_and_no_other() {
    let mut lines = Lines::default();
    for seq in 1..=3 {
        lines.join(job(seq, "a", Priority::Normal));
    }
    lines.join(job(4, "a", Priority::Bulk));
    let first = lines.take(&number(), true).unwrap();
    assert_eq!(put_off(&mut lines, &first, 5, WaitReason::Retry), [(2, 5), (3, 5)]);
    assert_eq!(seqs(&mut lines), [4]);
    assert_eq!(lines.behind(&job(9, "a", Priority::Normal), at(9)), Some(at(5)));
    assert_eq!(lines.behind(&job(9, "a", Priority::Urgent), at(0)), None);
    lines.written(job(4, "a", Priority::Bulk).place());
    for seq in 1..=3 {
        lines.due_is_read(at(9), |_, _| true, |_| false);
        assert!(lines.behind(&job(9, "a", Priority::Normal), at(9)).is_some(), "{seq} is not written");
        lines.written(job(seq, "a", Priority::Normal).place());
    }
    lines.due_is_read(at(4), |_, _| true, |_| false);
    assert!(lines.behind(&job(9, "a", Priority::Normal), at(4)).is_some());
    lines.due_is_read(at(5), |_, _| false, |_| false);
    assert!(lines.behind(&job(9, "a", Priority::Normal), at(5)).is_some());
    lines.due_is_read(at(5), |_, _| true, |_| false);
    assert!(lines.behind(&job(9, "a", Priority::Normal), at(5)).is_none());
    assert!(lines.lines.is_empty() && lines.ready.is_empty() && lines.standing.is_empty());
}

#[test]
fn what_waits_behind_one_that_waits_longer_does_not_go_before_it() {
    let mut lines = Lines::default();
    lines.join(job(1, "a", Priority::Normal));
    lines.join(job(2, "a", Priority::Normal));
    let first = lines.take(&number(), true).unwrap();
    assert_eq!(put_off(&mut lines, &first, 5, WaitReason::Retry), [(2, 5)]);
    lines.written(first.place());
    lines.written(job(2, "a", Priority::Normal).place());
    // The first is due, fails again, and waits longer; only then the second is read.
    let waited = |seq| Job { waited: true, ..job(seq, "a", Priority::Normal) };
    assert_eq!(lines.behind(&waited(1), at(5)), None);
    lines.join(waited(1));
    let first = lines.take(&number(), true).unwrap();
    put_off(&mut lines, &first, 20, WaitReason::Retry);
    lines.written(first.place());
    assert_eq!(lines.behind(&waited(2), at(6)), Some(at(20)));
    assert_eq!(lines.behind(&waited(2), at(21)), Some(at(21)), "the first is due, and not read yet");
    lines.join(waited(1));
    assert_eq!(lines.behind(&waited(2), at(21)), None);
}

#[test]
fn what_keeps_nobody_waiting_keeps_nobody_waiting() {
    let mut lines = Lines::default();
    lines.join(job(1, "a", Priority::Normal));
    lines.join(job(2, "a", Priority::Normal));
    let first = lines.take(&number(), true).unwrap();
    assert_eq!(put_off(&mut lines, &first, 5, WaitReason::Window), []);
    assert_eq!(seqs(&mut lines), [2]);
}

#[test]
fn a_webhook_lets_those_behind_go_once_all_is_written() {
    let mut lines = Lines::default();
    lines.join(job(1, "a", Priority::Normal));
    lines.join(job(2, "a", Priority::Normal));
    let first = lines.take(&number(), true).unwrap();
    let id = first.logged.notification.id;
    lines.expect_webhook(id, Unknown { place: first.place(), attempt: 1, line: line("a") });
    put_off(&mut lines, &first, 60, WaitReason::Unknown);
    assert_eq!(lines.explained(id, at(1)), None, "not written");
    lines.written(first.place());
    lines.written(job(2, "a", Priority::Normal).place());
    assert_eq!(lines.explained(id, at(1)).unwrap().unknown.place, first.place());
    assert_eq!(lines.explained(id, at(1)), None, "once");
    lines.due_is_read(at(1), |_, _| true, |_| false);
    assert!(lines.lines.is_empty());
}

#[test]
fn a_webhook_lets_nothing_go_that_waits_for_something_else() {
    let mut lines = Lines::default();
    lines.join(job(4, "a", Priority::Normal));
    lines.join(job(5, "a", Priority::Normal));
    let later = lines.take(&number(), true).unwrap();
    assert_eq!(put_off(&mut lines, &later, 9, WaitReason::Unknown), [(5, 9)]);
    lines.written(later.place());
    lines.written(job(5, "a", Priority::Normal).place());
    // These had waited for their time.
    lines.join(Job { waited: true, ..job(1, "a", Priority::Normal) });
    lines.join(Job { waited: true, ..job(2, "a", Priority::Normal) });
    let first = lines.take(&number(), true).unwrap();
    let id = first.logged.notification.id;
    lines.expect_webhook(id, Unknown { place: first.place(), attempt: 1, line: line("a") });
    assert_eq!(put_off(&mut lines, &first, 60, WaitReason::Unknown), [(2, 60)]);
    lines.written(first.place());
    lines.written(job(2, "a", Priority::Normal).place());
    assert_eq!(lines.explained(id, at(3)).unwrap().before, Some(4));
    lines.due_is_read(at(3), |_, _| true, |_| false);
    let waited = |seq| Job { waited: true, ..job(seq, "a", Priority::Normal) };
    assert_eq!(lines.behind(&waited(2), at(3)), None);
    assert_eq!(lines.behind(&waited(5), at(3)), Some(at(9)));
    assert_eq!(lines.behind(&job(6, "a", Priority::Normal), at(3)), Some(at(9)));
}

#[test]
fn lost_lanes_leave_the_lines_but_for_what_is_under_way() {
    let mut lines = Lines::default();
    lines.join(job(1, "a", Priority::Normal));
    lines.join(job(2, "b", Priority::Normal));
    lines.join(job(3, "a", Priority::Normal));
    let lost = Lane::of("a");
    assert_ne!(lost, Lane::of("b"));
    let first = lines.take(&number(), true).unwrap();
    lines.retain_lanes(|lane| lane != lost);
    assert!(lines.know(first.place()) && !lines.know(job(3, "a", Priority::Normal).place()));
    assert_eq!(seqs(&mut lines), [2]);
    lines.written(first.place());
    assert_eq!(lines.lines.len(), 1, "the other is under way");
}
