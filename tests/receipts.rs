//! Meta's webhook over HTTP, onto a real database.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::BTreeSet, fs, path::Path, sync::Arc, time::Duration};

use hmac::{Hmac, KeyInit, Mac};
use hookswitch::{
    config::{Secret, WhatsappConfig},
    http::Bodies,
    receipts::{self, Receipts},
    store::{NewPerson, Store},
};
use hookswitch_core::domain::{Contact, Delivery, NotificationId, Senders, Status};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::harness::Database;

const SECRET: &str = "app-secret";
const NUMBER: &str = "106540352242922";

/// The webhook, and a database behind it.
struct Host {
    store: Store,
    url: String,
    http: reqwest::Client,
    /// Kept until the test ends.
    _database: Option<Database>,
}

impl Host {
    async fn start() -> Host {
        let database = Database::create().await;
        let config: tokio_postgres::Config = database.url().parse().unwrap();
        Store::new(config.clone(), 1).unwrap().migrate().await.unwrap();
        Host { _database: Some(database), ..Host::on(config).await }
    }

    async fn on(database: tokio_postgres::Config) -> Host {
        let store = Store::new(database, 4).unwrap();
        let config = WhatsappConfig {
            whatsapp_api_url: "http://127.0.0.1:1".to_owned(),
            whatsapp_phone_number_id: Senders::only(NUMBER),
            whatsapp_business_account_id: None,
            whatsapp_access_token: Secret::from("token"),
            whatsapp_app_secret: Secret::from(SECRET),
            whatsapp_verify_token: Secret::from("verify-me"),
            whatsapp_messages_per_second: 80,
        };
        let routes = receipts::router(
            Receipts::new(
                store.clone(),
                &config,
                Arc::default(),
                Arc::new(|_| false),
                Default::default(),
                Default::default(),
            ),
            Bodies::default(),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/whatsapp", listener.local_addr().unwrap());
        // Ends with the test's runtime.
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        // Whichever test of this process comes first installs it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        Host { store, url, http, _database: None }
    }

    async fn post_signed(&self, signature: Option<String>, body: Vec<u8>) -> u16 {
        let mut request = self.http.post(&self.url).header("content-type", "application/json");
        if let Some(signature) = signature {
            request = request.header("x-hub-signature-256", signature);
        }
        request.body(body).send().await.unwrap().status().as_u16()
    }

    async fn post(&self, body: impl Into<Vec<u8>>) -> u16 {
        let body = body.into();
        self.post_signed(Some(sign(&body)), body).await
    }

    async fn value(&self, value: Value) -> u16 {
        let body = json!({"object": "whatsapp_business_account",
            "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]});
        self.post(body.to_string()).await
    }

    /// A user writes, under these ids, at this second.
    async fn inbound(&self, wa_id: Option<&str>, user_id: Option<&str>, name: &str, second: i64) {
        let message = json!({"from": wa_id, "from_user_id": user_id, "id": format!("wamid.{second}"),
            "timestamp": second.to_string(), "type": "text", "text": {"body": "hi"}});
        let contact = json!({"profile": {"name": name}, "wa_id": wa_id, "user_id": user_id});
        let metadata = json!({"phone_number_id": NUMBER});
        let value = json!({"metadata": metadata, "contacts": [contact], "messages": [message]});
        assert_eq!(self.value(value).await, 200);
    }

    async fn contact(&self, id: &str) -> Option<Contact> {
        self.store.contacts(&BTreeSet::from([id.to_owned()])).await.unwrap().remove(id)
    }

    /// What the delivery log says of a notification, each row as "attempt status code detail".
    async fn log(&self, id: NotificationId) -> Vec<String> {
        let mut rows = self.store.deliveries_of(&[id]).await.unwrap();
        rows.sort_by_key(|row| (row.attempt, row.status));
        rows.iter()
            .map(|row| {
                let code = row.code.map(|code| format!(" {code}")).unwrap_or_default();
                let detail = row.detail.as_ref().map(|detail| format!(" {detail}")).unwrap_or_default();
                format!("{} {}{code}{detail}", row.attempt, row.status)
            })
            .collect()
    }
}

fn sign(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn seen(wa_id: Option<&str>, user_id: Option<&str>, name: &str, second: i64) -> Option<Contact> {
    Some(Contact {
        wa_id: wa_id.map(str::to_owned),
        user_id: user_id.map(str::to_owned),
        name: (!name.is_empty()).then(|| name.to_owned()),
        last_inbound_at: Timestamp::from_second(second).ok().filter(|_| second > 0),
        ..Contact::default()
    })
}

fn status(id: NotificationId, attempt: i16, status: &str, second: i64) -> Value {
    json!({"id": format!("wamid.{id}.{attempt}"), "status": status, "timestamp": second.to_string(),
        "recipient_id": "16505551234", "biz_opaque_callback_data": format!("{id}:{attempt}")})
}

/// SQL sorts and compares statuses by the enum, Rust by `Status`.
#[tokio::test(flavor = "multi_thread")]
async fn statuses_have_the_same_ranks_in_the_database() {
    let database = Database::create().await;
    Store::new(database.url().parse().unwrap(), 1).unwrap().migrate().await.unwrap();
    let rows = database.query("SELECT enum_range(NULL::delivery_status)::text[]", &[]).await;
    assert_eq!(rows[0].get::<_, Vec<String>>(0), Status::ALL.map(|status| status.as_str().to_owned()));
}

#[tokio::test]
async fn metas_check_of_the_address_is_answered() {
    let host = Host::start().await;
    let check = async |query: &str| {
        let answer = host.http.get(format!("{}?{query}", host.url)).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let ours = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=verify-me";
    assert_eq!(check(ours).await, (200, "1158201444".to_owned()));
    for wrong in [
        "hub.mode=subscribe&hub.challenge=1&hub.verify_token=wrong",
        "hub.mode=subscribe&hub.challenge=1",
        "hub.challenge=1&hub.verify_token=verify-me",
        "hub.mode=subscribe&hub.verify_token=verify-me",
        "",
    ] {
        let (status, body) = check(wrong).await;
        assert_eq!(status, 403, "{wrong}");
        assert!(body.contains("hub.verify_token") && !body.contains("verify-me"), "{body}");
    }
}

#[tokio::test]
async fn only_what_is_signed_and_sober_is_taken() {
    let host = Host::start().await;
    let body = fs::read(examples().join("text-message.json")).unwrap();
    assert_eq!(host.post_signed(None, body.clone()).await, 401);
    assert_eq!(host.post_signed(Some(sign(b"something else")), body.clone()).await, 401);
    assert_eq!(host.contact("16505551234").await, None);

    let padded = [body.clone(), vec![b' '; 4 * 1024 * 1024]].concat();
    assert_eq!(host.post(padded).await, 413);
    assert_eq!(host.contact("16505551234").await, None);

    assert_eq!(host.post("not JSON").await, 400);
    assert_eq!(host.post("{}").await, 400);
    assert_eq!(host.post([body, vec![b' '; 2 * 1024 * 1024]].concat()).await, 200);
    assert!(host.contact("16505551234").await.is_some());
}

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/whatsapp/testdata/webhooks"))
}

#[tokio::test]
async fn each_of_metas_examples_is_taken() {
    let host = Host::start().await;
    let mut taken = 0;
    for file in fs::read_dir(examples()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(host.post(fs::read(&path).unwrap()).await, 200, "{}", path.display());
        taken += 1;
    }
    assert_eq!(taken, 16);
    // The latest message is the click on an ad; the same user has changed the number, early or late in this.
    let contacts = [host.contact("16505551234").await, host.contact("12195555358").await];
    let latest = contacts.iter().flatten().filter_map(|c| c.last_inbound_at).max().unwrap();
    assert_eq!(latest, Timestamp::from_second(1_750_275_992).unwrap());
}

#[tokio::test]
async fn statuses_come_in_any_order_and_more_than_once() {
    let host = Host::start().await;
    let id = NotificationId(Uuid::now_v7());
    let failed = json!({"id": "wamid.9", "status": "failed", "timestamp": "1750030000",
        "biz_opaque_callback_data": format!("{id}:1"),
        "errors": [{"code": 131000, "title": "Something went wrong"}]});
    let mixed = json!({"statuses": [status(id, 2, "read", 1_750_030_075), "nonsense", failed,
        status(id, 2, "sent", 1_750_030_073), {"id": "wamid.unknown", "status": "sent"},
        status(id, 2, "read", 1_750_030_075)]});
    assert_eq!(host.value(mixed.clone()).await, 200);
    assert_eq!(host.log(id).await, ["1 failed 131000 Something went wrong", "2 sent", "2 read"]);

    // Again, with another time: nothing changes.
    assert_eq!(host.value(mixed).await, 200);
    assert_eq!(host.value(json!({"statuses": [status(id, 2, "delivered", 1_750_030_074)]})).await, 200);
    assert_eq!(host.log(id).await.len(), 4);
}

#[tokio::test]
async fn a_status_without_callback_data_is_found_by_its_message_id() {
    let host = Host::start().await;
    let id = NotificationId(Uuid::now_v7());
    let accepted = Delivery {
        notification_id: id,
        attempt: 3,
        status: Status::Accepted,
        at: Timestamp::UNIX_EPOCH,
        wamid: Some("wamid.ours".to_owned()),
        code: None,
        detail: None,
    };
    host.store.append_receipts(&[accepted.clone(), accepted], &[]).await.unwrap();
    let statuses =
        json!([{"id": "wamid.ours", "status": "delivered"}, {"id": "wamid.theirs", "status": "read"}]);
    assert_eq!(host.value(json!({"statuses": statuses})).await, 200);
    assert_eq!(host.log(id).await, ["3 accepted", "3 delivered"]);
}

#[tokio::test]
async fn a_user_is_one_contact_under_whatever_ids_they_write() {
    let host = Host::start().await;
    host.store.create_groups(&["Sales Team"], None).await.unwrap();
    let person = NewPerson {
        username: "ada".to_owned(),
        name: "Ada".to_owned(),
        address: Some("16505550001".to_owned()),
        groups: vec!["Sales Team".to_owned()],
        ..NewPerson::default()
    };
    host.store.add_person(&person).await.unwrap();

    // The window only moves forward, and a name stays where none is said.
    host.inbound(Some("16505550001"), None, "Ada", 500).await;
    host.inbound(Some("16505550001"), None, "", 400).await;
    assert_eq!(host.contact("16505550001").await, seen(Some("16505550001"), None, "Ada", 500));

    // First only the user id, later both: the person's contact has the window of both.
    host.inbound(None, Some("US.1"), "Ada L", 600).await;
    assert_eq!(host.contact("US.1").await, seen(None, Some("US.1"), "Ada L", 600));
    host.inbound(Some("16505550001"), Some("US.1"), "", 550).await;
    let ada = seen(Some("16505550001"), Some("US.1"), "Ada", 600);
    assert_eq!(host.contact("16505550001").await, ada);
    assert_eq!(host.contact("US.1").await, ada);
    host.inbound(None, Some("US.1"), "", 700).await;
    assert_eq!(host.contact("16505550001").await.unwrap().last_inbound_at, Timestamp::from_second(700).ok());

    // The number changes: the person's link follows, also to a contact that wrote before Meta said so.
    host.inbound(Some("16505550002"), None, "", 800).await;
    let changed = json!({"messages": [{"from": "16505550001", "id": "wamid.x", "timestamp": "801", "type": "system",
        "system": {"type": "user_changed_number", "wa_id": "16505550002", "body": "User Ada changed"}}]});
    assert_eq!(host.value(changed.clone()).await, 200);
    assert_eq!(host.value(changed).await, 200);
    let ada = seen(Some("16505550002"), Some("US.1"), "Ada", 800);
    assert_eq!(host.contact("16505550001").await, ada, "also by the former number");
    let mut people = hookswitch_core::domain::People::default();
    host.store.users(&BTreeSet::from(["ada".to_owned()]), &mut people).await.unwrap();
    let linked = people.users.get("ada").unwrap().contact.clone();
    assert_eq!(linked, ada);

    // The user id is hers, under whatever number.
    host.inbound(Some("16505550003"), Some("US.1"), "", 900).await;
    let ada = seen(Some("16505550003"), Some("US.1"), "Ada", 900);
    assert_eq!(host.contact("US.1").await, ada);
    assert_eq!(host.contact("16505550002").await, ada);

    // Her number with another user id, of which nobody has said that it is hers, is somebody else's.
    host.inbound(Some("16505550003"), Some("US.2"), "Bob", 1_000).await;
    assert_eq!(host.contact("16505550003").await, seen(Some("16505550003"), Some("US.2"), "Bob", 1_000));
    assert_eq!(host.contact("US.1").await, seen(None, None, "Ada", 900));

    // A user of whom we only had the user id turns out to have a number.
    host.inbound(None, Some("US.7"), "Eve", 100).await;
    host.inbound(Some("16505550007"), Some("US.7"), "", 90).await;
    assert_eq!(host.contact("16505550007").await, seen(Some("16505550007"), Some("US.7"), "Eve", 100));
}

#[tokio::test]
async fn a_status_teaches_the_user_id_of_a_known_contact_only() {
    let host = Host::start().await;
    host.inbound(Some("16505550001"), None, "Ada", 500).await;
    let sent = |wa_id: &str, user_id: &str| {
        json!({"id": format!("wamid.{wa_id}"), "status": "sent", "recipient_id": wa_id,
            "recipient_user_id": user_id})
    };
    let statuses = json!({"statuses": [sent("16505550001", "US.1"), sent("16505550002", "US.2")]});
    assert_eq!(host.value(statuses).await, 200);
    assert_eq!(host.contact("US.1").await, seen(Some("16505550001"), Some("US.1"), "Ada", 500));
    assert_eq!(host.contact("US.2").await, None);
    assert_eq!(host.contact("16505550002").await, None);
}

#[tokio::test]
async fn many_posts_at_once_are_all_written() {
    let host = Host::start().await;
    let ids: Vec<NotificationId> = (0..400).map(|_| NotificationId(Uuid::now_v7())).collect();
    let posts = ids.iter().enumerate().map(|(n, id)| {
        let host = &host;
        async move {
            let value = json!({
                "statuses": [status(*id, 1, "sent", 1_750_030_073), status(*id, 1, "delivered", 1_750_030_074)],
                "messages": [{"from": format!("1650555{:04}", n % 7), "id": format!("wamid.{n}"),
                    "from_user_id": format!("US.{}", n % 5), "timestamp": "1750030073", "type": "text"}],
            });
            host.value(value).await
        }
    });
    let statuses = futures_util::future::join_all(posts).await;
    assert!(statuses.iter().all(|status| *status == 200));
    assert_eq!(host.store.deliveries_of(&ids).await.unwrap().len(), 800);
}

#[tokio::test]
async fn without_the_database_meta_must_post_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut nowhere = tokio_postgres::Config::new();
    nowhere.host_path(folder.path()).user("nobody").dbname("nothing");
    let host = Host::on(nowhere).await;
    let body = json!({"entry": [{"changes": [{"field": "messages",
        "value": {"statuses": [status(NotificationId(Uuid::now_v7()), 1, "sent", 1_750_030_073)]}}]}]})
    .to_string();
    let signed = host.http.post(&host.url).header("x-hub-signature-256", sign(body.as_bytes()));
    let answer = signed.body(body).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 503);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
}
