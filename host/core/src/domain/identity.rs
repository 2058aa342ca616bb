//! Identities of WhatsApp users. Users have numbers and user ids, and change them; Meta reports that by a message or only
//! by naming both together, in any order. A contact is the user behind them. Pure.
//!
//! A user id identifies one user forever. A number can be reassigned: if it is seen with another user id than before, and
//! no change of the user id was reported, it belongs to another user. That user gets a new contact, without the former
//! user's people and window, but with the former user's opt-outs: it may be the same user after all, and an opt-out is
//! easier to undo than a message.
//!
//! News may be old: Meta repeats webhooks for days. Each address has the time of its last change, and older news changes
//! nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Contact, same_user, spellings};

/// A user was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Ids seen together, at least one; the name, and when the user wrote, if known.
    pub contact: Contact,
    /// When the user was seen, by Meta's clock.
    pub at: Timestamp,
    /// Whether an unknown user becomes a contact.
    pub creates: bool,
}

/// A change of a user's ids, with at least one old and one new id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityChange {
    /// Old number.
    pub old_wa_id: Option<String>,
    /// Old user id.
    pub old_user_id: Option<String>,
    /// New number.
    pub wa_id: Option<String>,
    /// New user id.
    pub user_id: Option<String>,
    /// When the ids changed, by Meta's clock.
    pub at: Timestamp,
}

/// News from Meta about a user's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityNews {
    /// The user was seen.
    Seen(Sighting),
    /// The user's ids changed.
    Changed(IdentityChange),
}

impl IdentityNews {
    /// When it happened.
    pub fn at(&self) -> Timestamp {
        match self {
            IdentityNews::Seen(seen) => seen.at,
            IdentityNews::Changed(change) => change.at,
        }
    }

    /// The ids in the news, in all spellings.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        let named = match self {
            IdentityNews::Seen(Sighting { contact: c, .. }) => [&c.wa_id, &c.user_id, &None, &None],
            IdentityNews::Changed(c) => [&c.wa_id, &c.user_id, &c.old_wa_id, &c.old_user_id],
        };
        named.into_iter().flatten().flat_map(|address| spellings(address))
    }
}

/// The holder of an address, now or before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Key of the contact; negative if it is not stored yet.
    pub contact: i64,
    /// Since when the contact has the address or, if it is a former one, no longer has it; `None`: always.
    pub since: Option<Timestamp>,
}

/// Changes to store. Merges come first, in this order.
#[derive(Debug, Default, PartialEq)]
pub struct IdentityChanges {
    /// Contacts that turned out to be one: the first is merged into the second.
    pub merged: Vec<(i64, i64)>,
    /// New contacts, with negative keys.
    pub created: Vec<(i64, Contact)>,
    /// Changed contacts.
    pub updated: Vec<(i64, Contact)>,
    /// Changed contacts that lose a number or user id, which another may take.
    pub freed: Vec<i64>,
    /// Changed addresses.
    pub addresses: Vec<(String, Holder)>,
    /// The second contact inherits the first one's opt-outs, unless it has its own.
    pub inherited: Vec<(i64, i64)>,
}

/// The contacts concerned by some news, as stored and as changed by the news.
#[derive(Debug, Default)]
pub struct Identities {
    contacts: BTreeMap<i64, Contact>,
    addresses: BTreeMap<String, Holder>,
    stored_contacts: BTreeMap<i64, Contact>,
    stored_addresses: BTreeMap<String, Holder>,
    merged: Vec<(i64, i64)>,
    inherited: Vec<(i64, i64)>,
    created: i64,
}

/// The standing of a number at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// No known contact has it.
    Free,
    /// This contact has it.
    Is(i64),
    /// This contact had it then, but no longer has it.
    Was(i64),
    /// A contact got it only later.
    Later,
}

impl Identities {
    /// Starts from the stored contacts that hold an address of the news, with all of their addresses.
    pub fn new(contacts: BTreeMap<i64, Contact>, addresses: BTreeMap<String, Holder>) -> Identities {
        Identities {
            stored_contacts: contacts.clone(),
            stored_addresses: addresses.clone(),
            contacts,
            addresses,
            ..Identities::default()
        }
    }

