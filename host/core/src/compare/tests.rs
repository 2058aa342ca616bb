#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use super::*;

const NOTHING: [ChangeKind; 0] = [];

fn message(template: &str, to: &str, text: &str) -> ComparedMessage {
    let face = Face { body: text.to_owned(), ..Face::default() };
    ComparedMessage {
        rule: Some("orders/routes.yaml:1".to_owned()),
        template: template.to_owned(),
        username: Some(to.to_owned()),
        name: None,
        recipient: to.to_owned(),
        reason: "member of Ops".to_owned(),
        timing: Timing {
            send_at: None,
            expires_at: None,
            hours: None,
            priority: "normal".to_owned(),
            in_digest: false,
        },
        from: None,
        in_window: Some(face.clone()),
        as_template: Some(face),
    }
}

fn kinds(then: &[ComparedMessage], now: &[ComparedMessage]) -> Vec<ChangeKind> {
    compare(then, now).into_iter().map(|change| change.kind).collect()
}

#[test]
fn what_is_announced_twice_is_gone_once() {
    let twice = [message("order", "ann", "New order"), message("order", "ann", "New order")];
    assert_eq!(kinds(&twice, &twice[..1]), [ChangeKind::Gone]);
    assert_eq!(kinds(&twice[..1], &twice), [ChangeKind::New]);
}

#[test]
fn each_difference_has_its_kind() {
    let then = [message("order", "ann", "New order")];
    assert_eq!(kinds(&then, &[message("order", "bob", "New order")]), [ChangeKind::People]);
    assert_eq!(kinds(&then, &[message("order", "ann", "An order")]), [ChangeKind::Words]);
    assert_eq!(
        kinds(&then, &[message("order_two", "ann", "New order")]),
        NOTHING,
        "only the name is another"
    );
    assert_eq!(kinds(&then, &[message("order_two", "ann", "Other")]), [ChangeKind::Words]);
    let mut late = then.clone();
    late[0].timing.send_at = Some("2026-11-27T09:00:00Z".parse().unwrap());
    assert_eq!(kinds(&then, &late), [ChangeKind::Time]);
    late[0].as_template.as_mut().unwrap().footer = Some("Hanna".to_owned());
    assert_eq!(kinds(&then, &late), [ChangeKind::Time, ChangeKind::Words], "the face at Meta counts, too");
    let unlike = [message("other", "bob", "x")];
    assert_eq!(kinds(&then, &unlike), [ChangeKind::Gone, ChangeKind::New]);
}

#[test]
fn messages_that_change_places_are_the_same() {
    let [a, b] = [message("order", "ann", "One"), message("order", "ann", "Two")];
    assert_eq!(kinds(&[a.clone(), b.clone()], &[b, a]), NOTHING);
}

/// A small generator: the same numbers in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn messages(&mut self) -> Vec<ComparedMessage> {
        let count = self.below(7);
        let one = |_| {
            let mut message = message(
                ["order", "invoice", "claim"][self.below(3) as usize],
                ["ann", "bob", "cid"][self.below(3) as usize],
                ["One", "Two"][self.below(2) as usize],
            );
            message.timing.in_digest = self.below(4) == 0;
            message.from = (self.below(5) == 0).then(|| "sales".to_owned());
            message
        };
        (0..count).map(one).collect()
    }
}

/// The changes as they can be compared: how often each one is there.
fn counted(
    changes: Vec<(ChangeKind, Option<&ComparedMessage>, Option<&ComparedMessage>)>,
) -> BTreeMap<String, usize> {
    let mut counted = BTreeMap::new();
    for change in changes {
        *counted.entry(format!("{change:?}")).or_default() += 1;
    }
    counted
}

#[test]
fn the_same_is_no_change_and_the_other_way_round_is_the_mirror() {
    let mut numbers = Numbers(7);
    for _ in 0..5_000 {
        let (then, now) = (numbers.messages(), numbers.messages());
        assert!(compare(&then, &then).is_empty());
        let mut turned = then.clone();
        turned.reverse();
        assert!(compare(&then, &turned).is_empty());
        let there = compare(&then, &now).into_iter().map(|of| (of.kind, of.then, of.now)).collect();
        let back = compare(&now, &then).into_iter().map(|of| (of.kind.mirrored(), of.now, of.then)).collect();
        let kinds = |changes: &Vec<(ChangeKind, Option<&ComparedMessage>, Option<&ComparedMessage>)>| {
            let mut kinds: Vec<ChangeKind> = changes.iter().map(|(kind, ..)| *kind).collect();
            kinds.sort();
            kinds
        };
        assert_eq!(kinds(&there), kinds(&back), "{then:?} {now:?}");
        assert_eq!(counted(there), counted(back), "{then:?} {now:?}");
    }
}
