//! Whoever does not want messages gets none: each way to say so, by each id that is known, whatever follows.

use std::sync::{
    Mutex,
    atomic::{AtomicUsize, Ordering},
};

use futures_util::{StreamExt, stream};

use super::*;

/// How a recipient is known, and what messages to them are addressed to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Known {
    Number,
    UserId,
    Both,
    Person,
    /// The person's number has changed since the link was made.
    MovedPerson,
    /// A number that its user has left since.
    FormerNumber,
    /// The person is linked to the number's other spelling.
    TwinPerson,
}

/// How they say that they want no messages, or no marketing.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    TextByNumber,
    TextByUserId,
    TextByBoth,
    TextByTwin,
    /// `from` is another number than `wa_id`.
    TextFromElsewhere,
    Button,
    PreferenceByNumber,
    PreferenceByUserId,
    CommandByNumber,
    CommandByUserId,
    CommandByUsername,
    Http,
    /// Meta refuses a message, late.
    Refused,
}

/// What happens then.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    NewEvent,
    /// The message waits for its time already.
    Waiting,
    /// It waits for the recipient to write in, and they do.
    Window,
    NumberChanges,
    UserIdChanges,
    /// The number and the user id turn out to be one user's.
    SeenTogether,
    /// They want messages again, by the user id, in the same second.
    Start,
    /// And do not after all; what was said first is repeated.
    StartAndStop,
}

const KNOWN: [Known; 7] = [
    Known::Number,
    Known::UserId,
    Known::Both,
    Known::Person,
    Known::MovedPerson,
    Known::FormerNumber,
    Known::TwinPerson,
];
const WAYS: [Way; 13] = [
    Way::TextByNumber,
    Way::TextByUserId,
    Way::TextByBoth,
    Way::TextByTwin,
    Way::TextFromElsewhere,
    Way::Button,
    Way::PreferenceByNumber,
    Way::PreferenceByUserId,
    Way::CommandByNumber,
    Way::CommandByUserId,
    Way::CommandByUsername,
    Way::Http,
    Way::Refused,
];
const THENS: [Then; 8] = [
    Then::NewEvent,
    Then::Waiting,
    Then::Window,
    Then::NumberChanges,
    Then::UserIdChanges,
    Then::SeenTogether,
    Then::Start,
    Then::StartAndStop,
];

#[derive(Clone, Copy, Debug)]
struct Cell {
    known: Known,
    way: Way,
    then: Then,
    n: usize,
}

impl Cell {
    /// Whether there is such a thing.
    fn exists(&self) -> bool {
        let has_number = self.known != Known::UserId;
        let has_user_id = !matches!(self.known, Known::Number | Known::TwinPerson);
        let is_person = matches!(self.known, Known::Person | Known::MovedPerson | Known::TwinPerson);
        let named = match self.way {
            Way::TextByUserId | Way::PreferenceByUserId | Way::CommandByUserId => has_user_id,
            Way::TextByBoth => has_user_id && has_number,
            Way::CommandByUsername => is_person,
            Way::Refused => true,
            _ => has_number,
        };
        // Who is refused has been written to, and needs no window.
        let follows = match self.then {
            Then::UserIdChanges | Then::SeenTogether => has_user_id && !self.is_command(),
            Then::NumberChanges => has_number,
            Then::Window => !matches!(self.way, Way::Refused) && !self.is_command(),
            Then::Start | Then::StartAndStop => {
                has_user_id && !matches!(self.way, Way::PreferenceByNumber | Way::PreferenceByUserId)
            }
            Then::NewEvent | Then::Waiting => true,
        };
        named && follows
    }

    /// A process each: the others show what follows.
    fn is_command(&self) -> bool {
        matches!(self.way, Way::CommandByNumber | Way::CommandByUserId | Way::CommandByUsername)
    }

    fn is_marketing(&self) -> bool {
        matches!(self.way, Way::PreferenceByNumber | Way::PreferenceByUserId | Way::Refused)
    }

