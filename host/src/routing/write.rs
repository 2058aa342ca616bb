//! Plans decided events and appends their rows in one transaction. A batch that PostgreSQL refuses is halved until the
//! refused event is found.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use hookswitch_core::{
    domain::{Lane, People, Verdict},
    plan::{asked_for_opt_outs, named},
};
use jiff::Timestamp;

use super::{
    Routing, State, blocking,
    rows::{Appended, Rows, World},
    work::{Entry, LARGE, MOST_GROUPS, MOST_NOTIFICATIONS, SetAside, Work},
};
use crate::{lanes::Unread, store::StoreError};

/// Maximum number of tries of a statement that PostgreSQL refuses while it accepts others.
const TRIES: usize = 2;
/// Conflicts in a row that may be another host's doing.
const CONFLICTS: usize = 5;
/// Turns in a row that may end because a connection was lost, before what was written is blamed. Not few: who is blamed
/// is recorded as failed, and those it was for get nothing.
pub(super) const CUTS: usize = 10;

/// What became of entries.
#[derive(Default)]
pub(super) struct Written {
    /// The events that are decided or set aside.
    pub passed: Vec<(Lane, i64)>,
    /// What did not fit into the transaction, or waits behind a large decision of its lane.
    pub left: Vec<Entry>,
    /// Where the notification log has grown.
    pub told: Unread,
    /// What was set aside.
    aside: Vec<SetAside>,
    /// Lanes with decisions that are to be told page by page.
    held: Vec<Lane>,
    /// Lanes of which nothing after a place may be written in this turn.
    stopped: HashMap<Lane, i64>,
}

impl Written {
    /// Carries it over.
    pub(super) fn settle(self, state: &mut State) {
        for lane in self.held {
            if !state.held.contains(&lane) {
                state.held.push(lane);
            }
        }
        for SetAside { item, begun, answered } in self.aside {
            match (begun, answered) {
                (true, Some(work)) => state.aside.add_answered(item, work),
                (true, None) => state.aside.add_running(item),
                (false, _) => {
                    state.aside.add(item);
                }
            }
        }
    }

    fn leave(&mut self, entries: impl IntoIterator<Item = Entry>) {
        for entry in entries {
            self.stop(entry.place());
            self.left.push(entry);
        }
    }

    fn stop(&mut self, (lane, seq): (Lane, i64)) {
        self.stopped.entry(lane).and_modify(|from| *from = seq.min(*from)).or_insert(seq);
    }

    fn is_stopped(&self, (lane, seq): (Lane, i64)) -> bool {
        self.stopped.get(&lane).is_some_and(|from| seq > *from)
    }
}

