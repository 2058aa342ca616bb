//! `hookswitch people forget`: erases what is known of a person.

use std::process::ExitCode;

use clap::Args;
use hookswitch_core::{
    domain::{LANES, Lane, NotificationId, spellings},
    plan::recipient,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use uuid::Uuid;

use super::{confirm::Confirmation, failure::Failure};
use crate::{
    check::count,
    store::{Known, Store},
    system::names,
};

/// Events or messages read in one transaction.
const BATCH: i64 = 500;
/// Messages erased in one transaction; they are found by their columns alone.
const MESSAGES: i64 = 5_000;

/// The arguments of `hookswitch people forget`.
#[derive(Args, Debug)]
#[command(
    long_about = "Erase what is stored about a person\n\nThis covers the contact and its number, the person's name, the \
                  texts of messages to them, and events that contain the number. Rows remain, so counts stay correct.",
    after_help = "A username remains as a key without a name; an opt-out is erased with the number. Waiting messages to \
                  them are not sent; one that a host is sending right now may still go out. An event that contains the \
                  number, or led to a message to it, loses its data, its decisions and the texts of all its messages. \
                  In production this needs the role that owns the tables. PostgreSQL keeps old versions of rows until \
                  its next vacuum, and backups keep theirs."
)]
pub struct ForgetArgs {
    /// Username, number with its country code, or Meta's user id
    person: String,
    #[command(flatten)]
    confirmation: Confirmation,
}

/// Erases a person after confirmation; status 1 if it is not confirmed.
///
/// # Errors
/// If nobody is known by that name, or the role may not change the logs.
pub async fn run(args: &ForgetArgs, store: &Store) -> anyhow::Result<ExitCode> {
    // It reads whole logs.
    let store = &store.patient();
    let known = find(store, &args.person).await?;
    let messages = store.count_messages_to(&known).await?;
    if known.contacts.is_empty() && known.usernames.is_empty() && messages == 0 {
        eprintln!("Nobody is known as {:?}; searching for events that contain it.", args.person);
    }
    let who = known.usernames.iter().chain(&known.ids).cloned().collect::<Vec<_>>().join(", ");
    let question =
        format!("Erase {who} and {}? This cannot be undone.", count(messages, "message", "messages"));
    if !args.confirmation.confirm(&question)? {
        return Ok(ExitCode::FAILURE);
    }
    let now = Timestamp::now();
    // In this order, so that after a crash the same command finds all that is left: a customer's events by the
    // messages to them, messages to a person's former numbers by the username, and all else by the contact.
    store.deactivate(&known).await?;
    let unrouted = store.backlog().await?.events;
    let events = erase_events(store, &known, now).await?;
    let messages = erase_messages(store, &known, now).await?;
    // Their examples may name them, and they can be made again.
    store.forget_replays().await?;
    store.forget_shadows().await?;
    store.erase_person(&known).await?;
    println!(
        "Erased {who}, {} and {}.",
        count(messages, "message", "messages"),
        count(i64::try_from(events).unwrap_or(i64::MAX), "event", "events")
    );
    if unrouted > 0 {
        println!(
            "{} not routed yet and not erased; repeat this command with the number once routed.",
            count(unrouted, "event is", "events are")
        );
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(store: &Store, person: &str) -> anyhow::Result<Known> {
    let ids: Vec<String> =
        recipient(person).into_iter().flat_map(|address| spellings(&address).collect::<Vec<_>>()).collect();
    let username = ids.is_empty().then_some(person);
    let known = store.known(username, &ids).await?;
    if known.usernames.is_empty() && known.ids.is_empty() {
        return Err(Failure::new(format!("no person or contact known as {person:?}"))
            .help("expected a username, a number with its country code, or Meta's user id")
            .into());
    }
    Ok(known)
}

async fn erase_messages(store: &Store, known: &Known, now: Timestamp) -> anyhow::Result<u64> {
    let (mut erased, mut after) = (0, NotificationId(Uuid::nil()));
    while let Some((count, last)) = store.erase_messages_to(known, after, MESSAGES, now).await? {
        erased += count;
        after = last;
    }
    Ok(erased)
}

async fn erase_events(store: &Store, known: &Known, now: Timestamp) -> anyhow::Result<usize> {
    let bar = ProgressBar::new(u64::from(LANES.unsigned_abs()))
        .with_style(ProgressStyle::with_template("{bar:40} {pos}/{len} lanes of the event log")?);
    let mut erased = 0;
    for lane in (0..LANES).map(Lane) {
        let mut after = 0;
        loop {
            let (suspects, last) = store.suspects(lane, after, known, BATCH).await?;
            let named = |text: &String| names(text, &known.ids);
            let about: Vec<(i64, Option<String>)> = suspects
                .into_iter()
                .filter(|event| {
                    event.about
                        || named(&event.data)
                        || event.subject.as_ref().is_some_and(named)
                        || event.extensions.as_ref().is_some_and(named)
                })
                .map(|event| (event.seq, event.subject.filter(|subject| !named(subject))))
                .collect();
            if !about.is_empty() {
                store.erase_events(lane, &about, now).await?;
                erased += about.len();
            }
            let Some(last) = last else { break };
            after = last;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(erased)
}
