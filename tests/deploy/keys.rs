//! Set-up scripts can be run again: a key is created once.

use std::process::Output;

use super::{done, program, said};
use crate::harness::Database;

fn ensure(database: &Database, arguments: &[&str]) -> Output {
    let mut command = program();
    command.args(["keys", "ensure"]).args(arguments).env("DATABASE_URL", database.url()).output().unwrap()
}

#[tokio::test]
async fn a_key_is_ensured_once() {
    let database = Database::empty().await;
    let migrated = program().arg("migrate").env("DATABASE_URL", database.url()).output().unwrap();
    done(migrated);
    let first = done(ensure(&database, &["shop", "--scope", "events,read", "--source", "/shop"]));
    assert!(first.starts_with("hsk_") && first.lines().count() == 1, "{first}");

    let again = ensure(&database, &["shop", "--scope", "read", "--scope", "events", "--source", "/shop"]);
    assert!(said(&again).contains("API key shop exists."), "{}", said(&again));
    assert_eq!(done(again), "", "no key is printed");
    for other in
        [&["shop", "--scope", "events", "--source", "/shop"][..], &["shop", "--scope", "events,read"]]
    {
        let refused = ensure(&database, other);
        let said = said(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains("the active key shop has scopes events,read, sources /shop"), "{said}");
        assert!(said.contains("hookswitch keys revoke shop"), "{said}");
    }
    assert_eq!(database.count("SELECT count(*) FROM api_key").await, 1);

    let revoke = program().args(["keys", "revoke", "shop"]).env("DATABASE_URL", database.url()).output();
    done(revoke.unwrap());
    let new = done(ensure(&database, &["shop", "--scope", "events"]));
    assert!(new.starts_with("hsk_") && new != first, "{new}");
}
