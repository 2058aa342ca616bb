//! `hookswitch ready`, as supervisors run it.

use std::{
    net::TcpListener,
    process::Output,
    time::{Duration, Instant},
};

use hookswitch_simulator::Settings;

use super::{program, rights::connect, said};
use crate::harness::{Database, Host, Process, SOON, Simulator, free_port, rules, wait_until};

fn ready(listens: &str) -> Output {
    program().arg("ready").env("HOOKSWITCH_LISTEN", listens).output().unwrap()
}

#[tokio::test]
async fn it_says_whether_a_host_is_ready_and_why_not() {
    let database = Database::empty().await;
    let port = free_port();
    let simulator = Simulator::start(port, &[]);
    let host = Host::start(port, &database, &simulator, &rules(), &[]);
    let listens = format!("127.0.0.1:{port}");
    let is_ready = async || ready(&listens).status.success();
    wait_until("it is ready", SOON, async || is_ready().await).await;
    assert_eq!(said(&ready(&listens)), "ready\n");
    // Also with a proxy in the environment, which cannot reach it.
    let by_url = program()
        .args(["ready", "--url", &format!("http://localhost:{port}/")])
        .env("http_proxy", "http://127.0.0.1:1")
        .output()
        .unwrap();
    assert_eq!((by_url.status.code(), said(&by_url).as_str()), (Some(0), "ready\n"));

    // The database lets nobody in.
    let server = connect(&format!("{}&dbname=postgres", database.url())).await;
    let name = database.name();
    server.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1";
    server.execute(end, &[&name]).await.unwrap();
    wait_until("it is not ready", SOON, async || !is_ready().await).await;
    let output = ready(&listens);
    assert_eq!(output.status.code(), Some(1));
    let words = said(&output);
    assert!(words.starts_with(&format!("error: the host at http://{listens} is not ready\n")), "{words}");
    assert!(words.contains("database does not answer"), "{words}");
    server.batch_execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await.unwrap();
    wait_until("it is ready again", SOON, async || is_ready().await).await;

    host.pause();
    let asked = Instant::now();
    let output = ready(&listens);
    host.resume();
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("the host does not answer within 4 s"), "{}", said(&output));
    assert!(asked.elapsed() < Duration::from_secs(5), "longer than supervisors wait: {:?}", asked.elapsed());
}

#[tokio::test]
async fn a_host_on_all_addresses_is_found() {
    let database = Database::empty().await;
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    for address in ["0.0.0.0", "[::]"].into_iter().take(1 + usize::from(has_ipv6)) {
        let port = free_port();
        let simulator = Simulator::start(port, &[]);
        let listens = format!("{address}:{port}");
        let mut serve = program();
        serve
            .args(["serve", "--listen", &listens, "--admin-listen", "off"])
            .envs(Settings::default().environment());
        serve.env("DATABASE_URL", database.url()).env("WHATSAPP_API_URL", simulator.api_url());
        serve.env("HOOKSWITCH_RULES", rules());
        let _host = Process::start(serve);
        wait_until("it is ready", SOON, async || ready(&listens).status.success()).await;
        // One that listens on IPv4 alone, in a container without IPv6, is found as well.
        wait_until("it is found", SOON, async || ready(&format!("[::]:{port}")).status.success()).await;
    }
}

#[test]
fn whatever_else_is_there_is_not_a_host() {
    let closed = ready("127.0.0.1:1");
    let words = said(&closed);
    assert_eq!(closed.status.code(), Some(1), "{words}");
    assert!(words.contains("cannot reach the host at http://127.0.0.1:1: Connection refused"), "{words}");

    let port = free_port();
    let _other = Process::start({
        let mut simulate = program();
        simulate.args(["simulate", "--listen", &format!("127.0.0.1:{port}")]);
        simulate
    });
    let other = ready(&format!("127.0.0.1:{port}"));
    let words = said(&other);
    assert_eq!(other.status.code(), Some(1), "{words}");
    assert!(
        words.contains(&format!("no host of Hookswitch at http://127.0.0.1:{port}: HTTP 401")),
        "{words}"
    );

    for wrong in ["", "8420", "127.0.0.1", "localhost:8420", "127.0.0.1:0"] {
        let output = ready(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", said(&output));
    }
    let url = program().args(["ready", "--url", "127.0.0.1:8420"]).output().unwrap();
    assert_eq!(url.status.code(), Some(2), "{}", said(&url));
}
