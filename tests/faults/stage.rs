//! What the cases have in common: a database, a stand-in for the Cloud API, rules, and hosts.

use std::path::Path;

use tempfile::TempDir;

use crate::{
    chance::Chance,
    harness::{Database, Host, Simulator, create_key, write_rule},
    producer::Producer,
    story,
};

/// A webhook that comes at all comes sooner, also one that is posted again.
pub const UNKNOWN_AFTER: &str = "10s";

/// One case's world.
pub struct Stage {
    pub case: &'static str,
    pub database: Database,
    /// Where the ledger reads: the database's own address, unless the case says otherwise.
    pub url: String,
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
        let url = database.url();
        Stage { case, database, url, simulator, chance: Chance::of(case), rules: rules() }
    }

    /// A host on this port. All recipients have just written in, so that text may be sent to them.
    pub async fn host(&self, port: u16, settings: &[(&str, &str)]) -> Host {
        self.host_under(&[], port, settings).await
    }

    /// The same, with another program that starts it.
    pub async fn host_under(&self, under: &[&str], port: u16, settings: &[(&str, &str)]) -> Host {
        let usual = [
            ("WHATSAPP_MESSAGES_PER_SECOND", "1000"),
            ("HOOKSWITCH_UNKNOWN_AFTER", UNKNOWN_AFTER),
            ("HOOKSWITCH_LOG", "warn"),
        ];
        let settings = [&usual, settings].concat();
        let rules = self.rules.path();
        let host = Host::start_under(under, port, &self.database, &self.simulator, rules, &settings);
        self.people().await;
        host
    }

    /// The folder of the rules.
    pub fn rules(&self) -> &Path {
        self.rules.path()
    }

    /// The recipients, and the groups that some of them are in.
    async fn people(&self) {
        let numbers: Vec<String> = (0..story::recipients()).map(story::number).collect();
        let windows =
            "INSERT INTO contact (wa_id, last_inbound_at) SELECT n, now() FROM unnest($1::text[]) AS n
                       ON CONFLICT (wa_id) DO UPDATE SET last_inbound_at = excluded.last_inbound_at";
        self.database.query(windows, &[&numbers]).await;
        for (group, members) in story::groups() {
            for who in members {
                let member = "WITH g AS (INSERT INTO groups (name) VALUES ($1)
                                         ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING id),
                                   p AS (INSERT INTO person (username, name, contact_id)
                                         SELECT $2, $2, id FROM contact WHERE wa_id = $3
                                         ON CONFLICT DO NOTHING RETURNING id)
                              INSERT INTO membership (group_id, person_id) SELECT g.id, p.id FROM g, p";
                let parameters: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                    [&group, &story::username(who), &story::number(who)];
                self.database.query(member, &parameters).await;
            }
        }
    }

    /// How many messages the Cloud API has taken.
    pub async fn sent(&self) -> usize {
        usize::try_from(self.simulator.stats().await["accepted"].as_u64().unwrap()).unwrap()
    }

    /// How many lanes each host holds.
    pub async fn lanes(&self) -> Vec<i64> {
        let sql = "SELECT count(*) FROM lane WHERE deadline > now() GROUP BY owner ORDER BY 1";
        self.database.query(sql, &[]).await.iter().map(|row| row.get(0)).collect()
    }

    /// Begins to post to these hosts.
    pub fn produce(&mut self, hosts: &[&Host]) -> Producer {
        let key = create_key(&self.database, "producer", &["events"]);
        let hosts = hosts.iter().map(|host| host.url().to_owned()).collect();
        Producer::start(hosts, key, self.url.clone(), &mut self.chance)
    }
}

/// Whatever an event says is the decision.
fn rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |file: &str, text: &str| write_rule(folder.path(), file, text);
    let groups = story::groups().fold(String::new(), |all, (name, _)| {
        format!("{all}- name: {name}\n  description: Some of the recipients\n")
    });
    write("groups.yaml", &groups);
    write("told/routes.yaml", "- on: told\n  script: told.rhai\n");
    write(
        "told/told.rhai",
        "fn decide(event) {
             if event.data.skip == true { skip(\"nobody need know\") }
             else if event.data.fail == true { throw \"as it was asked to\" }
             else if event.data.decisions != () { event.data.decisions }
             else { event.data }
         }",
    );
    let template = |name: &str, body: &str| {
        let head = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n---\n";
        write(&format!("told/templates/{name}.j2"), &format!("{head}{body}"));
    };
    template("note", "{{ text }}");
    template("limited", "{{ text }}");
    let filed = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\nmode: text\n\
                 header: {document: files/list.pdf}\n---\n{{ text }}";
    write("told/templates/filed.j2", filed);
    write("told/files/list.pdf", "%PDF-1.7 a list");
    template("digest", "Digest{% for item in items %} {{ item.n }}{% endfor %}");
    folder
}
