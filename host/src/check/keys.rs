//! API keys: whether anybody can post events.

use super::{
    command::Command,
    report::{Finding, Section},
    words::count,
};
use crate::store::StoredKey;

const EVENTS: &str = "events";

/// The keys, revoked ones among them.
pub fn judge(keys: &[StoredKey]) -> Section {
    let active: Vec<&StoredKey> = keys.iter().filter(|key| key.revoked_at.is_none()).collect();
    let can_post = |key: &&&StoredKey| key.scopes.iter().any(|scope| scope == EVENTS);
    let posting = active.iter().filter(can_post).count();
    let mut findings = Vec::new();
    if posting == 0 {
        let (id, what) = match active.len() {
            0 => ("keys.none", "no API key exists, so no system can post events".to_owned()),
            some => (
                "keys.no_events",
                format!(
                    "{} the scope events, so no system can post events",
                    if some == 1 {
                        "the only API key lacks".to_owned()
                    } else {
                        format!("all {some} API keys lack")
                    }
                ),
            ),
        };
        let create = Command::new(&["keys", "create", &free_name(&active), "--scope", EVENTS]);
        findings.push(Finding::warning(id, what).command(create));
    }
    let summary = format!("{}, {posting} may post events", count(active.len(), "API key", "API keys"));
    Section::new("keys", summary, findings)
        .facts(active.iter().map(|key| (key.name.clone(), key.scopes.join(", "))))
}

/// A name that no active key has.
fn free_name(active: &[&StoredKey]) -> String {
    let is_free = |name: &String| active.iter().all(|key| key.name != *name);
    let names =
        std::iter::once(EVENTS.to_owned()).chain((2_u64..).map(|number| format!("{EVENTS}-{number}")));
    names.into_iter().find(is_free).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn key(name: &str, scope: &str) -> StoredKey {
        StoredKey {
            name: name.to_owned(),
            sha256: Vec::new(),
            scopes: vec![scope.to_owned()],
            sources: Vec::new(),
            rate: None,
            created_at: Timestamp::UNIX_EPOCH,
            revoked_at: None,
        }
    }

    fn found(keys: &[StoredKey]) -> Vec<(&'static str, String)> {
        let findings = judge(keys).findings.into_iter();
        findings.map(|finding| (finding.id, finding.command.unwrap_or_default())).collect()
    }

    #[test]
    fn without_a_key_that_is_active_and_may_post_nobody_can() {
        let create = |name: &str| format!("hookswitch keys create {name} --scope events");
        assert_eq!(found(&[]), [("keys.none", create("events"))]);
        assert_eq!(found(&[key("shop", "events")]), []);
        let revoked = StoredKey { revoked_at: Some(Timestamp::UNIX_EPOCH), ..key("events", "events") };
        assert_eq!(found(&[revoked]), [("keys.none", create("events"))]);
        assert_eq!(found(&[key("events", "read")]), [("keys.no_events", create("events-2"))]);
    }
}
