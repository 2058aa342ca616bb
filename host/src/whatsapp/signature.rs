//! Meta's signature of a webhook.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::config::Secret;

/// Whether an `X-Hub-Signature-256` header has the form of a signature.
pub fn is_signature(header: &str) -> bool {
    header
        .strip_prefix("sha256=")
        .is_some_and(|hex| hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Whether the `X-Hub-Signature-256` header (`sha256=` and the HMAC-SHA256 in hex) signs exactly these bytes
/// with the app's secret. Compares in constant time. An empty secret signs nothing.
pub fn verify(secret: &Secret, header: Option<&str>, body: &[u8]) -> bool {
    if secret.expose().is_empty() {
        return false;
    }
    let Some(hex) = header.and_then(|header| header.strip_prefix("sha256=")) else { return false };
    let mut signature = [0; 32];
    if hex::decode_to_slice(hex, &mut signature).is_err() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()) else { return false };
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Vector {
        secret: String,
        body: String,
        x_hub_signature_256: String,
    }

    fn vectors() -> Vec<Vector> {
        serde_json::from_str(include_str!("testdata/signature-vectors.json")).unwrap()
    }

    #[test]
    fn what_is_signed_passes() {
        assert_eq!(vectors().len(), 4);
        for vector in vectors() {
            let secret = Secret::from(vector.secret);
            assert!(
                verify(&secret, Some(&vector.x_hub_signature_256), vector.body.as_bytes()),
                "{}",
                vector.body
            );
        }
    }

    #[test]
    fn an_empty_secret_signs_nothing() {
        // HMAC-SHA256 of nothing with an empty key.
        let header = "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
        assert!(!verify(&Secret::from(""), Some(header), b""));
    }

    #[test]
    fn anything_else_does_not() {
        let Vector { secret, body, x_hub_signature_256: header } = vectors().remove(0);
        let (secret, body) = (Secret::from(secret), body.as_bytes());
        assert!(!verify(&secret, Some(&header), b"tesu"));
        assert!(!verify(&secret, Some(&header), b""));
        assert!(!verify(&Secret::from("Secret"), Some(&header), body));
        assert!(!verify(&secret, None, body));
        let hex = header.strip_prefix("sha256=").unwrap();
        let longer = format!("{header}00");
        let shorter = header.get(..header.len() - 2).unwrap();
        for wrong in ["", "sha256=", "sha1=abc", hex, longer.as_str(), shorter, "sha256=zz"] {
            assert!(!verify(&secret, Some(wrong), body), "{wrong}");
        }
    }
}