    /// As Brazilians write it.
    fn twin(&self) -> String {
        format!("5541998{:06}", self.n)
    }

    fn number(&self) -> String {
        format!("554198{:06}", self.n)
    }

    fn former_number(&self) -> String {
        format!("26377{:07}", self.n)
    }

    fn other_number(&self) -> String {
        format!("26378{:07}", self.n)
    }

    fn user_id(&self) -> String {
        format!("BR.{}", self.n)
    }

    fn username(&self) -> String {
        format!("p{}", self.n)
    }
}

struct Table {
    stage: Stage,
    key: String,
    said: AtomicUsize,
    /// When all is said, by Meta's clock: in the same second. Operators say it before.
    second: i64,
}

impl Table {
    async fn new() -> Table {
        let stage = with(&["--window", "off"], &[]).start().await;
        let key = create_key(&stage.database, "desk", &["admin"]);
        let second = Timestamp::now().as_second() + 3_600;
        Table { stage, key, said: AtomicUsize::new(0), second }
    }

    fn time(&self) -> String {
        self.second.to_string()
    }

    fn wamid(&self) -> String {
        format!("wamid.{}", self.said.fetch_add(1, Ordering::Relaxed))
    }

    /// A message of a user; empty ids are absent.
    async fn writes(&self, from: &str, user_id: &str, wa_id: &str, content: Value, wamid: &str) {
        let absent = |id: &str| (!id.is_empty()).then(|| id.to_owned());
        let mut message = content;
        message["from"] = absent(from).into();
        message["from_user_id"] = absent(user_id).into();
        message["id"] = wamid.into();
        message["timestamp"] = self.time().into();
        let contact = json!({"profile": {"name": "Rui"}, "wa_id": absent(wa_id), "user_id": absent(user_id)});
        self.stage.webhook("messages", json!({"contacts": [contact], "messages": [message]})).await;
    }

    async fn says(&self, number: &str, user_id: &str, text: &str) -> String {
        let wamid = self.wamid();
        self.writes(number, user_id, number, json!({"type": "text", "text": {"body": text}}), &wamid).await;
        wamid
    }

    async fn changes(&self, old: (&str, &str), new: (&str, &str), kind: &str) {
        let absent = |id: &str| (!id.is_empty()).then(|| id.to_owned());
        let message = json!({"from": absent(old.0), "from_user_id": absent(old.1), "id": self.wamid(),
            "timestamp": self.time(), "type": "system",
            "system": {"type": kind, "wa_id": absent(new.0), "user_id": absent(new.1), "body": "changed"}});
        self.stage.webhook("messages", json!({"messages": [message]})).await;
    }

    async fn set_up(&self, cell: &Cell) {
        let (number, user_id, former) = (cell.number(), cell.user_id(), cell.former_number());
        let former_id = format!("ZW.{}", cell.n);
        let link =
            async |wa_id: &str| self.stage.database.add_person(&cell.username(), wa_id, &["Ops"]).await;
        match cell.known {
            Known::Number => drop(self.says(&number, "", "hi").await),
            Known::UserId => drop(self.says("", &user_id, "hi").await),
            Known::Both => drop(self.says(&number, &user_id, "hi").await),
            Known::Person => {
                link(&number).await;
                self.says(&number, &user_id, "hi").await;
            }
            Known::MovedPerson | Known::FormerNumber => {
                link(&former).await;
                self.says(&former, &former_id, "hi").await;
                self.changes((&former, &former_id), (&number, &user_id), "user_changed_number").await;
            }
            Known::TwinPerson => {
                link(&cell.twin()).await;
                self.says(&number, "", "hi").await;
            }
        }
    }

