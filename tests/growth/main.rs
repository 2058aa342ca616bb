//! No statement reads more where the tables grow: each that the host can send is executed on a database with a million
//! rows in each log, as PostgreSQL plans it at first and as it does when the statement has come often.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{collections::HashMap, path::Path, time::Instant};

use serde_json::Value;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

mod arguments;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use more of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod pages;
mod plan;
mod source;

use arguments::{ARGUMENTS, EXCEPTIONS, PAGES, SMALL, TEXTS};
use harness::{Database, program};
use plan::{Bound, faults, whole_tables};
use source::{Statement, statements};

/// A node of a plan reads so many rows at most: about 50 for each thing that is asked for, and less than a lane has.
const ROWS: f64 = 4_000.0;
/// Each table that may grow has so many rows at least.
const GROWN: i64 = 40_000;
/// PostgreSQL plans for the values at hand five times, then it may make a plan for all.
const OFTEN: usize = 7;

#[tokio::test]
async fn no_statement_reads_more_where_the_tables_grow() {
    let database = Database::on_its_own().await;
    let client = fill(&database).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut all = statements(&folder, TEXTS);
    all.extend(functions(&client).await);

    let arguments: HashMap<&str, &str> = ARGUMENTS.iter().copied().collect();
    assert_eq!(arguments.len(), ARGUMENTS.len(), "values stand there twice for a statement");
    // Exceptions change so much that others would meet what they left behind.
    all.sort_by_key(|statement| EXCEPTIONS.iter().any(|(name, _)| *name == statement.name));
    let mut wrong = Vec::new();
    for Statement { name, sql } in &all {
        let excepted = EXCEPTIONS.iter().any(|(of, _)| of == name);
        let values = match arguments.get(name.as_str()) {
            Some(values) => values,
            None if !sql.contains("$1") => "",
            None => {
                wrong.push(format!("{name}: no values to execute it with\n{sql}"));
                continue;
            }
        };
        let bound = Bound { rows: ROWS, small: SMALL };
        match execute(&client, sql, values).await {
            Err(error) => wrong.push(format!("{name}: {error}\n{sql}")),
            Ok(plans) => {
                let found: Vec<String> = plans.iter().flat_map(|plan| faults(plan, &bound)).collect();
                match (found.is_empty(), excepted) {
                    (true, true) => wrong.push(format!("{name}: an exception that is none")),
                    (false, false) => wrong.push(format!("{name}:\n  {}\n{sql}", found.join("\n  "))),
                    (true, false) | (false, true) => {}
                }
            }
        }
    }
    let names: Vec<&str> = all.iter().map(|statement| statement.name.as_str()).collect();
    let gone = arguments.keys().copied().chain(EXCEPTIONS.iter().map(|(name, _)| *name));
    wrong.extend(
        gone.filter(|name| !names.contains(name)).map(|name| format!("{name}: there is no such statement")),
    );
    assert!(all.len() > 100, "{} statements", all.len());
    wrong.extend(pages::ask(&database, &client).await);
    assert!(wrong.is_empty(), "{} of {}:\n\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
}

/// A database with the tables, and nothing in them.
async fn migrated(database: &Database) -> Client {
    let migrated = program(&["migrate"]).env("DATABASE_URL", database.url()).output().unwrap();
    assert!(migrated.status.success(), "{migrated:?}");
    let config: tokio_postgres::Config = database.url().parse().unwrap();
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// A grown database.
async fn fill(database: &Database) -> Client {
    let client = migrated(database).await;
    let began = Instant::now();
    // The server goes with the test: nothing must last.
    for setting in
        ["fsync = off", "full_page_writes = off", "max_wal_size = '8GB'", "checkpoint_timeout = '1h'"]
    {
        client.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
    }
    client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    client.batch_execute(include_str!("fill.sql")).await.unwrap();
    // Not within the transaction that several statements are.
    for statement in ["VACUUM ANALYZE", hookswitch::store::PLANNER, "CHECKPOINT"] {
        client.batch_execute(statement).await.unwrap();
    }
    eprintln!("filled in {} s", began.elapsed().as_secs());
    let tables = "SELECT relname::text, reltuples::bigint FROM pg_class
                  WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'refinery_schema_history'";
    for row in client.query(tables, &[]).await.unwrap() {
        let (table, rows): (&str, i64) = (row.get(0), row.get(1));
        assert!(SMALL.contains(&table) || rows >= GROWN, "{table} has {rows} rows: let fill.sql fill it");
    }
    client
}

/// The statements of functions in SQL, which run with the rights of the tables' owner.
async fn functions(client: &Client) -> Vec<Statement> {
    let sql = "SELECT p.proname::text, p.prosrc, coalesce(p.proargnames, '{}'),
                      ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) AS t) FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
               WHERE p.pronamespace = 'public'::regnamespace AND l.lanname = 'sql'";
    let functions = client.query(sql, &[]).await.unwrap();
    let statement = |row: &tokio_postgres::Row| {
        let (name, mut sql): (String, String) = (row.get(0), row.get(1));
        let (names, types): (Vec<String>, Vec<String>) = (row.get(2), row.get(3));
        for (place, (name, kind)) in names.iter().zip(types).enumerate() {
            sql = sql.replace(name.as_str(), &format!("${}::{kind}", place + 1));
        }
        Statement { name: format!("function {name}"), sql }
    };
    functions.iter().map(statement).collect()
}

