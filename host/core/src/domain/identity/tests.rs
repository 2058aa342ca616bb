#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;

fn second(at: i64) -> Timestamp {
    Timestamp::from_second(at).unwrap()
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Number, user id, second; an empty text is none.
fn saw((wa_id, user_id, at): (&str, &str, i64)) -> IdentityNews {
    let contact = Contact {
        wa_id: some(wa_id),
        user_id: some(user_id),
        last_inbound_at: Some(second(at)),
        ..Contact::default()
    };
    IdentityNews::Seen(Sighting { contact, at: second(at), creates: true })
}

/// Old number and user id, new ones, second.
fn changed((old_wa_id, old_user_id, wa_id, user_id, at): (&str, &str, &str, &str, i64)) -> IdentityNews {
    IdentityNews::Changed(IdentityChange {
        old_wa_id: some(old_wa_id),
        old_user_id: some(old_user_id),
        wa_id: some(wa_id),
        user_id: some(user_id),
        at: second(at),
    })
}

/// What is stored, with the keys that PostgreSQL would give.
#[derive(Default)]
struct Stored {
    contacts: BTreeMap<i64, Contact>,
    addresses: BTreeMap<String, Holder>,
    inherited: Vec<(i64, i64)>,
    merged: Vec<(i64, i64)>,
    last: i64,
}

impl Stored {
    fn hear(&mut self, news: &[IdentityNews]) {
        let mut identities = Identities::new(self.contacts.clone(), self.addresses.clone());
        identities.hear(news);
        let changes = identities.changes();
        let first = self.last;
        let key = |id: i64| if id < 0 { first - id } else { id };
        for (gone, kept) in &changes.merged {
            assert!(self.contacts.remove(gone).is_some(), "{gone} goes twice");
            self.addresses.values_mut().filter(|h| h.contact == *gone).for_each(|h| h.contact = *kept);
        }
        for (id, contact) in changes.created.into_iter().chain(changes.updated) {
            self.last = self.last.max(key(id));
            self.contacts.insert(key(id), contact);
        }
        for (address, holder) in changes.addresses {
            self.addresses.insert(address, Holder { contact: key(holder.contact), ..holder });
        }
        self.inherited.extend(changes.inherited.iter().map(|(from, to)| (key(*from), key(*to))));
        self.merged.extend(changes.merged);
        self.is_sound();
    }

    /// No two contacts have an address, and each has its present ones.
    fn is_sound(&self) {
        for (id, contact) in &self.contacts {
            for address in contact.wa_id.iter().chain(&contact.user_id) {
                assert_eq!(self.addresses.get(address).map(|h| h.contact), Some(*id), "{address} of {id}");
            }
        }
        for (address, holder) in &self.addresses {
            assert!(self.contacts.contains_key(&holder.contact), "{address} is nobody's");
        }
    }

    /// Who is found by an address: the key, number and user id.
    fn by(&self, address: &str) -> (i64, String, String) {
        let id = self.addresses.get(address).unwrap_or_else(|| panic!("{address} is unknown")).contact;
        let Contact { wa_id, user_id, .. } = self.contacts.get(&id).unwrap().clone();
        (id, wa_id.unwrap_or_default(), user_id.unwrap_or_default())
    }
}

fn after(news: &[IdentityNews]) -> Stored {
    let mut stored = Stored::default();
    for news in news {
        stored.hear(std::slice::from_ref(news));
    }
    // All at once it comes to as many users.
    let mut at_once = Stored::default();
    at_once.hear(news);
    assert_eq!(at_once.contacts.len(), stored.contacts.len(), "at once: {:?}", at_once.contacts);
    stored
}

fn is((id, wa_id, user_id): (i64, &str, &str)) -> (i64, String, String) {
    (id, wa_id.to_owned(), user_id.to_owned())
}

#[test]
fn ids_that_are_seen_together_are_one_users() {
    let ada = after(&[saw(("100001", "", 1)), saw(("", "US.1", 2)), saw(("100001", "US.1", 3))]);
    assert_eq!(ada.by("100001"), is((1, "100001", "US.1")));
    assert_eq!(ada.by("US.1"), ada.by("100001"));
    assert_eq!(ada.merged, [(2, 1)]);
    assert_eq!(ada.contacts[&1].last_inbound_at, Some(second(3)));
    let ada = after(&[saw(("", "US.1", 2)), saw(("100001", "US.1", 1))]);
    assert_eq!(ada.by("100001"), is((1, "100001", "US.1")));
    let ada = after(&[saw(("100001", "US.1", 1)), saw(("", "US.1", 2)), saw(("100001", "", 3))]);
    assert_eq!(ada.contacts.len(), 1);
}

#[test]
fn a_user_id_under_another_number_is_the_same_user() {
    let ada = after(&[saw(("100001", "US.1", 1)), saw(("100002", "US.1", 2))]);
    assert_eq!(ada.by("US.1"), is((1, "100002", "US.1")));
    assert_eq!(ada.by("100001"), ada.by("US.1"), "known by the former number too");
}

#[test]
fn a_change_that_meta_tells_of_is_followed() {
    let number = changed(("100001", "", "100002", "", 10));
    let ada = after(&[saw(("100001", "US.1", 1)), number.clone(), number.clone()]);
    assert_eq!(ada.by("100001"), is((1, "100002", "US.1")));
    // The user id has not been seen with the new number: another one is hers too.
    let ada = after(&[saw(("100001", "US.1", 1)), number.clone(), saw(("100002", "US.2", 11))]);
    assert_eq!((ada.by("US.1"), ada.by("US.2")), (is((1, "100002", "US.2")), is((1, "100002", "US.2"))));
    let ada = after(&[saw(("100001", "US.1", 1)), changed(("100001", "US.1", "100002", "US.2", 10))]);
    assert_eq!(ada.by("100001"), is((1, "100002", "US.2")));
    let ada = after(&[saw(("100001", "US.1", 1)), changed(("", "US.1", "", "US.2", 10))]);
    assert_eq!(ada.by("US.1"), is((1, "100001", "US.2")));
    assert_eq!(after(&[number]).contacts.len(), 0, "nobody is known");
}

#[test]
fn a_change_may_be_told_after_the_user_wrote_under_the_new_ids() {
    let wrote =
        [saw(("100001", "US.1", 1)), saw(("100002", "", 9)), changed(("100001", "", "100002", "", 8))];
    assert_eq!(after(&wrote).by("US.1"), is((1, "100002", "US.1")));
    let wrote =
        [saw(("100001", "US.1", 1)), saw(("100002", "US.2", 9)), changed(("100001", "", "100002", "", 10))];
    assert_eq!(after(&wrote).by("US.1"), is((1, "100002", "US.2")));
    // It looked as if somebody else had the number; they were the same.
    let wrote =
        [saw(("100001", "US.1", 1)), saw(("100001", "US.2", 9)), changed(("", "US.1", "", "US.2", 10))];
    let ada = after(&wrote);
    assert_eq!(ada.by("US.1"), is((1, "100001", "US.2")));
    assert_eq!((ada.contacts.len(), ada.by("100001").0), (1, 1));
}

#[test]
fn old_news_changes_nothing() {
    let first = changed(("100001", "", "100002", "", 10));
    let moved = [saw(("100001", "US.1", 1)), first.clone(), changed(("100002", "", "100003", "", 20))];
    let again = [&moved[..], &[first, saw(("100001", "US.1", 1)), saw(("100001", "", 9))]].concat();
    assert_eq!(after(&again).by("100001"), is((1, "100003", "US.1")));
    // The number is somebody else's by now.
    let new_owner = [saw(("100001", "US.1", 1)), saw(("100001", "US.9", 50)), saw(("100001", "US.1", 2))];
    let stored = after(&new_owner);
    assert_eq!((stored.by("100001"), stored.by("US.1")), (is((2, "100001", "US.9")), is((1, "", ""))));
}

#[test]
fn a_number_that_changes_hands_leaves_the_former_user_behind() {
    let stored = after(&[saw(("100001", "US.1", 1)), saw(("100001", "US.2", 50))]);
    assert_eq!((stored.by("100001"), stored.by("US.1")), (is((2, "100001", "US.2")), is((1, "", ""))));
    assert_eq!(stored.inherited, [(1, 2)], "an opt-out stays with the number");
    // Whoever moved away by Meta's word leaves nothing behind.
    let moved = [saw(("100001", "", 1)), changed(("100001", "", "100002", "", 10)), saw(("100001", "", 99))];
    let stored = after(&moved);
    assert_eq!((stored.by("100001"), stored.by("100002")), (is((2, "100001", "")), is((1, "100002", ""))));
    assert_eq!(stored.inherited, []);
    // A number that was another contact's whose user id is known.
    let taken = [
        saw(("100001", "US.1", 1)),
        saw(("100002", "US.2", 1)),
        changed(("100001", "US.1", "100002", "US.3", 10)),
    ];
    let stored = after(&taken);
    assert_eq!((stored.by("100002"), stored.by("US.2")), (is((1, "100002", "US.3")), is((2, "", ""))));
}

#[test]
fn another_spelling_is_the_same_number() {
    for (one, other) in [
        ("5541988887777", "554188887777"),
        ("554188887777", "5541988887777"),
        ("525512345678", "5215512345678"),
        ("541112345678", "5491112345678"),
    ] {
        let stored = after(&[saw((one, "", 1)), saw((other, "US.1", 2))]);
        assert_eq!(stored.by(one), is((1, other, "US.1")));
        assert_eq!(stored.by(other), stored.by(one));
        let stored = after(&[saw((one, "US.1", 1)), saw((other, "US.2", 2))]);
        assert_eq!(stored.by("US.1"), is((1, other, "US.2")), "{one}");
    }
    // Stored as two, as by an operator's hand.
    let stored_as = |id, wa_id: &str| {
        let contact = Contact { wa_id: some(wa_id), ..Contact::default() };
        ((id, contact), (wa_id.to_owned(), Holder { contact: id, since: None }))
    };
    let (contacts, addresses) =
        [stored_as(1, "5541988887777"), stored_as(2, "554188887777")].into_iter().unzip();
    let mut stored = Stored { contacts, addresses, last: 2, ..Stored::default() };
    stored.hear(&[saw(("554188887777", "", 5))]);
    assert_eq!(stored.by("5541988887777"), is((2, "554188887777", "")));
}

#[test]
fn a_status_of_a_message_under_way_brings_no_former_number_back() {
    let number = changed(("100001", "US.1", "100002", "US.2", 10));
    let statuses = [9, 10, 11, 12].map(|at| status(("100001", "US.1", at)));
    let told = [&[saw(("100001", "", 1)), number.clone()], &statuses[..]].concat();
    let knew_both = [&[saw(("100001", "US.1", 1)), number], &statuses[..]].concat();
    for news in [told, knew_both] {
        for batches in [1, 2, 6] {
            let mut ada = Stored::default();
            for batch in news.chunks(news.len() / batches) {
                ada.hear(batch);
            }
            let now = is((1, "100002", "US.2"));
            assert_eq!((ada.by("100001"), ada.by("US.1")), (now.clone(), now), "in {batches} batches");
        }
    }
    // Whoever writes from it has it again.
    let back = after(&[
        saw(("100001", "US.1", 1)),
        changed(("100001", "", "100002", "", 10)),
        saw(("100001", "US.1", 20)),
    ]);
    assert_eq!(back.by("100002"), is((1, "100001", "US.1")));
}

/// Number, user id, second.
fn status(of: (&str, &str, i64)) -> IdentityNews {
    let mut status = saw(of);
    if let IdentityNews::Seen(seen) = &mut status {
        seen.creates = false;
    }
    status
}

#[test]
fn a_status_makes_no_contact() {
    let status = status(("100001", "US.1", 1));
    assert_eq!(after(std::slice::from_ref(&status)).contacts.len(), 0);
    assert_eq!(after(&[saw(("100001", "", 1)), status.clone()]).by("US.1"), is((1, "100001", "US.1")));
    let other = after(&[saw(("100001", "US.2", 1)), status]);
    assert_eq!((other.contacts.len(), other.by("US.1")), (1, is((1, "100001", "US.2"))));
}

/// Whatever comes in whatever order, each address belongs to one contact, and each contact has its addresses.
#[test]
fn any_news_in_any_order_leaves_the_contacts_sound() {
    let mut seed = 1_u64;
    let mut random = |most: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % most
    };
    let numbers = ["", "100001", "100002", "5541988887777", "554188887777"];
    let user_ids = ["", "US.1", "US.2", "US.3"];
    for _ in 0..400 {
        let mut stored = Stored::default();
        for _ in 0..30 {
            let batch: Vec<IdentityNews> = (0..=random(3))
                .filter_map(|_| {
                    let mut number = || numbers[random(5) as usize];
                    let (wa_id, old_wa_id) = (number(), number());
                    let mut user_id = || user_ids[random(4) as usize];
                    let (user_id, old_user_id) = (user_id(), user_id());
                    let at = random(40) as i64;
                    let names = |wa_id: &str, user_id: &str| !(wa_id.is_empty() && user_id.is_empty());
                    match random(2) {
                        0 => names(wa_id, user_id).then(|| saw((wa_id, user_id, at))),
                        _ => (names(wa_id, user_id) && names(old_wa_id, old_user_id))
                            .then(|| changed((old_wa_id, old_user_id, wa_id, user_id, at))),
                    }
                })
                .collect();
            stored.hear(&batch);
        }
    }
}
