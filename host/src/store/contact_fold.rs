//! Makes one contact of all that a batch says about a user, so that one statement can write them. Pure.

use std::collections::HashMap;

use crate::domain::Contact;

const NOBODY: Contact = Contact { wa_id: None, user_id: None, name: None, last_inbound_at: None };

/// Each number and each user id once; of contradicting ids the later counts.
pub(super) fn fold(seen: &[Contact]) -> Vec<Contact> {
    let mut rows: Vec<Contact> = Vec::new();
    let mut by_number: HashMap<&str, usize> = HashMap::new();
    let mut by_user: HashMap<&str, usize> = HashMap::new();
    for contact in seen {
        let (wa_id, user_id) = (contact.wa_id.as_deref(), contact.user_id.as_deref());
        let of_number = wa_id.and_then(|id| by_number.get(id).copied());
        let of_user = user_id.and_then(|id| by_user.get(id).copied());
        // The user's row will do where it has no other number.
        let fits = |place: &usize| wa_id.is_none() || rows.get(*place).is_some_and(|row| row.wa_id.is_none());
        let place = of_number.or(of_user.filter(fits)).unwrap_or(rows.len());
        if place == rows.len() {
            rows.push(NOBODY);
        }
        // Another row had the user id: it keeps its number, or was this user all along.
        let mut same = NOBODY;
        if let Some(other) = of_user.filter(|other| *other != place).and_then(|other| rows.get_mut(other)) {
            other.user_id = None;
            if other.wa_id.is_none() {
                same = std::mem::replace(other, NOBODY);
            }
        }
        let Some(row) = rows.get_mut(place) else { continue };
        if let Some(former) = row.user_id.as_deref().filter(|former| user_id.is_some_and(|id| id != *former))
        {
            by_user.remove(former);
        }
        row.wa_id = row.wa_id.take().or(contact.wa_id.clone());
        row.user_id = contact.user_id.clone().or(row.user_id.take());
        row.name = contact.name.clone().or(row.name.take()).or(same.name);
        row.last_inbound_at = row.last_inbound_at.max(same.last_inbound_at).max(contact.last_inbound_at);
        by_number.extend(wa_id.map(|id| (id, place)));
        by_user.extend(user_id.map(|id| (id, place)));
    }
    rows.retain(|row| *row != NOBODY);
    rows
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    /// Number, user id, name, second; an empty text is none.
    fn contact((wa_id, user_id, name, second): (&str, &str, &str, i64)) -> Contact {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Contact {
            wa_id: some(wa_id),
            user_id: some(user_id),
            name: some(name),
            last_inbound_at: Timestamp::from_second(second).ok().filter(|_| second > 0),
        }
    }

    #[track_caller]
    fn folds(seen: &[(&str, &str, &str, i64)], to: &[(&str, &str, &str, i64)]) {
        let seen: Vec<Contact> = seen.iter().copied().map(contact).collect();
        let to: Vec<Contact> = to.iter().copied().map(contact).collect();
        assert_eq!(fold(&seen), to);
    }

    #[test]
    fn a_user_who_writes_twice_is_one() {
        folds(
            &[("1", "", "Ana", 5), ("2", "", "", 1), ("1", "", "", 3)],
            &[("1", "", "Ana", 5), ("2", "", "", 1)],
        );
        folds(&[("", "US.1", "", 1), ("", "US.1", "Ana", 2)], &[("", "US.1", "Ana", 2)]);
        folds(&[], &[]);
    }

    #[test]
    fn a_number_and_a_user_id_come_together() {
        folds(&[("1", "", "", 1), ("1", "US.1", "", 2), ("", "US.1", "", 3)], &[("1", "US.1", "", 3)]);
        folds(&[("", "US.1", "Ana", 4), ("1", "US.1", "", 2)], &[("1", "US.1", "Ana", 4)]);
        folds(&[("1", "", "", 1), ("", "US.1", "Ana", 4), ("1", "US.1", "", 2)], &[("1", "US.1", "Ana", 4)]);
    }

    #[test]
    fn of_contradicting_ids_the_later_counts() {
        folds(&[("1", "US.1", "", 1), ("2", "US.1", "", 2)], &[("1", "", "", 1), ("2", "US.1", "", 2)]);
        folds(&[("1", "US.1", "", 1), ("1", "US.2", "", 2)], &[("1", "US.2", "", 2)]);
        folds(
            &[("1", "US.1", "", 1), ("1", "US.2", "", 2), ("", "US.1", "", 3)],
            &[("1", "US.2", "", 2), ("", "US.1", "", 3)],
        );
    }
}
