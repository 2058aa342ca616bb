//! Files of the rules are uploaded once, and again when it is time.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{ANN, MENU};
use crate::harness::{SOON, Stage, TEXT, http, program, wait_until, write_rule};
use hookswitch_simulator::Settings;

const FRONT: &str =
    "---\ndescription: The menu\ncategory: utility\nlanguage: en_US\nheader: {document: files/menu.pdf}\n";

async fn stage() -> Stage {
    let menu = format!("{FRONT}mode: text\n---\nThe menu of this week.\n");
    Stage::builder()
        .rules(&[("shop/templates/menu.j2", menu.as_str()), ("shop/files/menu.pdf", MENU)])
        .open_windows()
        .start()
        .await
}

impl Stage {
    /// Sends the menu to so many people and returns the ids of their files, once all are sent.
    async fn menus(&self, count: usize) -> Vec<String> {
        let before = self.simulator.messages().await.len();
        let contacts: Vec<String> = (0..count).map(|n| format!("1555010{n:04}")).collect();
        self.decide(json!({"template": "menu", "contacts": contacts})).await;
        let messages = async || self.simulator.messages().await;
        wait_until("the menus are sent", SOON, async || messages().await.len() == before + count).await;
        let document = |message: &Value| {
            let document = &message["request"]["document"];
            assert_eq!(document["filename"], "menu.pdf", "{message}");
            assert_eq!(
                (&document["link"], &document["caption"]),
                (&Value::Null, &json!("The menu of this week."))
            );
            document["id"].as_str().unwrap().to_owned()
        };
        messages().await[before..].iter().map(document).collect()
    }

    /// The release of the rules that decides now.
    async fn release(&self) -> Value {
        let id = self.host.accept(&json!({"type": "nothing", "data": {}})).await;
        self.decision(&id, "no_route").await["release"].take()
    }

    /// Waits until rules of another release are live.
    async fn other_rules(&self, release: &Value) {
        wait_until("the rules are live", SOON, async || self.release().await != *release).await;
    }

    async fn uploads(&self) -> u64 {
        self.simulator.stats().await["uploads"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_file_is_uploaded_once_for_all_messages_and_hosts() {
    let mut stage = stage().await;
    let mut ids = stage.menus(20).await;
    ids.dedup();
    assert_eq!((ids.len(), stage.uploads().await), (1, 1), "{ids:?}");
    stage.host.kill();
    stage.host.restart();
    assert_eq!((stage.menus(1).await, stage.uploads().await), (ids.clone(), 1), "after a restart");

    let release = stage.release().await;
    write_rule(&stage.rules, "shop/files/menu.pdf", &format!("{MENU}, corrected"));
    stage.other_rules(&release).await;
    assert_ne!(stage.menus(1).await, ids, "another content is another upload");
    assert_eq!(stage.uploads().await, 2);
}

/// An id that Meta has forgotten, and one that it is about to forget.
#[tokio::test]
async fn an_upload_is_replaced_in_time_or_when_meta_does_not_know_it() {
    for (uploaded, expires, refused) in [("40 hours", "20 days", 1), ("29 days 10 hours", "14 hours", 0)] {
        let stage = stage().await;
        let number = Settings::default().phone_number_id;
        let sql = format!(
            "INSERT INTO uploaded_media (phone_number_id, sha256, media_id, uploaded_at, expires_at)
             VALUES ('{number}', encode(sha256('{MENU}'), 'hex'), '12345', now() - interval '{uploaded}',
                     now() + interval '{expires}')"
        );
        stage.database.query(&sql, &[]).await;
        let ids = stage.menus(3).await;
        assert!(ids.iter().all(|id| id == &ids[0] && id != "12345"), "{ids:?}");
        let stats = stage.simulator.stats().await;
        let of_id = stats["refused"]["100"].as_u64().unwrap_or(0);
        assert!(if refused == 0 { of_id == 0 } else { (1..=3).contains(&of_id) }, "{stats}");
        assert_eq!(stats["uploads"], 1, "{stats}");
        let known = stage.database.query("SELECT media_id FROM uploaded_media", &[]).await;
        assert_eq!(known.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ids[..1]);
        assert_eq!(stage.failed().await, 0);
    }
}

/// Outside the window the file is in the header of the template, whose example it is too.
#[tokio::test]
async fn a_template_has_the_file_in_its_header() {
    let account = Settings::default();
    let menu = format!("{FRONT}---\nHere is the menu of this week for you.\n");
    let stage = Stage::builder()
        .rules(&[("shop/templates/menu.j2", menu.as_str()), ("shop/files/menu.pdf", MENU)])
        .simulator(&["--unlimited"])
        .settings(&[("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id.as_str())])
        .start()
        .await;
    let mut push = program(&["templates", "push", "--yes", "--rules"]);
    let push = push
        .arg(&stage.rules)
        .env("WHATSAPP_API_URL", stage.simulator.api_url())
        .env("WHATSAPP_BUSINESS_ACCOUNT_ID", &account.waba_id)
        .env("WHATSAPP_ACCESS_TOKEN", &account.access_token);
    // The note of the stage is a text only.
    let output = push.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    stage.decide(json!({"template": "menu", "contacts": [ANN]})).await;
    wait_until("it is sent", SOON, async || !stage.simulator.messages().await.is_empty()).await;
    let request = stage.simulator.messages().await.swap_remove(0)["request"].take();
    let document = &request["template"]["components"][0]["parameters"][0]["document"];
    assert!(document["id"].is_string() && document["filename"] == "menu.pdf", "{request}");
    assert_eq!(stage.uploads().await, 1);
}

/// Another host may have rules that this one does not have yet.
#[tokio::test]
async fn a_message_waits_for_a_file_that_the_rules_lack() {
    let stage = stage().await;
    stage.simulator.turn(&json!({"errors": [{"code": 131_016}]})).await;
    let id = stage.decide(json!({"template": "menu", "contacts": [ANN]})).await;
    stage.notification(&id, "retrying").await;
    let release = stage.release().await;
    write_rule(&stage.rules, "shop/templates/menu.j2", &format!("{TEXT}No menu."));
    std::fs::remove_file(stage.rules.join("shop/files/menu.pdf")).unwrap();
    stage.other_rules(&release).await;
    wait_until("the file is missed", SOON, async || {
        let detail = "SELECT count(*) FROM delivery WHERE detail LIKE '%the rules of this host have no file shop/files/menu.pdf%'";
        stage.database.count(detail).await > 0
    })
    .await;
    assert_eq!(stage.notification(&id, "retrying").await["status"], "retrying");
}

/// Up to Meta's limit; nobody has all of it in memory.
#[tokio::test]
async fn a_large_document_is_sent() {
    const SIZE: usize = 20 * 1024 * 1024;
    let list = [MENU.as_bytes(), &vec![0; SIZE - MENU.len()]].concat();
    let text = format!("{FRONT}mode: text\n---\nThe menu of this week.\n");
    let stage = Stage::builder()
        .rules(&[("shop/templates/menu.j2", text.as_str())])
        .file("shop/files/menu.pdf", &list)
        .open_windows()
        .start()
        .await;
    let ids = stage.menus(2).await;
    assert_eq!((&ids[0], stage.uploads().await), (&ids[1], 1));
    let account = Settings::default();
    let about =
        http().get(format!("{}/{}", stage.simulator.api_url(), ids[0])).bearer_auth(account.access_token);
    let about: Value = about.send().await.unwrap().json().await.unwrap();
    assert_eq!(about["file_size"], SIZE, "{about}");
    assert_eq!(about["sha256"], hex::encode(Sha256::digest(&list)), "{about}");
}
