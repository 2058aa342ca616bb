//! `hookswitch people forget`: erases what is known of a person.

use std::io::{IsTerminal, Write, stderr, stdin};

use anyhow::bail;
use clap::Args;
use hookswitch_core::{
    domain::{LANES, Lane, NotificationId, spellings},
    plan::recipient,
};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;
use uuid::Uuid;

use crate::{
    store::{Known, Store},
    system::names,
};

/// Events or messages that are looked at in one transaction.
const BATCH: i64 = 500;
/// Messages are looked at by the columns alone.
const MESSAGES: i64 = 5_000;

/// Erases what is known of a person: the contact and its number, the person's name, the words of messages to them, and
/// events that name the number. Rows stay, so counts stay true.
#[derive(Args, Debug)]
#[command(
    after_help = "A person's username stays, as a key without a name; an opt-out goes with the number. What waits to \
                        be sent to them is not sent any more; what a host has in hand may still go out. An event that holds the number, or led to a message to it, loses its data, what was \
                        decided of it and the words of all messages that it led to. In production this needs the role \
                        that owns the tables. PostgreSQL keeps old versions of rows until its next vacuum, and backups \
                        keep theirs."
)]
pub struct ForgetArgs {
    /// A username, a number with its country code, or a WhatsApp user id.
    person: String,
    /// Does not ask.
    #[arg(long)]
    yes: bool,
}

/// Runs it.
///
/// # Errors
/// Where nobody is known by that name, it is not confirmed, or the role may not change the logs.
pub async fn run(args: &ForgetArgs, store: &Store) -> anyhow::Result<()> {
    // It reads whole logs.
    let store = &store.patient();
    let known = find(store, &args.person).await?;
    let messages = store.count_messages_to(&known).await?;
    if known.contacts.is_empty() && known.usernames.is_empty() && messages == 0 {
        eprintln!("Nobody is known as {:?}; looking for events that name them.", args.person);
    }
    let who = known.usernames.iter().chain(&known.ids).cloned().collect::<Vec<_>>().join(", ");
    if !args.yes && !confirmed(&format!("Forget {who}, with {messages} messages? It cannot be undone."))? {
        bail!("forget {who}: not confirmed");
    }
    let now = Timestamp::now();
    // In this order, so that after a crash the same command finds all that is left: a customer's events by the
    // messages to them, messages to a person's former numbers by the username, and all else by the contact.
    store.deactivate(&known).await?;
    let unrouted = store.backlog().await?.events;
    let events = erase_events(store, &known, now).await?;
    let messages = erase_messages(store, &known, now).await?;
    store.erase_person(&known).await?;
    println!("{who}: forgotten, with {messages} messages and {events} events.");
    if unrouted > 0 {
        println!(
            "{unrouted} events were not routed yet, and are left. Once they are, say it again with the number."
        );
    }
    Ok(())
}

async fn find(store: &Store, person: &str) -> anyhow::Result<Known> {
    let ids: Vec<String> =
        recipient(person).into_iter().flat_map(|address| spellings(&address).collect::<Vec<_>>()).collect();
    let username = ids.is_empty().then_some(person);
    let known = store.known(username, &ids).await?;
    if known.usernames.is_empty() && known.ids.is_empty() {
        bail!("forget {person:?}: there is no such user; name a username, or a number with its country code");
    }
    Ok(known)
}

fn confirmed(question: &str) -> anyhow::Result<bool> {
    if !stdin().is_terminal() {
        bail!("ask whether to forget: there is no terminal; say --yes");
    }
    eprint!("{question} Write yes: ");
    stderr().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
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
