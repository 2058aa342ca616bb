//! Converts between the records of the contract and the types of authors.

use std::panic;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Answer, Decision, Event, IntoAnswer, Level, Otherwise, bindings::hookswitch::plugin::types as wit, event,
    log,
};

/// Calls a router for an event, and converts its answer.
pub fn decide<T: DeserializeOwned, A: IntoAnswer>(
    event: wit::Event,
    decide: fn(Event<T>) -> A,
) -> Result<wit::Answer, wit::Failure> {
    // The trap after a panic has no message: the host reads it, and its place, from the log.
    panic::set_hook(Box::new(|panic| log(Level::Error, &panic.to_string())));
    let answer = read(event).and_then(|event| decide(event).into_answer().map_err(|failure| failure.0));
    answer.map(answered).map_err(|message| wit::Failure { message, hints: Vec::new() })
}

/// Lets the compiler check a router that is not built for the host.
pub fn check<T: DeserializeOwned, A: IntoAnswer>(_: fn(Event<T>) -> A) {}

fn read<T: DeserializeOwned>(given: wit::Event) -> Result<Event<T>, String> {
    let json = |what: &str, text: &str| {
        serde_json::from_str::<Value>(text)
            .map_err(|error| format!("cannot read the event's {what}: {error}"))
    };
    let extensions = match json("extensions", &given.extensions)? {
        Value::Object(map) => map,
        _ => Default::default(),
    };
    Ok(Event {
        data: event::data(json("data", &given.data)?)?,
        time: given.time.parse().map_err(|error| format!("cannot read the event's time: {error}"))?,
        id: given.id,
        source: given.source,
        kind: given.kind,
        subject: given.subject,
        extensions,
    })
}

fn answered(answer: Answer) -> wit::Answer {
    match answer {
        Answer::Notify(decisions) => wit::Answer::Notify(decisions.into_iter().map(decision).collect()),
        Answer::Skip(why) => wit::Answer::Skip(why),
    }
}

fn decision(decision: Decision) -> wit::Decision {
    let otherwise = (decision.otherwise != Otherwise::default())
        .then(|| serde_json::to_string(&decision.otherwise).unwrap_or_default());
    let hints = [
        ("from", decision.from),
        ("dedupe_for", decision.dedupe_for),
        ("collect", decision.collect),
        ("key", decision.key),
        ("at_most", decision.at_most),
        ("hours", decision.hours),
        ("cancel", (!decision.cancel.is_empty()).then(|| Value::from(decision.cancel).to_string())),
        ("else", otherwise),
        ("language", decision.language),
        ("reply", decision.reply.then(|| "true".to_owned())),
    ];
    let hints = hints.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    let send_at = decision.send_at.map(|at| wit::SendTime::SendAt(at.to_string()));
    wit::Decision {
        template: decision.template,
        groups: decision.groups,
        users: decision.users,
        contacts: decision.contacts,
        context: Value::Object(decision.context).to_string(),
        dedupe_key: decision.dedupe_key,
        send: send_at.or(decision.after.map(wit::SendTime::After)),
        expires_at: decision.expires_at.map(|at| at.to_string()),
        priority: decision.priority,
        mode: decision.mode,
        reason: decision.reason,
        hints,
    }
}
