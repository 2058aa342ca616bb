//! Replays of a file of exported events: what two folders of rules make of them, without a database.

use std::{
    io::{self, BufRead, Read},
    mem,
    sync::Arc,
};

use hookswitch_core::{
    catalog::Catalog,
    domain::{Contact, People, Person, is_user_id},
    recorded::{EXPORT_VERSION, ExportHead, ExportedEvent, ExportedLine, ExportedPerson},
};
use jiff::Timestamp;

use super::{
    comparer::{Comparer, Found},
    judge::{GivenEvent, Judge},
    people::Audience,
    prices::Price,
    report::ReplayReport,
    run::ReplayError,
};
use crate::{intake::read_event, store::LoggedEvent};

/// Length of a line, at most, in bytes.
const LINE: u64 = 8 << 20;
/// People in a file, at most.
pub(in crate::operate) const MOST_PEOPLE: usize = 200_000;
/// Events that are compared at a time, at most.
const EVENTS: usize = 1_000;
/// Length of the lines of the events that are compared at a time, in bytes.
const BYTES: usize = 8 << 20;

/// Why a file could not be replayed.
#[derive(Debug, thiserror::Error)]
pub enum FileReplayError {
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// A line of it.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// Comparing them.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// A file of exported events, read line by line.
struct Lines<R> {
    reader: R,
    line: u64,
    text: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// The next line, with its length; `None` at the end.
    fn next(&mut self) -> Result<Option<(ExportedLine, usize)>, FileReplayError> {
        self.text.clear();
        self.line += 1;
        let length = self.reader.by_ref().take(LINE + 1).read_until(b'\n', &mut self.text)?;
        if length == 0 {
            return Ok(None);
        }
        if length as u64 > LINE {
            return Err(self.wrong(format!("is longer than {} MiB", LINE >> 20)));
        }
        match serde_json::from_slice(&self.text) {
            Ok(line) => Ok(Some((line, length))),
            Err(error) => Err(self.wrong(format!("is not a line of exported events: {error}"))),
        }
    }

    fn wrong(&self, what: impl Into<String>) -> FileReplayError {
        FileReplayError::Line { line: self.line, what: what.into() }
    }
}

/// Compares what the rules that are `tried` make of the events in a file with what those of `base` make of them, on so many
/// threads. `progress` is told how many bytes were read, and how many events. Returns what the file says of itself, and the report.
///
/// # Errors
/// If the file is not one of exported events.
pub async fn replay_file(
    file: impl BufRead,
    (base, tried): (Arc<Catalog>, Arc<Catalog>),
    prices: Vec<Price>,
    threads: usize,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<(ExportHead, ReplayReport), FileReplayError> {
    let mut lines = Lines { reader: file, line: 0, text: Vec::new() };
    let head = match lines.next()? {
        Some((ExportedLine::Exported(head), _)) if head.version == EXPORT_VERSION => head,
        Some((ExportedLine::Exported(head), _)) => {
            let known = format!("this version of Hookswitch reads version {EXPORT_VERSION}");
            return Err(lines.wrong(format!("the file has version {}; {known}", head.version)));
        }
        _ => return Err(lines.wrong("the first line must say what the file is: {\"exported\": …}")),
    };
    let mut people = People::default();
    let mut events = Batch::default();
    let mut found = Found { prices, ..Found::default() };
    let mut comparer = None;
    let mut read = 0;
    while let Some((line, length)) = lines.next()? {
        read += length as u64;
        match line {
            ExportedLine::Exported(_) => return Err(lines.wrong("the file begins anew")),
            ExportedLine::Person(_) if comparer.is_some() || !events.given.is_empty() => {
                return Err(lines.wrong("people must come before events"));
            }
            ExportedLine::Person(_) if people.users.len() >= MOST_PEOPLE => {
                return Err(lines.wrong(format!("the file has more than {MOST_PEOPLE} people")));
            }
            ExportedLine::Person(person) => add(&mut people, person),
            ExportedLine::Event(event) => {
                events.given.push(given(*event, lines.line).map_err(|what| lines.wrong(what))?);
                events.bytes += length;
            }
        }
        if events.is_full() {
            let comparer = comparer_of(&mut comparer, &mut people, (&base, &tried), threads)?;
            events.compare(comparer, &mut found).await?;
            progress(read, found.report.totals.events);
        }
    }
    let comparer = comparer_of(&mut comparer, &mut people, (&base, &tried), threads)?;
    events.compare(comparer, &mut found).await?;
    found.report.keys_forgotten = found.keys.forgotten || found.keys_then.forgotten;
    Ok((head, found.report))
}

/// Events that are compared at a time.
#[derive(Default)]
struct Batch {
    given: Vec<GivenEvent>,
    bytes: usize,
}

impl Batch {
    fn is_full(&self) -> bool {
        self.given.len() >= EVENTS || self.bytes >= BYTES
    }

    async fn compare(&mut self, comparer: &mut Comparer, found: &mut Found) -> Result<(), ReplayError> {
        let given = mem::take(self).given;
        let judged = comparer.judge_all(given, Judge::judge_both).await?;
        comparer.weigh(judged, found).await?;
        Ok(())
    }
}

/// The comparer, once all people are known.
fn comparer_of<'a>(
    comparer: &'a mut Option<Comparer>,
    people: &mut People,
    (base, tried): (&Arc<Catalog>, &Arc<Catalog>),
    threads: usize,
) -> Result<&'a mut Comparer, ReplayError> {
    match comparer {
        Some(comparer) => Ok(comparer),
        None => {
            let audience = Audience::of_all(mem::take(people));
            let new = Comparer::new(tried.clone(), None, threads, audience)?;
            Ok(comparer.insert(new.beside(base.clone())))
        }
    }
}

fn add(people: &mut People, person: ExportedPerson) {
    let ExportedPerson { username, name, whatsapp, language, groups, deactivated } = person;
    let contact = whatsapp.map(|address| {
        let (wa_id, user_id) =
            if is_user_id(&address) { (None, Some(address)) } else { (Some(address), None) };
        Contact { wa_id, user_id, name: None, language: None, last_inbound_at: None }
    });
    let person = Arc::new(Person { username, name, active: !deactivated, language, contact });
    for group in groups {
        people.groups.entry(group).or_default().push(person.clone());
    }
    people.users.insert(person.username.clone(), person);
}

/// The event of a line.
fn given(of: ExportedEvent, line: u64) -> Result<GivenEvent, String> {
    let ExportedEvent { event, received_at, decided_at, asked } = of;
    let event = read_event(event.get().as_bytes(), Timestamp::UNIX_EPOCH)
        .map_err(|problem| format!("its event cannot be read: {}", problem.detail()))?;
    let seq = i64::try_from(line).unwrap_or(i64::MAX);
    let logged = LoggedEvent { lane: event.lane(), seq, event, received_at, unreadable: None };
    Ok(GivenEvent { logged, decided_at, asked })
}
