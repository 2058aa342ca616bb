//! Commands where connections to PostgreSQL are few: a role that may have four.

use serde_json::json;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, UnixStream},
};

use super::{Office, found, text};

/// The environment of commands that log in as this role, by this address.
struct Limited<'a> {
    office: &'a Office,
    url: String,
}

impl Limited<'_> {
    #[track_caller]
    fn does(&self, arguments: &[&str]) -> String {
        let settings = [("DATABASE_URL", self.url.as_str()), ("HOOKSWITCH_DATABASE_CONNECTIONS", "4")];
        let output = self.office.command(arguments, &settings).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }
}

/// Forwards to the server's socket, as servers elsewhere are reached.
async fn over_tcp(office: &Office) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, socket) = (listener.local_addr().unwrap(), office.database.socket());
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = socket.clone();
            tokio::spawn(async move {
                let mut server = UnixStream::connect(socket).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

async fn with_four_connections(office: &Office, url: String, role: &str) {
    let create = format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 4");
    office.database.query(&create, &[]).await;
    let database: String = office.database.query("SELECT current_database()::text", &[]).await[0].get(0);
    office.database.query(&format!("ALTER DATABASE {database} OWNER TO {role}"), &[]).await;
    let limited = Limited { office, url };
    limited.does(&["migrate"]);
    limited.does(&["groups", "create-defaults"]);
    limited.does(&["people", "add", "ann", "--name", "Ann", "--whatsapp", "+263771234567", "--group", "Ops"]);
    limited.does(&["keys", "create", "shop", "--scope", "events"]);
    let posted = json!({"type": "guest.arrived", "id": "guest", "data": {"name": "Ann"}}).to_string();
    let add = "INSERT INTO event (lane, id, source, type, time, data, sha256)
               VALUES (0, 'guest', '/x', 'guest.arrived', now(), $1, '\\x00')";
    office.database.query(add, &[&posted]).await;
    for arguments in [
        &["check", "--fix", "--yes"][..],
        &["groups", "list"],
        &["people", "list"],
        &["contacts", "list"],
        &["keys", "list"],
        &["explain", "guest"],
        &["notifications"],
        &["failed", "list"],
        &["unknown", "list"],
        &["rules", "check"],
        &["rules", "replay", "guest"],
        &["templates", "list"],
        &["templates", "status"],
        &["templates", "push", "--yes"],
        &["plugin", "list"],
        &["keys", "revoke", "shop"],
    ] {
        let settings = [("DATABASE_URL", limited.url.as_str()), ("HOOKSWITCH_DATABASE_CONNECTIONS", "4")];
        let output = office.command(arguments, &settings).output().unwrap();
        let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
        assert!(output.status.code().is_some_and(|code| code < 2), "{arguments:?}: {said}");
        assert!(
            !said.contains("PostgreSQL:") && !said.contains("too many connections"),
            "{arguments:?}: {said}"
        );
    }
    let report = office.check(&[("DATABASE_URL", limited.url.as_str())]);
    assert!(!found(&report).iter().any(|id| id.starts_with("database.")), "{report:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_does_with_four_connections() {
    let office = Office::open().await;
    let url = office.database.url();
    let (start, user) = url.rsplit_once("user=").unwrap();
    assert!(!user.contains('&'), "{url}");
    with_four_connections(&office, format!("{start}user=four_by_socket"), "four_by_socket").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_does_with_four_connections_over_a_network() {
    let office = Office::open().await;
    let url = office.database.url_over(over_tcp(&office).await);
    let (_, rest) = url.split_once('@').unwrap();
    with_four_connections(&office, format!("postgresql://four_by_tcp@{rest}"), "four_by_tcp").await;
}