    /// Applies news, the oldest first.
    pub fn hear(&mut self, news: &[IdentityNews]) {
        let mut news: Vec<&IdentityNews> = news.iter().collect();
        news.sort_by_key(|news| news.at());
        for news in news {
            match news {
                IdentityNews::Seen(seen) => self.seen(seen),
                IdentityNews::Changed(change) => self.changed(change),
            }
        }
    }

    /// The changes to what is stored.
    pub fn changes(self) -> IdentityChanges {
        let mut changes = IdentityChanges { merged: self.merged, ..IdentityChanges::default() };
        changes.inherited = self.inherited;
        for (id, contact) in self.contacts {
            match self.stored_contacts.get(&id) {
                None => changes.created.push((id, contact)),
                Some(stored) if *stored != contact => {
                    let gives_up = |had: &Option<String>, has: &Option<String>| had.is_some() && had != has;
                    if gives_up(&stored.wa_id, &contact.wa_id) || gives_up(&stored.user_id, &contact.user_id)
                    {
                        changes.freed.push(id);
                    }
                    changes.updated.push((id, contact));
                }
                Some(_) => {}
            }
        }
        changes.addresses =
            self.addresses.into_iter().filter(|(a, h)| self.stored_addresses.get(a) != Some(h)).collect();
        changes
    }

    fn seen(&mut self, Sighting { contact: seen, at, creates }: &Sighting) {
        let (wa_id, user_id, at) = (seen.wa_id.as_deref(), seen.user_id.as_deref(), *at);
        let of_user = user_id.and_then(|user_id| self.holder(user_id)).map(|holder| holder.contact);
        let number = wa_id.map(|wa_id| self.standing(wa_id, at));
        let takes_number = matches!(number, Some(Standing::Free | Standing::Is(_)));
        // A status of a sent message does not say who uses the number: it takes no number away, but an opt-out by its user
        // id applies to the contact.
        if let (Some(Standing::Is(holder)), Some(user_id), false) = (number, user_id, *creates)
            && self.is_another(holder, wa_id, Some(user_id))
        {
            self.addresses.entry(user_id.to_owned()).or_insert(Holder { contact: holder, since: None });
            return;
        }
        let mut id = match (of_user, number) {
            (Some(user), Some(Standing::Is(other))) if user != other => {
                self.one_of((user, user_id), (other, wa_id), at)
            }
            (Some(user), _) => user,
            (None, Some(Standing::Is(holder))) if self.is_another(holder, wa_id, user_id) => {
                let id = self.create();
                self.lose_all(holder, at);
                self.inherited.push((holder, id));
                id
            }
            (None, Some(Standing::Is(holder) | Standing::Was(holder))) => holder,
            // An old message of a former user of the number.
            (None, Some(Standing::Later)) if user_id.is_none() => return,
            (None, _) if *creates => self.create(),
            (None, _) => return,
        };
        // A message was under way when its user left the number, and says nothing of where they are now.
        if !*creates && number == Some(Standing::Free) && wa_id.is_some_and(|wa_id| self.is_former(id, wa_id))
        {
            return;
        }
        if let Some(wa_id) = wa_id.filter(|_| takes_number) {
            self.set_number(id, wa_id, at);
            id = self.unite_spellings(id, wa_id, at);
        }
        if let Some(user_id) = user_id {
            self.set_user_id(id, user_id, at, matches!(number, Some(Standing::Was(_))));
            self.confirm(wa_id, user_id);
        }
        if let Some(contact) = self.contacts.get_mut(&id) {
            contact.name = seen.name.clone().or(contact.name.take());
            contact.last_inbound_at = contact.last_inbound_at.max(seen.last_inbound_at);
        }
    }

