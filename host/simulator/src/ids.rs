//! Ids that look like Meta's.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

use super::country::country;

/// A message that the business sent: Meta's wamids are base64 of a small record with the recipient and a
/// random part, whose digits are from another alphabet in each direction.
pub fn outbound_wamid(recipient: &str) -> String {
    wamid(recipient, 0x11, &hex::encode_upper(rand::rng().random::<[u8; 9]>()))
}

/// A message that a user sent.
pub fn inbound_wamid(sender: &str) -> String {
    wamid(sender, 0x12, &format!("3A{}", hex::encode_upper(rand::rng().random::<[u8; 9]>())))
}

fn wamid(user: &str, direction: u8, unique: &str) -> String {
    let user = &user.as_bytes()[..user.len().min(128)];
    let mut record = vec![0x1c, 0x18, user.len() as u8];
    record.extend_from_slice(user);
    record.extend_from_slice(&[0x15, 0x02, 0x00, direction, 0x18, unique.len() as u8]);
    record.extend_from_slice(unique.as_bytes());
    record.push(0);
    format!("wamid.{}", STANDARD.encode(record))
}

/// The business-scoped user id of a number, with its country in front: always the same, so that webhooks and sends agree.
pub fn user_id(wa_id: &str) -> String {
    let digest = Sha256::digest(wa_id.as_bytes());
    let number = digest.iter().take(8).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{}.{number:020}", country(wa_id))
}

/// Whether this is a business-scoped user id and no phone number: two letters of a country, a dot, `ENT.` for a parent's, and
/// up to 128 letters and digits.
pub fn is_user_id(user: &str) -> bool {
    let Some((country, rest)) = user.split_once('.') else { return false };
    let id = rest.strip_prefix("ENT.").unwrap_or(rest);
    country.len() == 2
        && country.bytes().all(|b| b.is_ascii_uppercase())
        && (1..=128).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Meta's `fbtrace_id`.
pub fn trace_id() -> String {
    format!("A{}", hex::encode(rand::rng().random::<[u8; 11]>()))
}

/// An object's id: 15 digits.
pub fn object_id() -> String {
    rand::rng().random_range(100_000_000_000_000u64..1_000_000_000_000_000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_and_look_like_metas() {
        let (a, b) = (outbound_wamid("16505551234"), outbound_wamid("16505551234"));
        assert_ne!(a, b);
        assert!(a.starts_with("wamid.HBgLMTY1MDU1NTEyMzQVAgARGB"), "{a}");
        assert!(inbound_wamid("16505551234").starts_with("wamid.HBgLMTY1MDU1NTEyMzQVAgASGBQzQ"));
        assert!(is_user_id(&user_id("16505551234")) && user_id("263771234567").starts_with("ZW."));
        assert_eq!(user_id("16505551234"), user_id("16505551234"));
        assert!(!is_user_id("16505551234") && !is_user_id("us.1") && is_user_id("US.ENT.a1"));
    }
}
