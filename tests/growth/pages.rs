//! Each page of the console and each list of the API at a million messages: none reads a log from end to end, and how long
//! each takes is printed.

use std::time::{Duration, Instant};

use tokio_postgres::Client;

use crate::harness::{Database, Host, Simulator, create_key, free_port, http, write_rule};

/// How often each is asked for.
const ROUNDS: usize = 5;
/// The aim for 95 of 100, of a release build.
const AIM: Duration = Duration::from_millis(100);
/// Maximum size of a page, in bytes.
const LARGEST: usize = 30 * 1024;

const PAGES: [&str; 32] = [
    "/",
    "/events",
    "/events?outcome=failed",
    "/events?type=order.created&since=30d",
    "/events?subject=customer-7",
    "/event?id=order-1001&source=%2Fshop",
    "/messages",
    "/messages?status=failed&since=30d",
    "/messages?status=read&since=30d",
    "/messages?person=user4&since=30d",
    "/messages?template=seldom&since=30d",
    "/messages/{message}",
    "/failed",
    "/failed?code=131026",
    "/failed?template=template2",
    "/unknown",
    "/waiting",
    "/switches",
    "/people",
    "/people?group=group1",
    "/people/user4",
    "/groups",
    "/contacts",
    "/rules",
    "/releases",
    "/releases/shadow",
    "/templates",
    "/plugins",
    "/schedules",
    "/numbers",
    "/access",
    "/actions",
];

const LISTS: [&str; 31] = [
    "/v1/switches",
    "/v1/events",
    "/v1/events?outcome=failed&limit=1000",
    "/v1/events?outcome=no_route&since=2020-01-01T00:00:00Z",
    "/v1/events?type=order.created&since=2020-01-01T00:00:00Z",
    "/v1/events?subject=customer-7&since=2020-01-01T00:00:00Z",
    "/v1/events/order-1001?source=%2Fshop",
    "/v1/notifications",
    "/v1/notifications?limit=1000&since=2020-01-01T00:00:00Z",
    "/v1/notifications?failed=true&since=2020-01-01T00:00:00Z",
    "/v1/notifications?status=deferred&since=2020-01-01T00:00:00Z",
    "/v1/notifications?person=user4&since=2020-01-01T00:00:00Z",
    "/v1/notifications?template=seldom&since=2020-01-01T00:00:00Z",
    "/v1/notifications/{message}",
    "/v1/failed",
    "/v1/failed?code=131026&limit=1000",
    "/v1/failed?template=template2&since=2020-01-01T00:00:00Z",
    "/v1/unknown",
    "/v1/waiting",
    "/v1/people",
    "/v1/people?group=group1&limit=1000",
    "/v1/people/user4",
    "/v1/groups?limit=1000",
    "/v1/contacts?unlinked=true",
    "/v1/digests",
    "/v1/parked",
    "/v1/actions",
    "/v1/actions?who=key7&action=failed.discard",
    "/v1/hosts",
    "/metrics",
    "/v1/releases",
];

/// How often each log was read from end to end since the server started.
async fn whole_reads(client: &Client) -> i64 {
    client.batch_execute("SELECT pg_stat_force_next_flush(), pg_stat_clear_snapshot()").await.unwrap();
    let sql = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables
               WHERE relname IN ('event', 'decision', 'notification', 'delivery', 'deferred')";
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// Asks a host on this database, and returns what is wrong.
pub async fn ask(database: &Database, client: &Client) -> Vec<String> {
    // The host only answers: another one holds the lanes, and nothing else is left to do.
    let still = "UPDATE lane SET deadline = 'infinity'; UPDATE job SET state = 'done', ended_at = now(); TRUNCATE failure";
    client.batch_execute(still).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    write_rule(folder.path(), "groups.yaml", "- name: group1\n  description: The staff\n");
    write_rule(
        folder.path(),
        "orders/routes.yaml",
        "- on: order.created\n  template: note\n  groups: [group1]\n",
    );
    let note = "---\ndescription: A note\ncategory: utility\nlanguage: en_US\n---\nThe order is on its way to you now.\n";
    write_rule(folder.path(), "orders/templates/note.j2", note);
    let port = free_port();
    let simulator = Simulator::start(port, &["--unlimited", "--unknown-templates"]);
    let account = hookswitch_simulator::Settings::default().waba_id;
    let settings = [("HOOKSWITCH_KEEP", "forever"), ("WHATSAPP_BUSINESS_ACCOUNT_ID", account.as_str())];
    let host = Host::start(port, database, &simulator, folder.path(), &settings);
    let key = create_key(database, "viewer", &["admin"]);
    let cookie = log_in(&host, &key).await;
    let message: uuid::Uuid =
        client.query_one("SELECT id FROM notification WHERE seq = 777777", &[]).await.unwrap().get(0);

    // What Meta says is asked for and kept for a minute by the first of them.
    let paths = PAGES.iter().map(|path| (true, *path)).chain(LISTS.iter().map(|path| (false, *path)));
    let before = whole_reads(client).await;
    let (mut wrong, mut times) = (Vec::new(), Vec::new());
    for (is_page, path) in paths {
        let path = path.replace("{message}", &message.to_string());
        let is_metrics = path == "/metrics";
        let base = if is_page || is_metrics { host.admin_url() } else { host.url().to_owned() };
        let mut of_path = Vec::with_capacity(ROUNDS);
        for round in 0..=ROUNDS {
            let request = http().get(format!("{base}{path}"));
            let request = if is_page { request.header("cookie", &cookie) } else { request.bearer_auth(&key) };
            let began = Instant::now();
            let answer = request.send().await.unwrap();
            let status = answer.status();
            let text = answer.text().await.unwrap();
            // The first one connects, and finds nothing in memory.
            if round > 0 {
                of_path.push(began.elapsed());
            }
            if status != 200 || (is_page && text.len() > LARGEST) {
                wrong.push(format!("{path}: {status}, {} bytes: {:.300}", text.len(), text));
                break;
            }
        }
        times.push((of_path.into_iter().max().unwrap_or_default(), path));
    }
    let reads = whole_reads(client).await - before;
    if reads > 0 {
        wrong.push(format!("a log was read from end to end {reads} times"));
    }
    times.sort_unstable_by(|one, other| other.cmp(one));
    let slow = times.iter().filter(|(time, _)| *time > AIM).count();
    println!(
        "the slowest of {ROUNDS} at 1,000,000 messages; the aim is {AIM:?}, {slow} of {} miss it:",
        times.len()
    );
    for (time, path) in &times {
        println!("{:>8.1} ms  {path}", time.as_secs_f64() * 1_000.0);
    }
    wrong
}

async fn log_in(host: &Host, key: &str) -> String {
    // It sets up TLS for all clients.
    http();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
    let request = client.build().unwrap().post(format!("{}/login", host.admin_url()));
    let request =
        request.header("content-type", "application/x-www-form-urlencoded").body(format!("key={key}"));
    let answer = request.send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}