impl Routing {
    /// Writes entries in their order, as many as fit into one transaction.
    pub(super) async fn write(
        &self,
        state: &State,
        entries: Vec<Entry>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        // Halves that are still to be tried, the first one last.
        let mut open = vec![entries];
        while let Some(entries) = open.pop() {
            let (error, mut entries) = match self.try_twice(state, entries, written).await {
                Ok(()) => continue,
                Err(refused) => refused,
            };
            if let [Entry::Decided(work)] = entries.as_slice() {
                self.record_failure(state, work, &error).await?;
                written.passed.push(work.place());
            } else if entries.len() > 1 {
                let second = entries.split_off(entries.len() / 2);
                open.extend([second, entries]);
            } else {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Tries to write entries. An error that is not theirs, whatever it is called, is told by asking PostgreSQL for
    /// something else of this kind: then there is no need to halve anything, only to wait.
    async fn try_twice(
        &self,
        state: &State,
        mut entries: Vec<Entry>,
        written: &mut Written,
    ) -> Result<(), (StoreError, Vec<Entry>)> {
        let mut tries = 0;
        loop {
            let (error, refused) = match self.try_write(state, entries, written).await {
                Ok(()) => return Ok(()),
                Err(refused) => refused,
            };
            tries += 1;
            match error {
                // Somebody else has routed one of them: the caller reads its cursors anew. Where that does not help,
                // it is a refusal as any other.
                StoreError::Conflict(_) if state.conflicts < CONFLICTS => return Err((error, Vec::new())),
                StoreError::Conflict(_) | StoreError::Statement(_) | StoreError::Row(_) => {
                    return Err((error, refused));
                }
                // Nothing of theirs was looked at, or somebody holds a lock that they need.
                StoreError::Busy(_) => return Err((error, Vec::new())),
                // A small row may find room where these do not.
                _ if error.is_disk_full() || !self.store.can_route().await => {
                    return Err((error, Vec::new()));
                }
                _ if tries < TRIES => entries = refused,
                _ if error.is_cut_off() && state.cuts < CUTS => return Err((error, Vec::new())),
                _ => return Err((error, refused)),
            }
        }
    }

    async fn try_write(
        &self,
        state: &State,
        entries: Vec<Entry>,
        written: &mut Written,
    ) -> Result<(), (StoreError, Vec<Entry>)> {
        let mut entries = entries;
        let waiting: Vec<Entry> = entries.extract_if(.., |entry| written.is_stopped(entry.place())).collect();
        written.leave(waiting);
        let people = match self.look_up(&mut entries, written).await {
            Ok(people) => people,
            // How much is read is bounded: if it takes long, that is nobody's doing here.
            Err(StoreError::Unreachable(why)) => return Err((StoreError::Busy(why), entries)),
            Err(error) => return Err((error, entries)),
        };
        if entries.is_empty() {
            return Ok(());
        }
        let now = self.store.now();
        let world = World {
            in_use: self.in_use.load_full(),
            senders: self.senders.clone(),
            people: Arc::new(people),
            now,
        };
        let entries = Arc::new(entries);
        let planned = {
            let entries = entries.clone();
            blocking(move || Rows::new(&world, &entries)).await
        };
        let mut entries = Arc::unwrap_or_clone(entries);
        let rows = match planned {
            Ok(rows) => rows,
            Err(error) => return Err((error, entries)),
        };
        let rest = entries.split_off(rows.taken.min(entries.len()));
        let held = match self.append(state, rows, &entries, now).await {
            Ok(Appended { held, told, unsent, counts }) => {
                self.count(unsent, counts);
                written.told.add(told);
                held
            }
            Err(error) => {
                entries.extend(rest);
                return Err((error, entries));
            }
        };
        written.leave(rest);
        for place in entries.iter().map(Entry::place).filter(|(lane, _)| held.contains(lane)) {
            // The large decision's event is the lane's last one here.
            written.stopped.insert(place.0, place.1);
        }
        written.held.extend(held);
        written.passed.extend(entries.iter().map(Entry::place));
        written.aside.extend(entries.into_iter().filter_map(|entry| match entry {
            Entry::Aside(aside) => Some(aside),
            Entry::Decided(_) => None,
        }));
        Ok(())
    }

    async fn append(
        &self,
        state: &State,
        rows: Rows,
        entries: &[Entry],
        now: Timestamp,
    ) -> Result<Appended, StoreError> {
        let aside = |suspect: bool| {
            let aside = entries.iter().filter_map(|entry| match entry {
                Entry::Aside(aside) => Some(aside),
                Entry::Decided(_) => None,
            });
            let aside = aside.filter(move |aside| aside.item.suspect == suspect);
            aside.map(|aside| (aside.item.lane, aside.item.seq, aside.begun && aside.answered.is_none()))
        };
        let (others, suspects): (Vec<_>, Vec<_>) = (aside(false).collect(), aside(true).collect());
        let begun = others.iter().filter(|(.., begun)| *begun).count();
        let alone = begun == 1 && state.aside.running() == 0;
        let parked: Vec<_> = state.aside.running_parked().filter(|_| begun > 0).collect();
        self.store
            .route(state.incarnation.as_ref(), async |transaction| {
                transaction.set_aside(self.host, &others, alone, false).await?;
                transaction.parked_not_alone(self.host, &parked).await?;
                transaction.set_aside(self.host, &suspects, false, true).await?;
                rows.write(transaction, entries, self.host, now).await
            })
            .await
    }

    /// Looks up whom the entries name, as far as they fit into one transaction; what does not is left. Of an event that
    /// tells many people only the groups are looked at.
    async fn look_up(&self, entries: &mut Vec<Entry>, written: &mut Written) -> Result<People, StoreError> {
        let mut groups: BTreeSet<&str> = BTreeSet::new();
        let mut fit = 0;
        for entry in entries.iter() {
            if let Entry::Decided(work) = entry {
                let more: BTreeSet<&str> = work.groups().filter(|group| !groups.contains(group)).collect();
                if fit > 0 && groups.len() + more.len() > MOST_GROUPS {
                    break;
                }
                groups.extend(more);
            }
            fit += 1;
            if groups.len() > MOST_GROUPS {
                break;
            }
        }
        let mut people = People::default();
        if !groups.is_empty() {
            // An event that names more groups is alone, and told page by page: it counts only which of them exist.
            let most = if groups.len() > MOST_GROUPS { 1 } else { LARGE + 1 };
            self.store.some_members(&groups, most, &mut people).await?;
        }
        let mut told = 0;
        let mut large = HashSet::new();
        let mut kept = Vec::with_capacity(entries.len());
        for (place, entry) in entries.drain(..).enumerate() {
            let lane = entry.place().0;
            if place >= fit
                || told >= MOST_NOTIFICATIONS
                || large.contains(&lane)
                || written.is_stopped(entry.place())
            {
                written.leave([entry]);
                continue;
            }
            match entry {
                Entry::Decided(mut work) => {
                    let size = size(&work, &people);
                    work.large = size > LARGE;
                    if work.large {
                        large.insert(lane);
                    } else {
                        told += size;
                    }
                    kept.push(Entry::Decided(work));
                }
                Entry::Aside(aside) => kept.push(Entry::Aside(aside)),
            }
        }
        *entries = kept;
        let names = named(small(entries));
        if !names.users.is_empty() {
            self.store.users(&names.users, &mut people).await?;
        }
        if !names.contacts.is_empty() {
            people.contacts = self.store.contacts(&names.contacts).await?;
            people.addresses = names.addresses;
        }
        let asked = asked_for_opt_outs(small(entries), &people);
        if !asked.is_empty() {
            people.opt_outs = self.store.opt_outs(&asked).await?;
        }
        Ok(people)
    }

    /// Records that an event could not be written, and why.
    async fn record_failure(&self, state: &State, work: &Work, error: &StoreError) -> Result<(), StoreError> {
        let rows = Rows::failed(work, format!("write what the rules decided: {error}"));
        let entries = [Entry::Decided(work.clone())];
        let now = self.store.now();
        let appended = self
            .store
            .route(state.incarnation.as_ref(), async |transaction| {
                rows.write(transaction, &entries, self.host, now).await
            })
            .await?;
        self.count(appended.unsent, appended.counts);
        Ok(())
    }
}

/// The verdicts of the events that are not told page by page.
fn small(entries: &[Entry]) -> impl Iterator<Item = &Verdict> {
    entries.iter().flat_map(|entry| match entry {
        Entry::Decided(work) if !work.large => work.verdicts.as_slice(),
        _ => &[],
    })
}

/// How many people an event tells, or a few more; of large groups it is only known that they are.
fn size(work: &Work, people: &People) -> usize {
    let mut size = 0;
    for decision in work.decisions() {
        let members = |group: &String| people.groups.get(group).map_or(0, Vec::len);
        size += decision.groups.iter().map(members).sum::<usize>();
        size += decision.users.len() + decision.contacts.len();
    }
    let groups: HashSet<&str> = work.groups().collect();
    if groups.len() > MOST_GROUPS { size.max(LARGE + 1) } else { size }
}
