//! Who is who. WhatsApp users have numbers and user ids, and change them; Meta says so now by a message of its own, now
//! only by naming both together, in no order. A contact is the user behind them. Pure.
//!
//! A user id names one user for ever. A number is given to somebody else after a while: a number that is seen with
//! another user id than before, and nobody has said that its user's id changed, belongs to another user. They get a
//! contact of their own, without the former user's people and window. What the former user did not want they do not
//! get either: whether it is the same user after all nobody knows, and an opt-out is easier to take back than a message.
//!
//! News may be old: Meta repeats webhooks for days. Each address knows since when it stands as it does, and what is
//! older changes nothing.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Contact, same_user, spellings};

/// A user was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The ids that were seen together, at least one; the name; when they wrote, if they did.
    pub contact: Contact,
    /// When they were seen, by Meta's clock.
    pub at: Timestamp,
    /// Whether a user who is not known becomes a contact.
    pub creates: bool,
}

/// A user's old ids and new ones; at least one of each is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdentityChange {
    /// The number before.
    pub old_wa_id: Option<String>,
    /// The user id before.
    pub old_user_id: Option<String>,
    /// The number now.
    pub wa_id: Option<String>,
    /// The user id now.
    pub user_id: Option<String>,
    /// When they changed, by Meta's clock.
    pub at: Timestamp,
}

/// What Meta says about a user's identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityNews {
    /// They were seen.
    Seen(Sighting),
    /// They have other ids now.
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

    /// The ids that it names, in each spelling.
    pub fn addresses(&self) -> impl Iterator<Item = String> {
        let named = match self {
            IdentityNews::Seen(Sighting { contact: c, .. }) => [&c.wa_id, &c.user_id, &None, &None],
            IdentityNews::Changed(c) => [&c.wa_id, &c.user_id, &c.old_wa_id, &c.old_user_id],
        };
        named.into_iter().flatten().flat_map(|address| spellings(address))
    }
}

/// Whose an address is or was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The contact's key; negative for one that is not stored yet.
    pub contact: i64,
    /// Since when they have it, or, where it is none of their present ids, since when they do not; `None`: always.
    pub since: Option<Timestamp>,
}

/// What is to be stored. Merges come first, in this order.
#[derive(Debug, Default, PartialEq)]
pub struct IdentityChanges {
    /// Contacts that turned out to be one: the first goes, with all that is kept of it, into the second.
    pub merged: Vec<(i64, i64)>,
    /// New contacts; their keys are negative.
    pub created: Vec<(i64, Contact)>,
    /// Contacts that are not as they were.
    pub updated: Vec<(i64, Contact)>,
    /// Those of them that give up a number or user id, which another may take.
    pub freed: Vec<i64>,
    /// Addresses that are not as they were.
    pub addresses: Vec<(String, Holder)>,
    /// The first contact's opt-outs are the second's too, where that one has said nothing itself.
    pub inherited: Vec<(i64, i64)>,
}

/// The contacts that some news is about, as they are stored, and then as the news makes them.
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

/// How a number stands at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Nobody has it, as far as known.
    Free,
    /// This contact has it.
    Is(i64),
    /// This contact had it then, and has it no more.
    Was(i64),
    /// Somebody has had it since, but not yet then.
    Later,
}

impl Identities {
    /// From what is stored: all contacts that one of the news' addresses belongs to, with all of their addresses.
    pub fn new(contacts: BTreeMap<i64, Contact>, addresses: BTreeMap<String, Holder>) -> Identities {
        Identities {
            stored_contacts: contacts.clone(),
            stored_addresses: addresses.clone(),
            contacts,
            addresses,
            ..Identities::default()
        }
    }

    /// Takes in what Meta says, the oldest first.
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

    /// What is different from what is stored.
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
        // Whom we write to tells nobody who writes to us: a status takes no number away, but an opt-out by the user id
        // that it names is the contact's.
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
            // Only an old message of somebody who had the number before.
            (None, Some(Standing::Later)) if user_id.is_none() => return,
            (None, _) if *creates => self.create(),
            (None, _) => return,
        };
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
                        // They wrote from the new number before Meta said that it is new.
                        let theirs = theirs.map(str::to_owned);
                        id = self.merge(other, id, at);
                        if let Some(theirs) = theirs {
                            self.set_user_id(id, &theirs, at, false);
                        }
                    }
                    self.set_number(id, wa_id, at);
                }
                // Repeated, or told after something newer.
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

    fn standing(&self, wa_id: &str, at: Timestamp) -> Standing {
        let Some(Holder { contact, since }) = self.holder(wa_id) else { return Standing::Free };
        match (self.has(contact, wa_id), since) {
            (true, Some(since)) if since > at => Standing::Later,
            (true, _) => Standing::Is(contact),
            (false, Some(since)) if since >= at => Standing::Was(contact),
            (false, _) => Standing::Free,
        }
    }

    /// Whether a number is seen with another user id than it was. Under another spelling it says nothing: WhatsApp may
    /// not have known yet what the number was.
    fn is_another(&self, id: i64, wa_id: Option<&str>, user_id: Option<&str>) -> bool {
        let Some(contact) = self.contacts.get(&id) else { return false };
        let since = |address: &Option<String>| self.holder(address.as_deref()?)?.since;
        user_id.is_some_and(|user_id| contact.user_id.as_deref().is_some_and(|known| known != user_id))
            && contact.wa_id.as_deref() == wa_id
            // An id that was known before the number changed has not been seen with it.
            && since(&contact.wa_id) <= since(&contact.user_id)
    }

    /// A user id of one contact is seen with the number of another: they are one, or the number has changed hands.
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
        let nobody = Contact { wa_id: None, user_id: None, name: None, last_inbound_at: None };
        self.contacts.insert(self.created, nobody);
        self.created
    }

    /// Makes one contact of two and returns its key: the second's, unless only the first is stored.
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

    /// The contact has the address no more, and is still known by it.
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
        // The first number of its first user has always been theirs, as far as known.
        let is_first = before.is_none() && self.holder(wa_id).is_none();
        for address in spellings(wa_id) {
            // Another contact that has just this spelling keeps it: it may be another user's.
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

    /// `was`: only an old message says so.
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

    /// The user id was seen with the number that the contact has now.
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

    /// Whoever was stored under the number's other spelling is the same user, unless their user ids say otherwise.
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
