//! HMAC-SHA256 under the app's secret.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The hex digits of the signature of these bytes.
pub fn signature(secret: &str, bytes: &[u8]) -> String {
    // A key of any length will do for HMAC.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(bytes);
    hex::encode(mac.finalize().into_bytes())
}