    fn changed(&mut self, IdentityChange { old_wa_id, old_user_id, wa_id, user_id, at }: &IdentityChange) {
        let at = *at;
        let by_user = old_user_id.as_deref().and_then(|user_id| self.holder(user_id)).map(|h| h.contact);
        let by_number = match old_wa_id.as_deref().map(|wa_id| self.standing(wa_id, at)) {
            Some(Standing::Is(id) | Standing::Was(id)) => Some(id),
            _ => None,
        };
        let mut id = match (by_user, by_number) {
            (Some(user), Some(number)) if user != number => {
                self.one_of((user, old_user_id.as_deref()), (number, old_wa_id.as_deref()), at)
            }
            (user, number) => match user.or(number) {
                Some(id) => id,
                None => return,
            },
        };
        if let Some(wa_id) = wa_id {
            match self.standing(wa_id, at) {
                Standing::Free => self.set_number(id, wa_id, at),
                Standing::Is(other) if other != id => {
                    let theirs = self.contacts.get(&other).and_then(|contact| contact.user_id.as_deref());
                    if theirs.is_some_and(|theirs| user_id.as_deref().is_some_and(|ours| ours != theirs)) {
                        self.lose_all(other, at);
                    } else {
                        // They wrote from the new number before Meta reported the change.
                        let theirs = theirs.map(str::to_owned);
                        id = self.merge(other, id, at);
                        if let Some(theirs) = theirs {
                            self.set_user_id(id, &theirs, at, false);
                        }
                    }
                    self.set_number(id, wa_id, at);
                }
                // Repeated, or older than what is known.
                Standing::Is(_) | Standing::Was(_) | Standing::Later => {}
            }
        }
        if let Some(user_id) = user_id {
            if let Some(other) = self.holder(user_id).map(|holder| holder.contact)
                && other != id
            {
                id = self.merge(other, id, at);
            }
            self.set_user_id(id, user_id, at, false);
            self.confirm(wa_id.as_deref(), user_id);
        }
    }

    fn holder(&self, address: &str) -> Option<Holder> {
        let twin = || self.addresses.get(&same_user(address)?);
        self.addresses.get(address).or_else(twin).copied()
    }

    fn has(&self, id: i64, address: &str) -> bool {
        let Some(Contact { wa_id, user_id, .. }) = self.contacts.get(&id) else { return false };
        user_id.as_deref() == Some(address)
            || wa_id.as_deref().is_some_and(|wa_id| spellings(wa_id).any(|wa_id| wa_id == address))
    }

    /// Whether this contact had the address, and nobody known has had it since.
    fn is_former(&self, id: i64, address: &str) -> bool {
        self.holder(address).is_some_and(|holder| holder.contact == id) && !self.has(id, address)
    }

    fn standing(&self, wa_id: &str, at: Timestamp) -> Standing {
        let Some(Holder { contact, since }) = self.holder(wa_id) else { return Standing::Free };
        match (self.has(contact, wa_id), since) {
            (true, Some(since)) if since > at => Standing::Later,
            (true, _) => Standing::Is(contact),
            (false, Some(since)) if since >= at => Standing::Was(contact),
            (false, _) => Standing::Free,
        }
    }

    /// Whether a number is seen with another user id than before. Another spelling does not count: WhatsApp may not have
    /// known the number yet.
    fn is_another(&self, id: i64, wa_id: Option<&str>, user_id: Option<&str>) -> bool {
        let Some(contact) = self.contacts.get(&id) else { return false };
        let since = |address: &Option<String>| self.holder(address.as_deref()?)?.since;
        user_id.is_some_and(|user_id| contact.user_id.as_deref().is_some_and(|known| known != user_id))
            && contact.wa_id.as_deref() == wa_id
            // An id known before the number changed has not been seen with it.
            && since(&contact.wa_id) <= since(&contact.user_id)
    }

    /// Handles a user id of one contact seen with the number of another: they are one, or the number was reassigned.
    fn one_of(&mut self, user: (i64, Option<&str>), number: (i64, Option<&str>), at: Timestamp) -> i64 {
        if !self.is_another(number.0, number.1, user.1) {
            return self.merge(user.0, number.0, at);
        }
        self.lose_all(number.0, at);
        self.inherited.push((number.0, user.0));
        user.0
    }

    fn create(&mut self) -> i64 {
        self.created -= 1;
        let nobody = Contact::default();
        self.contacts.insert(self.created, nobody);
        self.created
    }

    /// Merges two contacts and returns the key of the result: the second's, unless only the first is stored.
    fn merge(&mut self, gone: i64, kept: i64, at: Timestamp) -> i64 {
        let (gone, kept) = if kept < 0 && gone > 0 { (kept, gone) } else { (gone, kept) };
        let Some(other) = self.contacts.remove(&gone) else { return kept };
        for holder in self.addresses.values_mut().filter(|holder| holder.contact == gone) {
            holder.contact = kept;
        }
        for (from, to) in &mut self.inherited {
            for id in [from, to] {
                *id = if *id == gone { kept } else { *id };
            }
        }
        if gone > 0 {
            self.merged.push((gone, kept));
        }
        let Some(contact) = self.contacts.get_mut(&kept) else { return kept };
        contact.name = contact.name.take().or(other.name);
        contact.last_inbound_at = contact.last_inbound_at.max(other.last_inbound_at);
        let (number, user_id) = (contact.wa_id.clone(), contact.user_id.clone());
        match (number, other.wa_id) {
            (Some(_), Some(theirs)) => self.leave(kept, &theirs, at),
            (None, Some(theirs)) => contact.wa_id = Some(theirs),
            (_, None) => {}
        }
        match (user_id, other.user_id) {
            (Some(_), Some(theirs)) => self.leave(kept, &theirs, at),
            (None, Some(theirs)) => {
                if let Some(contact) = self.contacts.get_mut(&kept) {
                    contact.user_id = Some(theirs);
                }
            }
            (_, None) => {}
        }
        kept
    }

