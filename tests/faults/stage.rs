//! What the cases have in common: a database, a stand-in for the Cloud API, rules, and hosts.

use tempfile::TempDir;

use crate::{
    chance::Chance,
    harness::{Database, Host, Simulator, create_key, write_rule},
    producer::{Producer, RECIPIENTS},
};

/// A webhook that comes at all comes sooner, also one that is posted again.
pub const UNKNOWN_SECONDS: &str = "10";

/// One case's world.
pub struct Stage {
    pub case: &'static str,
    pub database: Database,
    pub simulator: Simulator,
    pub chance: Chance,
    rules: TempDir,
}

impl Stage {
    /// With a database of the shared cluster, and a simulator that posts its webhooks to this port.
    pub async fn start(case: &'static str, webhooks_to: u16, flags: &[&str]) -> Stage {
        Stage::on(Database::create().await, case, webhooks_to, flags)
    }

    pub fn on(database: Database, case: &'static str, webhooks_to: u16, flags: &[&str]) -> Stage {
        let flags = [&["--unlimited", "--window", "off"], flags].concat();
        let simulator = Simulator::start(webhooks_to, &flags);
        Stage { case, database, simulator, chance: Chance::of(case), rules: rules() }
    }

    /// A host on this port. All recipients have just written in, so that text may be sent to them.
    pub async fn host(&self, port: u16, settings: &[(&str, &str)]) -> Host {
        let usual = [
            ("WHATSAPP_MESSAGES_PER_SECOND", "1000"),
            ("HOOKSWITCH_UNKNOWN_SECONDS", UNKNOWN_SECONDS),
            ("HOOKSWITCH_LOG", "warn"),
        ];
        let settings = [&usual, settings].concat();
        let host = Host::start(port, &self.database, &self.simulator, self.rules.path(), &settings);
        let windows = "INSERT INTO contact (wa_id, last_inbound_at)
                       SELECT '1555' || lpad(n::text, 7, '0'), now() FROM generate_series(0, $1::int - 1) AS n
                       ON CONFLICT (wa_id) DO UPDATE SET last_inbound_at = excluded.last_inbound_at";
        self.database.query(windows, &[&i32::try_from(RECIPIENTS).unwrap()]).await;
        host
    }

    /// Begins to post to these hosts.
    pub fn produce(&mut self, hosts: &[&Host]) -> Producer {
        let key = create_key(&self.database, "producer", &["events"]);
        Producer::start(hosts.iter().map(|host| host.url().to_owned()).collect(), key, &mut self.chance)
    }
}

/// Whatever an event says is the decision.
fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(&folder, file, text);
    write("told/routes.yaml", "- on: told\n  script: told.rhai\n");
    write(
        "told/told.rhai",
        "fn decide(event) { if event.data.skip == true { skip(\"nobody need know\") } else { event.data } }",
    );
    write(
        "told/templates/note.j2",
        "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n---\nNote {{ n }}",
    );
    folder
}