    async fn sends(&self, cell: &Cell, more: Value) -> String {
        let template = if cell.is_marketing() { "marketing" } else { "utility" };
        let mut decision = json!({"template": template, "context": {"n": format!("<{}>", cell.n)}});
        match cell.known {
            Known::Number | Known::Both => decision["contacts"] = json!([cell.number()]),
            Known::UserId => decision["contacts"] = json!([cell.user_id()]),
            Known::FormerNumber => decision["contacts"] = json!([cell.former_number()]),
            Known::Person | Known::MovedPerson | Known::TwinPerson => {
                decision["users"] = json!([cell.username()]);
            }
        }
        decision.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.stage.host.accept(&json!({"type": "any", "data": decision})).await
    }

    /// They say it; returns the message's id, where a message says it.
    async fn stops(&self, cell: &Cell) -> Option<String> {
        let (number, user_id) = (cell.number(), cell.user_id());
        match cell.way {
            Way::TextByNumber => return Some(self.says(&number, "", "STOP").await),
            Way::TextByUserId => return Some(self.says("", &user_id, "Stop.").await),
            Way::TextByBoth => return Some(self.says(&number, &user_id, "unsubscribe").await),
            Way::TextByTwin => return Some(self.says(&cell.twin(), "", "stop").await),
            Way::TextFromElsewhere => {
                let text = json!({"type": "text", "text": {"body": "STOP"}});
                self.writes(&cell.other_number(), "", &number, text, &self.wamid()).await;
            }
            Way::Button => {
                let button = json!({"type": "button", "button": {"payload": "x", "text": "Stop"}});
                self.writes(&number, "", &number, button, &self.wamid()).await;
            }
            Way::PreferenceByNumber | Way::PreferenceByUserId => {
                let mut preference = json!({"category": "marketing_messages", "value": "stop",
                    "timestamp": self.time()});
                let by_number = cell.way == Way::PreferenceByNumber;
                let (id, value) = if by_number { ("wa_id", number) } else { ("user_id", user_id) };
                preference[id] = value.into();
                let value = json!({"user_preferences": [{"wa_id": "1"}, preference]});
                self.stage.webhook("user_preferences", value).await;
            }
            Way::CommandByNumber => self.command(&format!("+{number}")).await,
            Way::CommandByUserId => self.command(&user_id).await,
            Way::CommandByUsername => self.command(&cell.username()).await,
            Way::Http => {
                let url = format!("{}/v1/contacts/{number}/opt-out", self.stage.host.url());
                let put = http().put(&url).bearer_auth(&self.key).json(&json!({})).send().await.unwrap();
                assert_eq!(put.status(), 204);
            }
            Way::Refused => {
                let id = self.sends(cell, json!({"context": {"n": "before"}})).await;
                let before = self.settled(&id).await;
                let failed = json!({"id": "wamid.x", "status": "failed", "recipient_id": number,
                    "timestamp": self.time(),
                    "biz_opaque_callback_data": format!("{}:1", before["id"].as_str().unwrap()),
                    "errors": [{"code": 131050, "title": "opted out"}]});
                self.stage.webhook("messages", json!({"statuses": [failed]})).await;
            }
        }
        None
    }

