//! Decisions with `reply: true`: they go to whoever wrote the message that the event is about, and quote it.

use serde::Deserialize;

use crate::domain::{ANSWERS, Decision, Event, Outcome};

/// What every answer has.
#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    contact: Option<From>,
}

#[derive(Deserialize)]
struct From {
    whatsapp_id: Option<String>,
    user_id: Option<String>,
}

/// The outcome, with the recipient and the message that it answers if it is a reply.
pub(super) fn addressed(outcome: Outcome, event: &Event) -> Outcome {
    match outcome {
        Outcome::Notify(decision) if decision.reply => match to_sender(*decision, event) {
            Ok(decision) => Outcome::Notify(Box::new(decision)),
            Err(why) => Outcome::Failed(why),
        },
        other => other,
    }
}

fn to_sender(decision: Decision, event: &Event) -> Result<Decision, String> {
    if event.key.source != ANSWERS {
        let source = &event.key.source;
        return Err(format!(
            "`reply` needs an event of what people write, of the source {ANSWERS}; got {source}"
        ));
    }
    let read = serde_json::from_str::<Answer>(event.data.get()).ok();
    let answer = read.and_then(|answer| {
        let contact = answer.contact?;
        Some((answer.id?, contact.whatsapp_id.or(contact.user_id)?))
    });
    let Some((id, contact)) = answer else {
        return Err(format!(
            "`reply` needs a message to answer; an event of the type {} has none",
            event.kind
        ));
    };
    let mut decision = decision;
    if !decision.contacts.contains(&contact) {
        decision.contacts.push(contact);
    }
    decision.reply_to = Some(id);
    Ok(decision)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use jiff::Timestamp;
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::EventKey;

    fn outcome(source: &str, data: &Value) -> Outcome {
        let event = Event {
            key: EventKey { id: "1".into(), source: source.into() },
            kind: "message.received".into(),
            subject: None,
            time: Timestamp::UNIX_EPOCH,
            data: serde_json::value::to_raw_value(data).unwrap(),
            extensions: None,
        };
        addressed(Outcome::Notify(Box::new(Decision { reply: true, ..Decision::default() })), &event)
    }

    #[test]
    fn a_reply_goes_to_whoever_wrote_and_quotes_it() {
        for (contact, to) in [
            (json!({"whatsapp_id": "15550100001", "user_id": "US.1"}), "15550100001"),
            (json!({"whatsapp_id": null, "user_id": "US.1"}), "US.1"),
        ] {
            let Outcome::Notify(decision) = outcome(ANSWERS, &json!({"id": "wamid.1", "contact": contact}))
            else {
                panic!("no decision")
            };
            assert_eq!(
                (decision.contacts, decision.reply_to),
                (vec![to.to_owned()], Some("wamid.1".to_owned()))
            );
        }
    }

    #[test]
    fn what_is_no_answer_has_no_reply() {
        let answer = json!({"id": "wamid.1", "contact": {"whatsapp_id": "1"}});
        let Outcome::Failed(why) = outcome("/shop", &answer) else { panic!("no failure") };
        assert!(why.contains("of the source /hookswitch/whatsapp; got /shop"), "{why}");
        for data in [json!({"contact": {"whatsapp_id": "1"}}), json!({"id": "wamid.1"}), json!(7)] {
            let Outcome::Failed(why) = outcome(ANSWERS, &data) else { panic!("no failure: {data}") };
            assert!(why.contains("needs a message to answer"), "{why}");
        }
    }
}
