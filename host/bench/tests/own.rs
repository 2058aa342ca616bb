//! The benchmark works on databases that it made, and on no other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::Command;

#[test]
fn a_database_in_the_environment_is_not_used() {
    for role in ["floor", "intake"] {
        let output = Command::new(env!("CARGO_BIN_EXE_hookswitch-bench"))
            .arg(role)
            .env("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/real")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("<URL>"), "{said}");
    }
}
