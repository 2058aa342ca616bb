//! The roles of `roles.sql`: a host works with them, and what is done cannot be undone.

use serde_json::json;
use tokio_postgres::{Client, NoTls, error::SqlState};

use super::{program, read};
use crate::harness::{Database, Host, SOON, Simulator, free_port, rules, wait_until};

pub async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    // Ends with the client; what goes wrong the next query tells.
    tokio::spawn(connection);
    client
}

#[track_caller]
fn assert_refused(what: &str, done: Result<(), tokio_postgres::Error>) {
    let code = done.err().and_then(|error| error.code().cloned());
    assert_eq!(code, Some(SqlState::INSUFFICIENT_PRIVILEGE), "{what}");
}

#[tokio::test]
async fn a_host_works_with_least_rights_and_cannot_rewrite_history() {
    let database = Database::on_its_own().await;
    // The last one counts.
    let as_role = |role: &str| format!("{}&user={role}", database.url());
    // In a private cluster the superuser is called hookswitch; in production that is a role with least rights.
    database.query("CREATE ROLE postgres SUPERUSER LOGIN", &[]).await;
    let superuser = connect(&as_role("postgres")).await;
    superuser.batch_execute("ALTER ROLE hookswitch RENAME TO bootstrap").await.unwrap();
    let roles = read("deploy/roles.sql");
    superuser.batch_execute(&roles).await.unwrap();

    let migrate = |role: &str| program().arg("migrate").env("DATABASE_URL", as_role(role)).output().unwrap();
    let refused = migrate("hookswitch");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && said.contains("as the role that owns them"), "{said}");
    assert!(migrate("hookswitch_owner").status.success());
    // Until roles.sql is run again it may read nothing: what must not be read is among it.
    let reports = connect(&as_role("hookswitch_readonly")).await;
    assert_refused("hashes", reports.batch_execute("SELECT sha256 FROM api_key").await);
    assert_refused("events", reports.batch_execute("SELECT count(*) FROM event").await);
    let owner = connect(&as_role("hookswitch_owner")).await;
    for client in [&owner, &superuser, &owner] {
        client.batch_execute(&roles).await.unwrap();
    }

    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let restricted = as_role("hookswitch");
    let host = Host::start(port, &database, &simulator, &rules(), &[("DATABASE_URL", &restricted)]);
    database.add_person("ann", "15550100001", &["System Admins"]).await;
    host.accept(&json!({"type": "order.created", "data": {"order": {"id": 1, "amount": 10}}})).await;
    let is_read = "SELECT count(*) FROM delivery WHERE status = 'read'";
    wait_until("it is read", SOON, async || database.count(is_read).await == 1).await;
    let denied: Vec<_> =
        host.said().lines().filter(|l| l.contains("permission denied")).map(str::to_owned).collect();
    assert!(denied.is_empty(), "{denied:?}");

    // A table that is in none of the lists of roles.sql is found here.
    let tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                  AND NOT has_table_privilege('hookswitch', oid, 'UPDATE') ORDER BY relname";
    let fixed: Vec<String> = database.query(tables, &[]).await.iter().map(|row| row.get(0)).collect();
    let logs = [
        "activation",
        "dead_letter",
        "decision",
        "delivery",
        "event",
        "meta_template",
        "meta_template_status",
        "meta_template_switch",
    ];
    assert_eq!(
        fixed,
        [
            logs.as_slice(),
            &["notification", "operator_action", "operator_action_message", "refinery_schema_history"],
            &["release", "release_content", "release_file"]
        ]
        .concat()
    );

    let client = connect(&restricted).await;
    for table in ["event", "decision", "notification", "delivery", "refinery_schema_history"] {
        assert_refused(table, client.batch_execute(&format!("DELETE FROM {table}")).await);
        assert_refused(table, client.batch_execute(&format!("TRUNCATE {table}")).await);
    }
    for statement in [
        "UPDATE event SET type = 'x'",
        "UPDATE delivery SET status = 'read'",
        "INSERT INTO refinery_schema_history (version) VALUES (99)",
        "CREATE TABLE mine (n integer)",
        "ALTER TABLE event ADD COLUMN n integer",
        "DROP TABLE dedupe",
    ] {
        assert_refused(statement, client.batch_execute(statement).await);
    }

    let prune = "SELECT prune_events(array_agg(lane), array_agg(seq)), prune_deliveries('{}') FROM event";
    client.batch_execute(prune).await.unwrap();
    assert_eq!(database.count("SELECT count(*) FROM event").await, 1, "the last day is left alone");

    reports.batch_execute("SELECT count(*) FROM event; SELECT name, scopes FROM api_key").await.unwrap();
    assert_refused("prune", reports.batch_execute("SELECT prune_events('{}', '{}')").await);
    assert_refused("hashes", reports.batch_execute("SELECT sha256 FROM api_key").await);
    assert_refused("insert", reports.batch_execute("INSERT INTO groups (name) VALUES ('x')").await);

    owner.batch_execute("CREATE TABLE later (n integer)").await.unwrap();
    client.batch_execute("INSERT INTO later VALUES (1); SELECT * FROM later").await.unwrap();
    assert_refused("later", client.batch_execute("DELETE FROM later").await);
    assert_refused("later", reports.batch_execute("SELECT * FROM later").await);
    owner.batch_execute(&roles).await.unwrap();
    reports.batch_execute("SELECT * FROM later").await.unwrap();
}
