//! Past events for a file, with invented people: for trying rules where there is no database.

use std::io;

use hookswitch_core::{
    domain::{Asked, DecisionOutcome, Person},
    recorded::{EXPORT_VERSION, ExportHead, ExportedLine, Exporter, Recorded, RecordedDecision, Returned},
};
use jiff::Timestamp;

use super::{
    Operate,
    replay::{BYTES, MOST_PEOPLE, ReplayChoice},
};
use crate::{
    intake::read_event,
    store::{PastDecision, PastEvent, StoreError, StoredPerson},
};

/// People that are read at a time.
const PEOPLE: i64 = 1_000;
/// Places of the log that are looked at at a time, at most.
const PLACES: i64 = 2_000;

/// Why events were not exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// They cannot be written.
    #[error("{0}")]
    Write(#[from] io::Error),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Events.
    pub events: u64,
    /// Events that were left out: they are not decided yet, were erased, cannot be read, or are too large with what stands in.
    pub left_out: u64,
    /// People.
    pub people: usize,
    /// Whether there are more people.
    pub more_people: bool,
}

impl Operate {
    /// Exports past events and all people, line by line, with invented names, numbers and e-mail addresses.
    ///
    /// # Errors
    /// If the database cannot be reached, or a line cannot be written.
    pub async fn export_events(
        &self,
        choice: &ReplayChoice,
        at: Timestamp,
        write: &mut (dyn FnMut(&ExportedLine) -> io::Result<()> + Send),
    ) -> Result<Exported, ExportError> {
        let mut exporter = Exporter::default();
        let mut exported = Exported::default();
        let places = self.places(choice).await?;
        // Whoever rules name by themselves is known only when all was looked at.
        self.each_past(choice, places, &mut |past| {
            exporter.learn(&recorded(past));
            Ok(())
        })
        .await?;
        let head = ExportHead { version: EXPORT_VERSION, at, since: choice.since };
        write(&ExportedLine::Exported(head))?;
        self.export_people(&mut exporter, &mut exported, write).await?;
        self.each_past(choice, places, &mut |past| {
            let Some(decided_at) = decided_at(&past) else {
                exported.left_out += 1;
                return Ok(());
            };
            let (logged, asked) = (&past.logged, asked(&past));
            match exporter.event(&logged.event, &asked, logged.received_at, decided_at) {
                // What stands in for a value may be longer: then the event may be too large.
                Ok(event) if read_event(event.event.get().as_bytes(), at).is_ok() => {
                    exported.events += 1;
                    write(&ExportedLine::Event(Box::new(event)))
                }
                Ok(_) | Err(_) => {
                    exported.left_out += 1;
                    Ok(())
                }
            }
        })
        .await?;
        Ok(exported)
    }

    async fn export_people(
        &self,
        exporter: &mut Exporter,
        exported: &mut Exported,
        write: &mut (dyn FnMut(&ExportedLine) -> io::Result<()> + Send),
    ) -> Result<(), ExportError> {
        let mut after = String::new();
        loop {
            let page = self.store.list_people(None, &after, PEOPLE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.username);
            for person in page {
                if exported.people >= MOST_PEOPLE {
                    exported.more_people = true;
                    return Ok(());
                }
                exported.people += 1;
                let StoredPerson { username, name, active, groups, language, contact, .. } = person;
                let person = Person { username, name, active, language, contact };
                write(&ExportedLine::Person(exporter.person(&person, groups)))?;
            }
        }
    }

    /// Shows past events one by one, in the order of the log.
    async fn each_past(
        &self,
        choice: &ReplayChoice,
        (first, last): (i64, i64),
        show: &mut (dyn FnMut(PastEvent) -> io::Result<()> + Send),
    ) -> Result<(), ExportError> {
        let (filter, store) = (choice.filter(), self.store.patient());
        let mut place = first - 1;
        while place < last {
            let page = store.past_events(&filter, place, last.min(place + PLACES), BYTES).await?;
            place = page.place;
            page.events.into_iter().try_for_each(&mut *show)?;
        }
        Ok(())
    }
}

/// When an event was decided; `None` if it cannot be exported.
fn decided_at(past: &PastEvent) -> Option<Timestamp> {
    let is_whole = past.logged.unreadable.is_none() && !past.logged.is_erased();
    latest(past).next().filter(|_| is_whole).map(|of| of.decided_at)
}

/// The decisions of the last time that the event was routed.
fn latest(past: &PastEvent) -> impl Iterator<Item = &PastDecision> {
    let run = past.decisions.iter().map(|of| of.run).max();
    past.decisions.iter().filter(move |of| Some(of.run) == run)
}

/// What rules asked of the world, with the answers. What they are configured with is a part of the rules.
fn asked(past: &PastEvent) -> Vec<Asked> {
    let read = |of: &PastDecision| serde_json::from_str::<Vec<Asked>>(of.asked.as_ref()?).ok();
    let all = latest(past).filter_map(read).flatten();
    all.filter(|asked| matches!(asked.port.as_str(), "now" | "http")).collect()
}

/// An event with whom its rules named.
fn recorded(past: PastEvent) -> Recorded {
    let decisions = latest(&past).map(|of| RecordedDecision {
        outcome: DecisionOutcome::Notify,
        reason: None,
        decided_at: of.decided_at,
        release: of.release.clone(),
        returned: of
            .decision
            .as_ref()
            .and_then(|text| serde_json::from_str(text).ok())
            .map(Returned::Decision),
        asked: of.asked.as_ref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default(),
        recipients: Vec::new(),
    });
    let decisions = decisions.collect();
    Recorded { event: past.logged.event, decisions, has_more: false }
}
