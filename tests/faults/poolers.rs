//! Hosts behind a pooler that is killed and started again between any two statements.

use std::process::Output;

use hookswitch_simulator::Settings;
use tokio::time::timeout;

use crate::{
    Case, Skipped,
    harness::{SOON, free_port, program},
    ledger::settle,
    pooler::{Pooler, Program},
    scale,
    stage::Stage,
    wire::{MOMENTS, Verdict, Wire},
};

/// So many statements pass at most between two restarts.
const STRIDE: usize = 200;
/// Enough for a host and for commands beside it, each connection with a server's of its own.
const SESSIONS: usize = 40;
/// Fewer than a host has connections.
const SHARED: usize = 6;

/// `pool_mode = session`: any version will do.
pub async fn for_sessions(case: &'static str) -> Case {
    let programs = Program::all()?;
    // What works with the oldest works with the others.
    let Some(program) = programs.iter().min_by_key(|program| program.version()) else { return Ok(()) };
    restarted(case, program, "session", SESSIONS).await
}

/// `pool_mode = transaction`: a version that keeps prepared statements apart works, an older one is refused in words.
pub async fn for_transactions(case: &'static str) -> Case {
    let programs = Program::all()?;
    let (new, old): (Vec<_>, Vec<_>) = programs.into_iter().partition(Program::keeps_statements);
    if let Some(old) = old.first() {
        refused(case, old).await?;
    }
    match new.first() {
        Some(new) => restarted(case, new, "transaction", SHARED).await,
        None => {
            println!("{case}: {} is refused; a later one was not found", old[0]);
            Ok(())
        }
    }
}

async fn restarted(case: &'static str, program: &Program, mode: &str, connections: usize) -> Case {
    let port = free_port();
    let mut stage = Stage::start(case, port, &["--latency", "30"]).await;
    let mut pooler = Pooler::start(program, &stage.database, mode, connections).await?;
    let wire = Wire::on(pooler.socket());
    let url = stage.database.url_over(wire.address());
    let host = stage.host(port, &[("DATABASE_URL", &url)]).await;
    let producer = stage.produce(&[&host]);
    for n in 0..scale::pick(8, 80) {
        let nth = stage.chance.number(1, STRIDE);
        let moment = MOMENTS[stage.chance.number(0, MOMENTS.len() - 1)];
        let Ok(held) = timeout(2 * SOON, wire.hold(nth, moment)).await else {
            panic!("the host asks nothing of PostgreSQL:\n{}", host.said())
        };
        pooler.restart().await;
        held.end(Verdict::Cut);
        if n == 2 {
            // Beside the host.
            let output = command(&url, &["keys", "create", "beside", "--scope", "read"]).await;
            assert!(output.status.success(), "{}", said(&output));
        }
    }
    let output = command(&url, &["check"]).await;
    assert!(said(&output).contains("PostgreSQL"), "{}", said(&output));
    let accepted = producer.finish(scale::events()).await;
    settle(&stage, accepted, 0).await.check_all_sent();
    println!("{case}: {program}");
    Ok(())
}

/// Host and commands say what is wrong, and what to do, instead of running other statements than were asked for.
async fn refused(case: &'static str, program: &Program) -> Result<(), Skipped> {
    let stage = Stage::start(case, free_port(), &[]).await;
    let pooler = Pooler::start(program, &stage.database, "transaction", SHARED).await?;
    let wire = Wire::on(pooler.socket());
    let url = stage.database.url_over(wire.address());
    let serve = format!("127.0.0.1:{}", free_port());
    let rules = stage.rules().to_str().unwrap();
    let serve = ["serve", "--listen", &serve, "--admin-listen", "off", "--rules", rules];
    for words in [&serve[..], &["keys", "list"], &["migrate"], &["check"]] {
        let output = command(&url, words).await;
        let said = said(&output);
        assert!(!output.status.success() && said.contains("pool_mode = session"), "{words:?}: {said}");
    }
    Ok(())
}

async fn command(url: &str, words: &[&str]) -> Output {
    let account = Settings::default();
    let mut command = program(words);
    command
        .env("DATABASE_URL", url)
        // Nobody is there; the simulator's settings are taken for this machine only.
        .env("WHATSAPP_API_URL", "http://127.0.0.1:9")
        .env("WHATSAPP_PHONE_NUMBER_ID", account.phone_number_id)
        .env("WHATSAPP_ACCESS_TOKEN", account.access_token)
        .env("WHATSAPP_APP_SECRET", account.app_secret)
        .env("WHATSAPP_VERIFY_TOKEN", account.verify_token);
    let mut command = tokio::process::Command::from(command);
    // Where it does not end in time.
    command.kill_on_drop(true);
    let output = timeout(SOON, command.output()).await;
    output.unwrap_or_else(|_| panic!("{words:?} does not end")).unwrap()
}

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned()).concat()
}
