//! `POST /{phone-number-id}/messages`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use serde_json::{Value, json, value::RawValue};

use super::{
    Simulator,
    check::{self, Checked, Request},
    error::GraphError,
    ids,
    message::{Sent, Step},
    rules::{category, limits, media, refusal},
    state::State,
};
use crate::status::Status;

/// What comes of a send.
pub enum Answer {
    /// 200 with this body.
    Taken(Value),
    /// Taken, and the answer is lost.
    Lost,
    /// Refused.
    Refused(GraphError),
    /// HTML with this HTTP status.
    Broken(u16),
}

/// Takes or refuses a send from one of the numbers.
pub fn send(simulator: &Simulator, phone_number_id: &str, body: &[u8]) -> Answer {
    let answer = attempt(simulator, phone_number_id, body).unwrap_or_else(Answer::Refused);
    match &answer {
        Answer::Refused(error) => {
            *simulator.state().stats.refused.entry(error.code).or_default() += 1;
        }
        Answer::Broken(_) => simulator.state().stats.broken += 1,
        Answer::Taken(_) | Answer::Lost => {}
    }
    answer
}

fn attempt(simulator: &Simulator, phone_number_id: &str, body: &[u8]) -> Result<Answer, GraphError> {
    let unreadable =
        |e: serde_json::Error| GraphError::parameter(format!("Invalid parameter: the body is not JSON: {e}"));
    let mut value: Value = serde_json::from_slice(body).map_err(unreadable)?;
    check::unpack(&mut value);
    let mut message = match check::request(&value)? {
        Request::Message(message) => message,
        Request::Read => {
            simulator.state().stats.marked_read += 1;
            return Ok(Answer::Taken(json!({"success": true})));
        }
    };
    if message.recipient.wa_id.as_deref() == simulator.settings().number(phone_number_id) {
        return Err(GraphError::new(131_021, "Recipient phone number must not be the sender's"));
    }
    let raw: Box<RawValue> = serde_json::from_slice(body).map_err(unreadable)?;
    let (now, at) = (Instant::now(), Timestamp::now());
    let mut state = simulator.state();
    state.resolve(&mut message.recipient);
    let mut failure = None;
    let mut wrong_answer = None;
    if let Some(fault) = state.fault(message.recipient.key()) {
        let answer = match (fault.code, fault.http_status) {
            (None, status) => Some(Answer::Broken(status.unwrap_or(502))),
            (Some(code), _) if fault.webhook => {
                failure = Some(code);
                None
            }
            (Some(code), status) => {
                let mut error = GraphError::new(code, "The simulator was told to answer this");
                error.status = status.unwrap_or(error.status);
                Some(Answer::Refused(error))
            }
        };
        match answer {
            Some(answer) if !fault.taken => return Ok(answer),
            answer => wrong_answer = answer,
        }
    }
    limits(&mut state, phone_number_id, &message, now)?;
    let category = category(&state, &message)?;
    let unfit = media(&state, phone_number_id, &value, message.kind, at)?;
    let in_window = state.window_open(phone_number_id, message.recipient.key(), at);
    let failure = failure.or(refusal(&state, &message, &category, in_window)?).or(unfit);
    let answer = accept(
        simulator,
        state,
        &message,
        Take { phone_number_id, category, in_window, failure, request: raw.into(), now, at },
    );
    Ok(wrong_answer.unwrap_or(answer))
}

struct Take<'a> {
    phone_number_id: &'a str,
    category: String,
    in_window: bool,
    failure: Option<u32>,
    request: Arc<RawValue>,
    now: Instant,
    at: Timestamp,
}

fn accept(
    simulator: &Simulator,
    mut state: std::sync::MutexGuard<'_, State>,
    message: &Checked<'_>,
    take: Take<'_>,
) -> Answer {
    let recipient = &message.recipient;
    let user = state.user(recipient.key());
    let name = user.and_then(|user| user.name.clone());
    let user_id = recipient
        .user_id
        .clone()
        .or_else(|| user.map(|user| user.user_id.clone()))
        .unwrap_or_else(|| ids::user_id(recipient.key()));
    let sent = Arc::new(Sent {
        seq: state.next_seq(),
        phone_number_id: take.phone_number_id.to_owned(),
        wamid: ids::outbound_wamid(recipient.key()),
        wa_id: recipient.wa_id.clone(),
        user_id,
        name,
        kind: message.kind,
        callback_data: message.callback_data.map(str::to_owned),
        category: take.category,
        in_window: take.in_window,
        received_at: take.at,
        request: take.request,
    });
    let (held, lost) = (state.knobs.held_for_quality, state.knobs.lost_answers);
    let held = message.template.is_some() && state.falls(held);
    let lost = state.falls(lost);
    let after = state.knobs.sent_after_ms + if held { state.knobs.held_ms } else { 0 };
    let due = take.now + Duration::from_millis(after);
    let status = if take.failure.is_some() { Status::Failed } else { Status::Sent };
    state.queue.step(due, Step { sent: sent.clone(), status, code: take.failure });
    let answer = answer(message, &sent, held);
    state.keep(sent);
    state.stats.took(take.at);
    if lost {
        state.stats.lost_answers += 1;
    }
    let early = due < state.wake_at;
    drop(state);
    if early {
        simulator.wake();
    }
    simulator.announce();
    if lost { Answer::Lost } else { Answer::Taken(answer) }
}

fn answer(message: &Checked<'_>, sent: &Sent, held: bool) -> Value {
    let recipient = &message.recipient;
    let mut contact = json!({"input": recipient.input});
    // Who is addressed by a user id alone stays without a number, though the simulator may know it.
    if recipient.user_id.as_deref() != Some(recipient.input.as_str())
        && let Some(wa_id) = &sent.wa_id
    {
        contact["wa_id"] = wa_id.as_str().into();
    }
    if recipient.user_id.is_some() {
        contact["user_id"] = sent.user_id.as_str().into();
    }
    let mut taken = json!({"id": sent.wamid});
    if message.template.is_some() {
        taken["message_status"] = if held { "held_for_quality_assessment" } else { "accepted" }.into();
    }
    json!({"messaging_product": "whatsapp", "contacts": [contact], "messages": [taken]})
}
