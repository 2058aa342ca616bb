//! The address of media: signed, and good for five minutes.

use jiff::{SignedDuration, Timestamp};
use subtle::ConstantTimeEq as _;

use crate::signature::signature;

/// The path below which media is downloaded.
const PATH: &str = "/whatsapp_business/attachments/";
/// How long an address is good for.
const MINUTES: i64 = 5;

/// The address of media at a host.
pub fn url(base: &str, secret: &str, id: &str, now: Timestamp) -> String {
    let expires = now.checked_add(SignedDuration::from_mins(MINUTES)).unwrap_or(now).as_second().to_string();
    format!("{base}{PATH}?mid={id}&ext={expires}&hash={}", hash(secret, id, &expires))
}

/// Whether this address was given out for this media and is still good.
pub fn is_good(secret: &str, id: &str, expires: &str, given: &str, now: Timestamp) -> bool {
    let in_time = expires.parse::<i64>().is_ok_and(|expires| expires > now.as_second());
    in_time && hash(secret, id, expires).as_bytes().ct_eq(given.as_bytes()).into()
}

fn hash(secret: &str, id: &str, expires: &str) -> String {
    signature(secret, format!("{id}.{expires}").as_bytes())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_good_for_five_minutes_and_for_one_file() {
        let now = Timestamp::UNIX_EPOCH;
        let address = url("http://localhost", "secret", "12", now);
        let query =
            address.strip_prefix("http://localhost/whatsapp_business/attachments/?mid=12&ext=").unwrap();
        let (expires, hash) = query.split_once("&hash=").unwrap();
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        assert!(is_good("secret", "12", expires, hash, later(299)));
        assert!(!is_good("secret", "12", expires, hash, later(300)));
        assert!(!is_good("secret", "13", expires, hash, now));
        assert!(!is_good("other", "12", expires, hash, now));
        assert!(!is_good("secret", "12", "999999", hash, now));
        assert!(!is_good("secret", "12", expires, "zz", now));
    }
}
