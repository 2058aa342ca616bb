use super::*;

fn item(seq: i64, subject: Option<&str>, asks: &str) -> Item {
    Item {
        lane: Lane(1),
        seq,
        subject: subject.map(str::to_owned),
        asks: asks.to_owned(),
        parked: None,
        suspect: false,
    }
}

fn seqs(items: &[Item]) -> Vec<i64> {
    items.iter().map(|item| item.seq).collect()
}

fn written(aside: &mut Aside<i64>) -> Vec<i64> {
    let ready = aside.writable(100);
    ready.iter().for_each(|(item, _)| aside.done(item));
    ready.into_iter().map(|(_, answer)| answer).collect()
}

#[test]
fn a_plugin_that_hangs_takes_no_place_from_another() {
    let mut aside = Aside::<i64>::default();
    for seq in 0..1_000 {
        aside.add(item(seq, None, "hangs"));
    }
    assert_eq!(aside.startable(64, 2, 64).0.len(), 32);
    aside.add(item(1_000, None, "quick"));
    assert_eq!(seqs(&aside.startable(64, 2, 64).0), [1_000]);
    assert_eq!(aside.startable(64, 2, 64).0, []);
    aside.answer((1_000, Lane(1), -1), 1_000);
    assert_eq!(written(&mut aside), [1_000]);
}

#[test]
fn few_calls_begin_at_once_and_of_each_plugin_in_turn() {
    let mut aside = Aside::<i64>::default();
    for seq in 0..20 {
        aside.add(item(seq, None, "a"));
        aside.add(item(100 + seq, None, "b"));
    }
    let (first, are_left) = aside.startable(64, 2, 8);
    assert_eq!((seqs(&first), are_left), (vec![0, 100, 1, 101, 2, 102, 3, 103], true));
    assert_eq!(aside.startable(64, 2, 64).0.len(), 32);
    assert_eq!(aside.startable(64, 2, 8), (vec![], false));
}

#[test]
fn answers_of_one_subject_are_written_in_the_order_of_the_log() {
    let mut aside = Aside::<i64>::default();
    for (seq, subject) in [(1, Some("a")), (2, Some("a")), (3, Some("b")), (4, None)] {
        aside.add(item(seq, subject, "p"));
    }
    assert!(
        aside.holds(Lane(1), Some("a")) && !aside.holds(Lane(2), Some("a")) && !aside.holds(Lane(1), None)
    );
    assert_eq!(seqs(&aside.startable(64, 1, 64).0), [1, 2, 3, 4], "they are asked side by side");
    for seq in [4, 3, 2] {
        aside.answer((seq, Lane(1), -1), seq);
    }
    assert_eq!(written(&mut aside), [3, 4]);
    aside.answer((1, Lane(1), -1), 1);
    assert_eq!(written(&mut aside), [1, 2], "both at once");
    assert!(!aside.holds(Lane(1), Some("a")));
}

#[test]
fn what_asks_no_plugin_waits_for_its_subject_without_taking_a_place() {
    let mut aside = Aside::<i64>::default();
    aside.add_running(item(1, Some("a"), "p"));
    for seq in 2..200 {
        aside.add(item(seq, Some("a"), ""));
    }
    aside.add(item(200, Some("b"), ""));
    assert_eq!(seqs(&aside.startable(64, 1, 64).0), [200]);
    aside.answer((1, Lane(1), -1), 1);
    assert_eq!(written(&mut aside), [1]);
    assert_eq!(seqs(&aside.startable(64, 1, 64).0)[..3], [2, 3, 4]);
}

#[test]
fn suspects_are_decided_one_by_one_and_those_of_plugins_while_nothing_else_runs() {
    let suspect = |seq, asks: &str| Item { suspect: true, ..item(seq, None, asks) };
    let mut aside = Aside::<i64>::default();
    aside.add_running(item(1, None, "p"));
    aside.add(suspect(2, "p"));
    aside.add(suspect(3, ""));
    aside.add(item(4, None, "q"));
    let (first, alone) = aside.next_suspects(64);
    assert_eq!((seqs(&first), alone), (vec![3], false), "it asks nobody, and a plugin is at another");
    first.iter().for_each(|item| aside.done(item));
    assert_eq!((aside.next_suspects(64).0, aside.startable(64, 2, 64).0), (vec![], vec![]));
    aside.answer((1, Lane(1), -1), 1);
    let (second, alone) = aside.next_suspects(64);
    assert_eq!((seqs(&second), alone), (vec![2], true));
    assert_eq!(aside.startable(64, 2, 64).0, [], "it is alone");
    aside.answer((2, Lane(1), -1), 2);
    assert_eq!(seqs(&aside.startable(64, 2, 64).0), [4]);
}

#[test]
fn suspects_of_one_subject_come_in_their_order_and_can_be_put_back() {
    let suspect = |seq, subject: &str| Item { suspect: true, ..item(seq, Some(subject), "") };
    let mut aside = Aside::<i64>::default();
    // Its subject's first is not a suspect: it waits for that.
    aside.add(item(1, Some("c"), "p"));
    for (seq, subject) in [(5, "a"), (2, "b"), (3, "a"), (4, "c")] {
        aside.add(suspect(seq, subject));
    }
    let (group, _) = aside.next_suspects(64);
    assert_eq!(seqs(&group), [2, 3, 5]);
    aside.done(&group[0]);
    aside.put_back(group[1..].to_vec());
    assert_eq!(seqs(&aside.next_suspects(1).0), [3]);
}

#[test]
fn what_is_slow_is_remembered_until_it_is_quick_again() {
    let mut aside = Aside::<i64>::default();
    assert!(aside.is_quick("p"));
    aside.took("p", PATIENCE * 2);
    assert!(!aside.is_quick("p") && aside.is_quick("q"));
    aside.took("p", PATIENCE / 2);
    aside.add(item(1, None, "p"));
    assert!(!aside.is_quick("p"), "others wait before");
}

#[test]
fn two_parked_decisions_of_one_event_are_written_one_after_the_other() {
    let parked = |ordinal| {
        let row = crate::store::ParkedRow {
            lane: Lane(1),
            event_seq: 7,
            ordinal,
            plugin: "p".to_owned(),
            is_stopped: false,
        };
        Item { parked: Some(row), ..item(7, None, "p") }
    };
    let mut aside = Aside::<i64>::default();
    assert!(aside.add(parked(0)) && aside.add(parked(1)) && !aside.add(parked(1)));
    assert_eq!(aside.startable(64, 1, 64).0.len(), 2);
    aside.answer((7, Lane(1), 0), 0);
    aside.answer((7, Lane(1), 1), 1);
    assert_eq!(written(&mut aside), [0]);
    assert_eq!(written(&mut aside), [1]);
}

#[test]
fn what_is_another_hosts_is_forgotten() {
    let mut aside = Aside::<i64>::default();
    aside.add(item(1, Some("a"), "p"));
    aside.add(Item { lane: Lane(2), ..item(2, None, "p") });
    aside.retain(|lane| lane == Lane(2));
    assert_eq!((seqs(&aside.startable(64, 1, 64).0), aside.holds(Lane(1), Some("a"))), (vec![2], false));
}
