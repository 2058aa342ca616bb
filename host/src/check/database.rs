//! PostgreSQL: reachable, new enough, up to date, with a clock like ours and no old snapshot.

use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::{
    command::Command,
    disk,
    hosts::SYNCHRONIZE,
    report::{Finding, Section},
    words::{count, since, size, span, time},
};
use crate::store::ServerFacts;

/// Leases and windows depend on the clocks of several machines.
const CLOCK_WARNING: SignedDuration = SignedDuration::from_secs(2);
const CLOCK_CRITICAL: SignedDuration = SignedDuration::from_secs(60);
/// An old snapshot keeps dead rows of the small tables alive.
const OLD_TRANSACTION: SignedDuration = SignedDuration::from_mins(5);
const OLDEST_VERSION: u32 = 15;

/// Why nothing else can be checked.
pub fn unreachable(why: &str) -> Section {
    let finding = Finding::critical("database.unreachable", why).advice(
        "start PostgreSQL, or correct --database-url (DATABASE_URL) or --data-dir (HOOKSWITCH_DATA_DIR)",
    );
    Section::new("database", "unreachable", vec![finding])
}

/// The server, and the free bytes of its disk if that is this machine's. `now` is the clock of this machine at the time
/// of its facts.
pub fn judge(
    server: &ServerFacts,
    pending: &[String],
    disk: Option<(&Path, u64)>,
    now: Timestamp,
) -> Section {
    let mut findings: Vec<Finding> =
        disk.and_then(|(folder, free)| disk::judge(folder, free)).into_iter().collect();
    let major = server.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_some_and(|major| major < OLDEST_VERSION) {
        findings.push(
            Finding::critical(
                "database.version",
                format!(
                    "PostgreSQL {} is too old; Hookswitch needs {OLDEST_VERSION} or later",
                    server.version
                ),
            )
            .advice("upgrade PostgreSQL"),
        );
    }
    if !pending.is_empty() {
        let what = format!("{} not applied yet", count(pending.len(), "migration is", "migrations are"));
        findings.push(
            Finding::critical("database.migrations", what)
                .details(pending.to_vec())
                .command(Command::new(&["migrate"])),
        );
    }
    let apart = since(server.now, now);
    if apart.abs() > CLOCK_WARNING {
        let what = format!(
            "PostgreSQL's clock is {} {} this machine's, so windows and leases are wrong",
            span(apart),
            if apart.is_positive() { "behind" } else { "ahead of" }
        );
        let finding = if apart.abs() > CLOCK_CRITICAL {
            Finding::critical("database.clock", what)
        } else {
            Finding::warning("database.clock", what)
        };
        findings.push(finding.advice(SYNCHRONIZE));
    }
    if let Some((began, pid)) = server.oldest_transaction
        && since(began, server.now) > OLD_TRANSACTION
    {
        let what = format!(
            "a transaction has been open for {} (process {pid}), which keeps tables from being vacuumed",
            span(since(began, server.now))
        );
        findings.push(
            Finding::warning("database.old_transaction", what)
                .advice(format!("end it there, or in psql: select pg_terminate_backend({pid})")),
        );
    }
    let tables = if pending.is_empty() { "tables up to date" } else { "tables not up to date" };
    let oldest = server.oldest_transaction.map_or("none".to_owned(), |(began, _)| time(began));
    Section::new("database", format!("PostgreSQL {}, {tables}", server.version), findings).facts([
        ("version".to_owned(), server.version.clone()),
        ("database".to_owned(), server.database.clone()),
        ("role".to_owned(), server.role.clone()),
        ("clock difference".to_owned(), format!("{} ms", apart.as_millis().abs())),
        ("oldest open transaction".to_owned(), oldest),
        ("size".to_owned(), size(server.size)),
        ("free disk space".to_owned(), disk.map_or("not known".to_owned(), |(_, free)| size(free))),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Severity;

    fn facts(ahead: i64, open_for: Option<i64>) -> ServerFacts {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000 + ahead);
        ServerFacts {
            version: "15.18".to_owned(),
            now,
            database: "hookswitch".to_owned(),
            role: "hookswitch".to_owned(),
            size: 1_024,
            oldest_transaction: open_for.map(|s| (now - SignedDuration::from_secs(s), 4_711)),
        }
    }

    fn found(server: &ServerFacts, pending: &[String]) -> Vec<(&'static str, Severity)> {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_000_000);
        judge(server, pending, None, now).findings.iter().map(|f| (f.id, f.severity)).collect()
    }

    #[test]
    fn a_good_server_is_good() {
        assert_eq!(found(&facts(1, Some(10)), &[]), []);
    }

    #[test]
    fn what_is_wrong_is_found() {
        assert_eq!(found(&facts(3, None), &[]), [("database.clock", Severity::Warning)]);
        assert_eq!(found(&facts(-61, None), &[]), [("database.clock", Severity::Critical)]);
        assert_eq!(found(&facts(0, Some(301)), &[]), [("database.old_transaction", Severity::Warning)]);
        assert_eq!(
            found(&facts(0, None), &["V1__baseline".to_owned()]),
            [("database.migrations", Severity::Critical)]
        );
        let old = ServerFacts { version: "14.2".to_owned(), ..facts(0, None) };
        assert_eq!(found(&old, &[]), [("database.version", Severity::Critical)]);
    }
}
