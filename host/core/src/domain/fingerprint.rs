//! The fingerprint of what a producer said of an event.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// The SHA-256 of what a producer said of an event: its time if they gave one, its data and extension attributes as they
/// are written. Stored with the event, so it must never change: posts of the same bytes are recognised by it alone, and
/// others are compared with what is stored.
pub fn fingerprint(
    kind: &str,
    subject: Option<&str>,
    time: Option<Timestamp>,
    data: &str,
    extensions: &BTreeMap<String, Box<RawValue>>,
) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text);
    };
    part(kind);
    // None of these is empty where it is there.
    part(subject.unwrap_or_default());
    part(&time.map(|time| time.to_string()).unwrap_or_default());
    part(data);
    for (name, value) in extensions {
        part(name);
        part(value.get());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn it_is_what_earlier_versions_stored() {
        let extensions =
            BTreeMap::from([("rate".to_owned(), RawValue::from_string("30".to_owned()).unwrap())]);
        let time = "2026-11-23T10:00:00.5+01:00".parse().ok();
        let stored = "46e1aaca4039a2f420f3d323ab4c1452315ec91367fc92a4eab1036a32b208fd";
        assert_eq!(
            hex::encode(fingerprint("order.created", Some("o-7"), time, r#"{"a": 1}"#, &extensions)),
            stored
        );
    }
}
