//! Spreads decisions for many people page by page. The row of the decision exists already; each page is a transaction that
//! moves its progress and appends the messages of the page, so that another host continues at the page that a dead host did
//! not commit, and only one of two hosts commits it. A page is limited by people and by bytes, whatever the size of a group;
//! the lock of the log is held for one page. The lane waits until the end, so that later events do not overtake.
//!
//! Members are read in the order of their ids, then the recipients named by the decision itself. A person who joins a group
//! meanwhile may be notified or not; nobody is notified twice.

use std::{
    collections::HashSet,
    hash::{BuildHasher, RandomState},
};

use hookswitch_core::{
    domain::{Decision, Lane, People},
    plan::Names,
};

use super::{
    Routing, State, blocking,
    rows::{Rows, World},
    work::{MOST_BYTES, Origin, Work},
    write::CUTS,
};
use crate::{
    lanes::Unread,
    store::{Member, Progress, Spread, StoreError},
};

/// Number of people on the first page; later pages have as many as their bytes allow.
const FIRST: usize = 500;
/// Maximum number of people on a page: appending it holds the lock of the log for some 50 ms.
const MOST: usize = 2_000;
/// Minimum number of people on a page, unless PostgreSQL refuses it.
const FEWEST: usize = 100;
/// Number of deaths of a host without committing a page, after which spreading stops.
const DEATHS: i16 = 2;

/// A decision of a lane that is being spread.
pub(super) struct Page {
    spread: Spread,
    decision: Decision,
    work: Work,
    /// Recipients notified so far.
    told: Told,
    /// Number of people on the next page.
    size: usize,
}

/// Recipients, as hashes of 64 bits: a lane may have very many.
#[derive(Default)]
struct Told {
    hashes: HashSet<u64>,
    hasher: RandomState,
}

impl Told {
    fn contains(&self, recipient: &str) -> bool {
        self.hashes.contains(&self.hasher.hash_one(recipient))
    }
}

impl Extend<String> for Told {
    fn extend<T: IntoIterator<Item = String>>(&mut self, recipients: T) {
        self.hashes.extend(recipients.into_iter().map(|recipient| self.hasher.hash_one(recipient)));
    }
}

/// The recipients of a page, and where the next page begins.
struct Audience {
    /// The decision, limited to these people.
    decision: Decision,
    people: People,
    next: Option<Progress>,
}

impl Routing {
    /// Spreads one page of the next lane. Returns whether there was one.
    pub(super) async fn tell_page(&self, state: &mut State) -> Result<bool, StoreError> {
        let Some(lane) = state.held.first().copied() else { return Ok(false) };
        let page = match state.pages.remove(&lane) {
            Some(page) => Some(page),
            None => self.open(state, lane).await?,
        };
        match page {
            Some(page) => {
                state.pages.extend(self.tell(state, page).await?.map(|page| (lane, page)));
                state.held.rotate_left(1);
                // Its rows are in many lanes.
                (self.notified)(Unread::All);
            }
            None => {
                state.held.remove(0);
            }
        }
        Ok(true)
    }

    /// The next decision of a lane to be spread, with its progress.
    async fn open(&self, state: &State, lane: Lane) -> Result<Option<Page>, StoreError> {
        loop {
            let Some(spread) = self.store.begin_spread(self.host, lane).await? else { return Ok(None) };
            let work = Work {
                trace: self.tracer.continued(&spread.logged.event, None),
                logged: spread.logged.clone(),
                verdicts: Vec::new(),
                catalog: self.catalog.in_force().of_event(lane, &spread.logged.event).clone(),
                origin: Origin::Log,
                large: true,
            };
            let decision = match serde_json::from_str::<Decision>(&spread.decision) {
                Ok(_) if spread.deaths >= DEATHS => {
                    Err(format!("the host died {DEATHS} times while sending it to them"))
                }
                Ok(decision) => Ok(decision),
                Err(error) => Err(format!("cannot read the decision: {error}")),
            };
            let decision = match decision {
                Ok(decision) => decision,
                Err(why) => {
                    self.give_up(state, &spread, &work, &why).await?;
                    continue;
                }
            };
            let mut told = Told::default();
            if spread.progress != Progress::default() {
                told.extend(self.store.told_of_decision(lane, spread.logged.seq, spread.ordinal).await?);
            }
            let (seq, ordinal) = (spread.logged.seq, spread.ordinal);
            told.extend(self.store.told_in_earlier_runs(lane, seq, ordinal, &decision.template).await?);
            return Ok(Some(Page { spread, decision, work, told, size: FIRST }));
        }
    }

