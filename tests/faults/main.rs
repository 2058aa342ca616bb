//! The fault suite: each case lets events flow through the built program while something breaks, and accounts at
//! its end for each accepted event and each message. One table tells what all cases came to.
//!
//! Short on each change; `HOOKSWITCH_FAULTS=long` lets thousands of events flow a case (`just faults`).
//! `HOOKSWITCH_FAULTS_SEED` repeats the random moments of a run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, process::ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod account;
mod audits;
mod books;
mod chance;
mod clock;
mod cloud_api;
mod failover;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use more of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod host;
mod island;
mod ledger;
mod namesakes;
mod network;
mod pooler;
mod poolers;
mod postgres;
mod preload;
mod producer;
mod protocol;
mod proxy;
mod restore;
mod scale;
mod server;
mod skew;
mod stage;
mod statements;
mod story;
mod table;
mod turns;
mod webhooks;
mod wire;

/// Why a case cannot be had on this machine.
pub struct Skipped(String);

type Case = Result<(), Skipped>;

/// Cases at once: they wait more than they work.
const AT_ONCE: usize = 4;

fn trial<F: Future<Output = Case> + 'static>(name: &'static str, case: fn(&'static str) -> F) -> Trial {
    Trial::ignorable_test(name, move || {
        // The case's own thread may block: proxies and producers go on.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        match runtime.map_err(Failed::from)?.block_on(case(name)) {
            Ok(()) => Ok(Completion::Completed),
            // There somebody reads the table, and would take the case for one that holds.
            Err(Skipped(why)) if env::var("CI").is_ok_and(|ci| ci == "true") => {
                Err(Failed::from(format!("{name} cannot run: {why}")))
            }
            Err(Skipped(why)) => {
                println!("{name} is skipped: {why}");
                Ok(Completion::ignored_with(why))
            }
        }
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let trials = vec![
        Trial::test("ledger_notices_what_is_wrong", || {
            books::notices_what_is_wrong();
            Ok(())
        }),
        trial("host_stopped_past_its_lease", host::stopped_past_its_lease),
        trial("host_killed", host::killed),
        trial("host_killed_without_webhooks", host::killed_without_webhooks),
        trial("cloud_api_taking_without_saying_so", cloud_api::taking_without_saying_so),
        trial("cloud_api_refusing_what_it_took", cloud_api::refusing_what_it_took),
        trial("cloud_api_refusing", cloud_api::refusing),
        trial("cloud_api_throttling", cloud_api::throttling),
        trial("cloud_api_cut_off", network::cloud_api_cut_off),
        trial("cloud_api_slow", network::cloud_api_slow),
        trial("postgres_killed", postgres::killed),
        trial("postgres_disk_full", postgres::disk_full),
        trial("postgres_cut_off", network::postgres_cut_off),
        trial("postgres_slow", network::postgres_slow),
        trial("statement_cut", statements::cut),
        trial("decision_cut_in_a_row", statements::decision_cut_in_a_row),
        trial("page_cut_in_a_row", statements::page_cut_in_a_row),
        trial("statement_killed", statements::killed),
        trial("statement_stalled", statements::stalled),
        trial("webhooks_late_doubled_reordered", webhooks::late_doubled_reordered),
        trial("webhooks_before_the_answer", webhooks::before_the_answer),
        trial("webhooks_lost", webhooks::lost),
        trial("clock_stepped", clock::stepped),
        trial("clock_of_one_host_ahead", skew::ahead),
        trial("clock_of_one_host_behind", skew::behind),
        trial("hosts_with_one_name", namesakes::apart),
        trial("pooler_for_sessions", poolers::for_sessions),
        trial("pooler_for_transactions", poolers::for_transactions),
        trial("primary_silent", failover::primary_silent),
        trial("primary_vanished", failover::primary_vanished),
        trial("standby_in_step_promoted", failover::in_step),
        trial("standby_behind_promoted", failover::behind),
        trial("standby_behind_promoted_midway", failover::behind_midway),
        trial("backup_restored_under_hosts", restore::under_hosts),
        trial("backup_restored_between_hosts", restore::between_hosts),
    ];
    if !arguments.list {
        println!("HOOKSWITCH_FAULTS_SEED={}", chance::seed());
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    if !arguments.list {
        table::print();
    }
    conclusion.exit_code()
}