fn told(error: tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The one text that `EXPLAIN` answers.
fn text(rows: &[SimpleQueryMessage]) -> String {
    let first = |row: &SimpleQueryMessage| match row {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    };
    rows.iter().filter_map(first).collect()
}

/// Executes a statement again and again, and undoes it; returns its first plan and its last.
async fn execute(client: &Client, sql: &str, values: &str) -> Result<Vec<Value>, String> {
    client.batch_execute(&format!("DEALLOCATE ALL; PREPARE it AS {sql}")).await.map_err(told)?;
    let call = if values.is_empty() { "it".to_owned() } else { format!("it({values})") };
    let mut plans = Vec::new();
    for _ in 0..OFTEN {
        let explain =
            format!("BEGIN; EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) EXECUTE {call}; ROLLBACK");
        let answer = client.simple_query(&explain).await;
        let rows = match answer {
            Ok(rows) => rows,
            Err(error) => {
                let words = told(error);
                client.batch_execute("ROLLBACK").await.map_err(told)?;
                return Err(words);
            }
        };
        let text = text(&rows);
        plans.push(serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?);
    }
    plans.drain(1..OFTEN - 1);
    Ok(plans)
}

/// A connection keeps the plan of a statement until the tables are vacuumed: it must do when they have grown meanwhile.
#[tokio::test]
async fn no_plan_that_was_made_for_empty_tables_reads_all_of_one() {
    let database = Database::on_its_own().await;
    let client = migrated(&database).await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let all = statements(&folder, TEXTS);
    client.batch_execute(hookswitch::store::PLANNER).await.unwrap();
    client.batch_execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    let mut wrong = Vec::new();
    for Statement { name, sql } in &all {
        let excepted = EXCEPTIONS.iter().any(|(of, _)| of == name) || PAGES.contains(&name.as_str());
        let found = match planned(&client, sql).await {
            Err(error) => vec![error],
            Ok(plan) => whole_tables(&plan, SMALL),
        };
        if !found.is_empty() && !excepted {
            wrong.push(format!("{name}:\n  {}\n{sql}", found.join("\n  ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n\n{}", wrong.len(), all.len(), wrong.join("\n\n"));
}

/// The plan of a statement for whatever values.
async fn planned(client: &Client, sql: &str) -> Result<Value, String> {
    client.batch_execute(&format!("DEALLOCATE ALL; PREPARE it AS {sql}")).await.map_err(told)?;
    let values =
        (1..).take_while(|n| sql.contains(&format!("${n}"))).map(|_| "NULL").collect::<Vec<_>>().join(", ");
    let call = if values.is_empty() { "it".to_owned() } else { format!("it({values})") };
    let rows = client.simple_query(&format!("EXPLAIN (FORMAT JSON) EXECUTE {call}")).await.map_err(told)?;
    let text = text(&rows);
    serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))
}