    /// Spreads a page. Returns the state for the next one, if any.
    async fn tell(&self, state: &State, mut page: Page) -> Result<Option<Page>, StoreError> {
        let Audience { decision, people, next } = self.audience(&page).await?;
        let now = self.store.now();
        let world = World {
            in_use: self.in_use.load_full(),
            senders: self.senders.clone(),
            people: people.into(),
            now,
        };
        let (work, told) = (page.work.clone(), std::mem::take(&mut page.told));
        let planned = blocking(move || {
            let messages = world.planner(&work).messages(&work.logged.event, &decision);
            let messages = messages.map(|mut messages| {
                let is_new = |to: &String| !told.contains(to);
                messages.retain(|planned| planned.notification.recipient.as_ref().is_none_or(is_new));
                messages
            });
            (messages, decision, told)
        });
        let (messages, decision, told) = match planned.await {
            Ok(planned) => planned,
            Err(error) => {
                self.give_up(state, &page.spread, &page.work, &error.to_string()).await?;
                return Ok(None);
            }
        };
        page.told = told;
        let messages = match messages {
            Ok(messages) => messages,
            Err(why) => {
                self.give_up(state, &page.spread, &page.work, &why).await?;
                return Ok(None);
            }
        };
        let new: Vec<String> =
            messages.iter().filter_map(|planned| planned.notification.recipient.clone()).collect();
        let rows = Rows::page(&page.work, page.spread.ordinal, &decision, messages, now);
        let each = rows.bytes_each();
        let appended = self
            .store
            .route(state.incarnation.as_ref(), async |transaction| {
                transaction.advance(&page.spread, next).await?;
                rows.append(transaction, self.host, now).await
            })
            .await;
        match appended {
            Ok(appended) => self.count(appended.unsent, appended.counts),
            Err(error @ (StoreError::Conflict(_) | StoreError::Busy(_))) => return Err(error),
            Err(error) if error.is_disk_full() || !self.store.can_route().await => return Err(error),
            Err(error) if error.is_cut_off() && state.cuts < CUTS => return Err(error),
            Err(_) if page.size > 1 => {
                page.size /= 2;
                return Ok(Some(page));
            }
            Err(error) => {
                self.give_up(state, &page.spread, &page.work, &error.to_string()).await?;
                return Ok(None);
            }
        }
        page.told.extend(new);
        page.size = (MOST_BYTES / each.max(1)).clamp(FEWEST, MOST);
        Ok(next.map(|progress| {
            page.spread.progress = progress;
            page
        }))
    }

    /// The recipients of the next page.
    async fn audience(&self, page: &Page) -> Result<Audience, StoreError> {
        let Page { decision, size, .. } = page;
        let Progress { member, named } = page.spread.progress;
        let Some(named) = named else {
            let members =
                self.store.members_after(&decision.groups, &page.spread.groups, member, *size).await?;
            let last = members.last().map_or(member, |member| member.id);
            let are_left = members.len() == *size;
            let names_none = decision.users.is_empty() && decision.contacts.is_empty();
            let next = match are_left {
                true => Some(Progress { member: last, named: None }),
                false if names_none => None,
                false => Some(Progress { member: last, named: Some(0) }),
            };
            let (decision, people) = only(decision, &members);
            return Ok(Audience { decision, people, next });
        };
        let done = usize::try_from(named).unwrap_or(0);
        let (users, contacts) = (once_each(&decision.users), once_each(&decision.contacts));
        let all = users.len() + contacts.len();
        let end = (done + size).min(all);
        let users_of_page = &users[done.min(users.len())..end.min(users.len())];
        let members = self.store.members_among(&page.spread.groups, users_of_page).await?;
        let users_of_page = users_of_page.iter().filter(|user| !members.contains(*user)).cloned().collect();
        let contacts_of_page =
            contacts[done.saturating_sub(users.len())..end.saturating_sub(users.len())].to_vec();
        let decision = Decision {
            groups: Vec::new(),
            users: users_of_page,
            contacts: contacts_of_page,
            ..decision.clone()
        };
        let mut names = Names { users: decision.users.iter().cloned().collect(), ..Names::default() };
        names.add_contacts(&decision.contacts);
        let mut people = People::default();
        self.store.users(&names.users, &mut people).await?;
        people.contacts = self.store.contacts(&names.contacts).await?;
        people.addresses = names.addresses;
        let next = (end < all).then_some(Progress { member, named: i32::try_from(end).ok() });
        Ok(Audience { decision, people, next })
    }

    /// Stops spreading, and records why in a separate decision.
    async fn give_up(
        &self,
        state: &State,
        spread: &Spread,
        work: &Work,
        why: &str,
    ) -> Result<(), StoreError> {
        let told =
            self.store.told_of_decision(work.logged.lane, work.logged.seq, spread.ordinal).await?.len();
        let mut rows = Rows::failed(work, format!("stopped after {told} recipients: {why}"));
        let appended = self
            .store
            .route(state.incarnation.as_ref(), async |transaction| {
                transaction.advance(spread, None).await?;
                rows.number(&transaction.next_decisions(&[work.place()]).await?);
                rows.append(transaction, self.host, self.store.now()).await
            })
            .await?;
        self.count(appended.unsent, appended.counts);
        Ok(())
    }
}

/// A decision limited to these members of its groups.
fn only(decision: &Decision, members: &[Member]) -> (Decision, People) {
    let mut people = People::default();
    for member in members {
        for group in &member.groups {
            people.groups.entry(group.clone()).or_default().push(member.person.clone());
        }
        people.users.insert(member.person.username.clone(), member.person.clone());
    }
    let users = decision.users.iter().filter(|user| people.users.contains_key(*user)).cloned().collect();
    (Decision { users, contacts: Vec::new(), ..decision.clone() }, people)
}

fn once_each(names: &[String]) -> Vec<String> {
    let mut seen = HashSet::new();
    names.iter().filter(|name| seen.insert(name.as_str())).cloned().collect()
}
