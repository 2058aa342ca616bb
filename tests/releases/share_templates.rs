//! Two wordings of a template: each release is sent with its own, if Meta has approved it.

use std::path::Path;

use hookswitch_core::domain::Lane;
use hookswitch_simulator::Settings;
use serde_json::json;

use super::Fleet;
use crate::harness::{Host, SOON, free_port, wait_until, write_rule};

const FRONT: &str = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: template\n---\n";
const OLD: &str = "The workshop has a note for you: {{ text }} is what it says.";
const NEW: &str = "Note {{ number }} of the workshop for all of you: {{ text }} is what it says.";
const MORE: &str = "One thing more from the workshop for all of you: {{ text }} is what it says.";

fn folder(body: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "groups.yaml", "- {name: Ops, description: They run it}\n");
    write_rule(folder.path(), "any/routes.yaml", "- {on: any, script: any.rhai}\n");
    write_rule(folder.path(), "any/any.rhai", "fn decide(event) { event.data }");
    write_rule(folder.path(), "any/templates/note.j2", &format!("{FRONT}{body}\n"));
    folder
}

impl Fleet {
    /// Submits the templates of a folder, and waits until Meta has approved so many of all.
    async fn push(&self, rules: &Path, approved: usize) {
        let account = Settings::default();
        let mut command = self.command(&["templates", "push", "--yes", "--rules", rules.to_str().unwrap()]);
        command.env("WHATSAPP_API_URL", self.simulator.api_url());
        command.env("WHATSAPP_BUSINESS_ACCOUNT_ID", account.waba_id);
        let output = command.env("WHATSAPP_ACCESS_TOKEN", account.access_token).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let ours = |name: &str| name.starts_with("note") || name.starts_with("more");
        wait_until("Meta approves", SOON, async || {
            let all = self.simulator.templates().await.into_iter();
            all.filter(|it| ours(it["name"].as_str().unwrap()) && it["status"] == "APPROVED").count()
                == approved
        })
        .await;
    }

    /// The number of parameters with which an event of a lane in the share, or of another one, is sent.
    async fn parameters(&self, host: &Host, in_share: bool, template: &str) -> usize {
        let subject =
            (0..).map(|n| format!("s{n}")).find(|subject| (Lane::of(subject).0 < 32) == in_share).unwrap();
        let before = self.simulator.messages().await.len();
        let context = json!({"text": "Stock is low", "number": 7});
        let decision = json!({"template": template, "contacts": ["15550100001"], "context": context});
        host.accept(&json!({"type": "any", "subject": subject, "data": decision})).await;
        wait_until("one more message", SOON, async || self.simulator.messages().await.len() > before).await;
        let message = self.simulator.messages().await.pop().unwrap();
        message["request"]["template"]["components"][0]["parameters"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn each_release_is_sent_with_its_own_words_that_meta_has_approved() {
    let fleet = Fleet::new().await;
    let (old, new) = (folder(OLD), folder(NEW));
    write_rule(new.path(), "any/templates/more.j2", &format!("{FRONT}{MORE}\n"));
    fleet.push(old.path(), 1).await;
    let [first, second] = [&old, &new].map(|folder| fleet.create(folder.path()));
    fleet.says(&["release", "activate", &first]);
    let data = tempfile::tempdir().unwrap();
    let account = Settings::default().waba_id;
    let settings =
        [("HOOKSWITCH_DATA_DIR", data.path().to_str().unwrap()), ("WHATSAPP_BUSINESS_ACCOUNT_ID", &account)];
    let host = Host::start(free_port(), &fleet.database, &fleet.simulator, "rules".as_ref(), &settings);
    assert_eq!(fleet.parameters(&host, true, "note").await, 1);

    fleet.push(new.path(), 3).await;
    fleet.says(&["release", "activate", &second, "--share", "50%"]);
    // Those of a template that only the new one has come last into use.
    let more = "SELECT count(*) FROM meta_template_switch WHERE template = 'more'";
    wait_until("its template is in use", SOON, async || fleet.database.count(more).await == 1).await;
    assert_eq!(fleet.parameters(&host, true, "note").await, 2);
    assert_eq!(fleet.parameters(&host, false, "note").await, 1);
    assert_eq!(fleet.parameters(&host, true, "more").await, 1);
    // What is in use of the old one is not another version now and then.
    let switches = "SELECT count(*) FROM meta_template_switch WHERE template = 'note'";
    assert_eq!(fleet.database.count(switches).await, 1);
}
