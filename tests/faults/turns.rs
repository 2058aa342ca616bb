//! What users do while events flow: they opt out, come back, and change their numbers. Meta's part is played here and
//! not by the simulator, because the account must know when a webhook was answered with 200.

use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use hmac::{Hmac, KeyInit as _, Mac as _};
use hookswitch_simulator::{Settings, user_id};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::{
    harness::http,
    ledger, scale,
    story::{self, LEAVES, LEAVES_AND_MOVES, MOVES, RETURNS},
};

/// Who gets no answer for so long posts again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Counts up: tells what came first, whatever the clocks say.
#[derive(Clone, Default)]
pub struct Ticks(Arc<AtomicU64>);

impl Ticks {
    pub fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::AcqRel)
    }
}

/// A notification's attempt.
pub type Intent = (Uuid, i16);

/// That a user did something, and that a host acknowledged it.
#[derive(Clone, Debug, Default)]
pub struct Turn {
    pub who: usize,
    /// The tick at which its webhook was answered with 200.
    pub acknowledged: u64,
    /// The attempts that had begun by then.
    pub begun: HashSet<Intent>,
}

/// An opt-out, until the user comes back.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    pub turn: Turn,
    /// The attempts that had begun before the user came back, and the tick at which that was acknowledged.
    pub until: Option<(HashSet<Intent>, u64)>,
}

/// All that users did.
#[derive(Clone, Debug, Default)]
pub struct Turns {
    pub stops: Vec<Stop>,
    /// Changes of numbers.
    pub moves: Vec<Turn>,
}

/// Those who do it.
pub struct Users {
    pub hosts: Vec<String>,
    /// Of the database.
    pub url: String,
    pub ticks: Ticks,
    pub accepted: Arc<AtomicUsize>,
    /// Set once producers may know the new numbers.
    pub moved: Arc<AtomicBool>,
}

impl Users {
    /// Does it all, each when so many events have been accepted.
    pub async fn act(self) -> Turns {
        let mut turns = Turns::default();
        self.wait(0.2).await;
        turns.stops.push(self.stop(LEAVES_AND_MOVES).await);
        self.wait(0.3).await;
        turns.stops.push(self.stop(RETURNS).await);
        turns.stops.push(self.stop(LEAVES).await);
        self.wait(0.45).await;
        turns.moves.push(self.change_number(MOVES).await);
        turns.moves.push(self.change_number(LEAVES_AND_MOVES).await);
        self.moved.store(true, Ordering::Release);
        self.wait(0.6).await;
        // Meta's clock counts seconds, and the later word counts.
        sleep(Duration::from_millis(1_100)).await;
        let begun = ledger::begun(&self.url).await;
        let start = self.tell(text(RETURNS, "START")).await;
        let stop = turns.stops.iter_mut().find(|stop| stop.turn.who == RETURNS).unwrap();
        stop.until = Some((begun, start));
        turns
    }

    async fn wait(&self, part: f64) {
        let events = (scale::events() as f64 * part) as usize;
        while self.accepted.load(Ordering::Acquire) < events {
            sleep(Duration::from_millis(20)).await;
        }
    }

    async fn stop(&self, who: usize) -> Stop {
        let acknowledged = self.tell(text(who, "Stop.")).await;
        Stop { turn: Turn { who, acknowledged, begun: ledger::begun(&self.url).await }, until: None }
    }

    async fn change_number(&self, who: usize) -> Turn {
        let (old, new) = (story::number(who), story::new_number(who));
        let acknowledged = self
            .tell(json!({"messages": [{
                "from": old, "from_user_id": user_id(&old), "id": wamid(), "timestamp": now(), "type": "system",
                "system": {
                    "type": "user_changed_number", "body": format!("User {who} changed from {old} to {new}"),
                    "wa_id": new, "user_id": user_id(&new),
                },
            }]}))
            .await;
        Turn { who, acknowledged, begun: ledger::begun(&self.url).await }
    }

    /// Posts a webhook until a host answers 200; gives the tick after that.
    async fn tell(&self, mut value: Value) -> u64 {
        let account = Settings::default();
        value["messaging_product"] = "whatsapp".into();
        value["metadata"] = json!({
            "display_phone_number": account.display_phone_number, "phone_number_id": account.phone_number_id,
        });
        let change = json!({"field": "messages", "value": value});
        let body = json!({
            "object": "whatsapp_business_account", "entry": [{"id": account.waba_id, "changes": [change]}],
        });
        let body = body.to_string();
        let mut hosts = self.hosts.iter().cycle();
        loop {
            let Some(host) = hosts.next() else { return self.ticks.next() };
            let post = http()
                .post(format!("{host}/webhooks/whatsapp"))
                .header("content-type", "application/json")
                .header("x-hub-signature-256", signature(&account.app_secret, &body))
                .body(body.clone())
                .send();
            match timeout(PATIENCE, post).await {
                Ok(Ok(answer)) if answer.status() == 200 => return self.ticks.next(),
                Ok(Ok(answer))
                    if answer.status().is_client_error()
                        && ![408, 429].contains(&answer.status().as_u16()) =>
                {
                    panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default())
                }
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

fn text(who: usize, words: &str) -> Value {
    let number = story::number(who);
    let user_id = user_id(&number);
    json!({
        "contacts": [{"profile": {"name": format!("User {who}")}, "wa_id": number, "user_id": user_id}],
        "messages": [{
            "from": number, "from_user_id": user_id, "id": wamid(), "timestamp": now(), "type": "text",
            "text": {"body": words},
        }],
    })
}

fn wamid() -> String {
    format!("wamid.{}", Uuid::new_v4().simple())
}

fn now() -> String {
    Timestamp::now().as_second().to_string()
}

fn signature(secret: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body.as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}