    async fn command(&self, contact: &str) {
        let mut command = program(&["contacts", "opt-out", contact]);
        command.env("DATABASE_URL", self.stage.database.url());
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// The message that an event led to.
    async fn found(&self, id: &str) -> Value {
        self.stage.host.event(id).await["decisions"][0]["notifications"][0].clone()
    }

    /// The message that an event led to, once it is sent or skipped.
    async fn settled(&self, id: &str) -> Value {
        let settled = ["skipped", "failed", "read", "expired"];
        wait_until("it is settled", SOON, async || {
            let status = self.found(id).await["status"].clone();
            settled.iter().any(|settled| status == *settled)
        })
        .await;
        self.found(id).await
    }

    /// What came of a cell, where it is wrong.
    async fn fails(&self, cell: &Cell) -> Option<String> {
        self.set_up(cell).await;
        let (number, user_id) = (cell.number(), cell.user_id());
        let waits = async |more: Value| {
            let id = self.sends(cell, more).await;
            self.stage.notification(&id, "deferred").await;
            id
        };
        let waiting = match cell.then {
            Then::Waiting => Some(waits(json!({"after": "1h"})).await),
            Then::Window => {
                let closed = "UPDATE contact SET last_inbound_at = now() - interval '2 days' WHERE id = (
                    SELECT contact_id FROM contact_address WHERE address = ANY($1::text[]) LIMIT 1)";
                self.stage.database.query(closed, &[&[&number, &user_id].as_slice()]).await;
                Some(waits(json!({"mode": "text"})).await)
            }
            _ => None,
        };
        let stop = self.stops(cell).await;
        let (mut new_number, mut new_id) = (String::new(), String::new());
        match cell.then {
            Then::NewEvent => {}
            Then::Waiting => {
                let due = "UPDATE deferred SET due_at = now() FROM notification n
                           WHERE n.id = deferred.notification_id AND n.message LIKE '%<' || $1 || '>%'";
                self.stage.database.query(due, &[&cell.n.to_string()]).await;
            }
            Then::Window => {
                // Whoever opts out over a command, or in WhatsApp, may write in about something else.
                let by_user_id = cell.known == Known::UserId;
                let (from, id) = if by_user_id { ("", &*user_id) } else { (&*number, "") };
                self.says(from, id, "Is anybody there?").await;
            }
            Then::NumberChanges => {
                new_number = format!("26379{:07}", cell.n);
                self.changes((&number, ""), (&new_number, ""), "user_changed_number").await;
            }
            Then::UserIdChanges => {
                new_id = format!("BR.9{}x", cell.n);
                self.changes(("", &user_id), ("", &new_id), "user_changed_user_id").await;
            }
            Then::SeenTogether => drop(self.says(&number, &user_id, "hello").await),
            Then::Start => drop(self.says("", &user_id, "START").await),
            Then::StartAndStop => {
                self.says("", &user_id, "START").await;
                self.says("", &user_id, "STOP").await;
                if let Some(stop) = stop {
                    let text = json!({"type": "text", "text": {"body": "STOP"}});
                    self.writes("", &user_id, "", text, &stop).await;
                }
            }
        }
        // Under the new ids they are the same.
        if !(new_number.is_empty() && new_id.is_empty()) {
            self.says(&new_number, &new_id, "hello again").await;
        }
        let id = match waiting {
            Some(id) => id,
            None => self.sends(cell, json!({})).await,
        };
        let came_out = self.settled(&id).await;
        let expected = if cell.then == Then::Start { "read" } else { "skipped" };
        let why = &came_out["deliveries"];
        (came_out["status"] != expected).then(|| format!("{cell:?}: not {expected}: {why}"))
    }
}

#[tokio::test]
async fn whoever_does_not_want_messages_gets_none() {
    let mut cells = Vec::new();
    for known in KNOWN {
        for way in WAYS {
            for then in THENS {
                cells.push(Cell { known, way, then, n: cells.len() });
            }
        }
    }
    cells.retain(Cell::exists);
    assert!(cells.len() > 300, "{} cells", cells.len());
    let table = Table::new().await;
    let failed = Mutex::new(Vec::new());
    stream::iter(&cells)
        .for_each_concurrent(32, async |cell| {
            let failure = table.fails(cell).await;
            failed.lock().unwrap().extend(failure);
        })
        .await;
    let sent: Vec<String> =
        table.stage.simulator.messages().await.iter().map(|message| message["body"].to_string()).collect();
    let mut failed = failed.into_inner().unwrap();
    for cell in cells.iter().filter(|cell| cell.then != Then::Start) {
        if sent.iter().any(|body| body.contains(&format!("<{}>", cell.n))) {
            failed.push(format!("{cell:?}: written to"));
        }
    }
    assert!(failed.is_empty(), "{} of {} cells fail:\n{}", failed.len(), cells.len(), failed.join("\n"));
}