    /// Makes an address a former one of the contact.
    fn leave(&mut self, id: i64, address: &str, at: Timestamp) {
        for address in spellings(address) {
            if self.addresses.get(&address).is_none_or(|holder| holder.contact == id) {
                self.addresses.insert(address, Holder { contact: id, since: Some(at) });
            }
        }
    }

    fn lose_all(&mut self, id: i64, at: Timestamp) {
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        for address in [contact.wa_id.take(), contact.user_id.take()].into_iter().flatten() {
            self.leave(id, &address, at);
        }
    }

    fn set_number(&mut self, id: i64, wa_id: &str, at: Timestamp) {
        let had = self.has(id, wa_id);
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        let before = contact.wa_id.replace(wa_id.to_owned()).filter(|_| !had);
        if let Some(before) = &before {
            self.leave(id, before, at);
        }
        // The first user of a number has always had it, as far as known.
        let is_first = before.is_none() && self.holder(wa_id).is_none();
        for address in spellings(wa_id) {
            // Another contact with exactly this spelling keeps it: it may be another user.
            let theirs =
                self.addresses.get(&address).map(|holder| holder.contact).filter(|other| *other != id);
            let is_theirs =
                |other| self.contacts.get(&other).is_some_and(|c| c.wa_id.as_ref() == Some(&address));
            if address != wa_id && theirs.is_some_and(is_theirs) {
                continue;
            }
            let since = Some(at).filter(|_| !is_first);
            let holder = self.addresses.entry(address).or_insert(Holder { contact: id, since });
            if !had || holder.contact != id {
                *holder = Holder { contact: id, since };
            }
        }
    }

    /// `was`: whether only an old message says so.
    fn set_user_id(&mut self, id: i64, user_id: &str, at: Timestamp, was: bool) {
        let known = self.addresses.get(user_id).filter(|holder| holder.contact == id);
        let is_older = known.is_some_and(|holder| holder.since.is_some_and(|since| since > at));
        let known = known.copied();
        let Some(contact) = self.contacts.get_mut(&id) else { return };
        if contact.user_id.as_deref() == Some(user_id) || is_older {
            return;
        }
        let mut is_first = known.is_none() && !was;
        if !was && let Some(before) = contact.user_id.replace(user_id.to_owned()) {
            is_first = false;
            self.leave(id, &before, at);
        }
        let since = Some(at).filter(|_| !is_first);
        self.addresses.insert(user_id.to_owned(), Holder { contact: id, since });
    }

    /// Records that the user id was seen with the current number of the contact.
    fn confirm(&mut self, wa_id: Option<&str>, user_id: &str) {
        let Some(number) = wa_id.and_then(|wa_id| self.holder(wa_id)) else { return };
        if !wa_id.is_some_and(|wa_id| self.has(number.contact, wa_id)) {
            return;
        }
        if let Some(user) = self.addresses.get_mut(user_id)
            && user.contact == number.contact
        {
            user.since = user.since.max(number.since);
        }
    }

    /// Merges the contact stored under the number's other spelling, unless it has a user id of its own.
    fn unite_spellings(&mut self, id: i64, wa_id: &str, at: Timestamp) -> i64 {
        let Some(twin) = same_user(wa_id) else { return id };
        let other = self.contacts.iter().find(|(_, contact)| contact.wa_id.as_ref() == Some(&twin));
        match other {
            Some((&other, contact)) if other != id && contact.user_id.is_none() => {
                let id = self.merge(other, id, at);
                self.set_number(id, wa_id, at);
                id
            }
            _ => id,
        }
    }
}

#[cfg(test)]
mod tests;
