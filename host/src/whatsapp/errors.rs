//! The meaning of Meta's error codes, and what to do about them.
//!
//! The codes are those of Meta's page "Cloud API error codes" (December 2025 and September 2026), Graph's own,
//! and the few that only client libraries list. Meta says to build on codes and not on HTTP statuses: some
//! permission errors come as 500, throttling comes as 400.

use std::time::Duration;

/// What to do with a message that Meta rejected or could not deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// Try again a few times, waiting longer each time.
    Retry,
    /// Meta as a whole is down or cannot be reached: try again for hours.
    Outage,
    /// Try again after 1, 4, 16, 64 … seconds (Meta, "pair rate limits"); only this recipient waits.
    RetryPair,
    /// Try again; the number as a whole sends too fast.
    SlowNumber,
    /// Too many requests, with no code that says of what: send more slowly and try again for hours, unless Meta's answer
    /// names a time.
    Throttled,
    /// Nothing can be sent for this time, unless Meta's answer names another; then try again.
    Later(Duration),
    /// The token, the account or the number was rejected: nothing can be sent until an operator acts.
    StopNumber,
    /// The 24-hour window is closed: the message can only be sent as a template.
    AsTemplate,
    /// This version of the template cannot be sent now: the message waits for another version, or for the recipient to
    /// write in.
    ParkTemplate,
    /// This message will never be accepted: the user does not want marketing, which is recorded.
    OptOut,
    /// This message will never be accepted.
    GiveUp,
}

use Treatment::{
    AsTemplate, GiveUp, Later, OptOut, Outage, ParkTemplate, Retry, RetryPair, SlowNumber, StopNumber,
};

const fn minutes(n: u64) -> Treatment {
    Later(Duration::from_secs(n * 60))
}

/// Sorted by code.
const TABLE: &[(i32, Treatment, &str)] = &[
    (0, StopNumber, "the access token is expired or was invalidated: set a new one"),
    (1, Retry, "an unknown error at Meta, or a request that it could not understand"),
    (2, Outage, "Meta's API is down or overloaded"),
    (3, StopNumber, "the app lacks a capability or permission that sending needs"),
    (4, minutes(5), "the app made too many API calls"),
    (10, StopNumber, "a permission was not granted to the access token, or was removed"),
    (17, minutes(5), "too many API calls were made for this user"),
    (32, minutes(5), "too many API calls were made for this page"),
    (33, StopNumber, "the sending number was deleted, or its id is wrong"),
    (100, GiveUp, "a parameter of the request is unsupported, misspelt or missing"),
    (190, StopNumber, "the access token has expired: set a new one"),
    (200, StopNumber, "a permission was not granted to the access token, or was removed"),
    (341, minutes(5), "a limit of the app was reached"),
    (368, StopNumber, "the account is temporarily blocked for violating a policy"),
    (613, minutes(5), "too many API calls were made in a short time"),
    (80007, minutes(5), "the WhatsApp Business account made too many API calls"),
    (80008, minutes(5), "too many API calls were made for this WhatsApp Business account"),
    (130403, GiveUp, "the business has blocked this user"),
    (130429, SlowNumber, "the number exceeded its messages per second"),
    (130472, GiveUp, "the user is part of an experiment by Meta and gets no marketing messages"),
    (130497, GiveUp, "the account may not message users in this country"),
    (131000, Retry, "something went wrong at Meta"),
    (131005, StopNumber, "a permission was not granted to the access token, or was removed"),
    (131008, GiveUp, "a required parameter is missing"),
    (131009, GiveUp, "a parameter's value is not valid"),
    (131016, Outage, "a service at Meta is temporarily unavailable"),
    (131021, GiveUp, "the recipient is the sending number itself"),
    (131026, GiveUp, "the recipient is not on WhatsApp, has an old app, or has not accepted its terms"),
    (131030, GiveUp, "a test number may only message the recipients on its list"),
    (131031, StopNumber, "the account is locked or restricted"),
    (131037, StopNumber, "the number's display name needs Meta's approval"),
    (131042, StopNumber, "the account's payment method has a problem"),
    (131044, StopNumber, "the account's payment method has a problem"),
    (131045, StopNumber, "the number is not registered, or its certificate is wrong"),
    (131047, AsTemplate, "the user last wrote more than 24 hours ago: only a template may be sent"),
    // Meta names no time; quality limits are lifted after hours.
    (131048, minutes(180), "too many users blocked or reported the number's messages"),
    // Not before a day has passed, says Meta: by then a notification is stale.
    (131049, GiveUp, "Meta did not deliver it: the user has received enough marketing messages for now"),
    (131050, OptOut, "the user stopped marketing messages from this business"),
    (131051, GiveUp, "the type of the message is not supported"),
    (131052, GiveUp, "the user's media could not be downloaded"),
    (
        131053,
        GiveUp,
        "Meta could not fetch the message's file by its link, or its type or size is not supported",
    ),
    (131055, GiveUp, "the Marketing Messages API does not allow this method"),
    (131056, RetryPair, "too many messages to this recipient in a short time"),
    // A throughput upgrade takes up to a minute (Meta, "throughput").
    (131057, minutes(1), "the account is in maintenance, as for a throughput upgrade"),
    (131062, GiveUp, "this message cannot go to a user id: it needs the phone number"),
    (131063, GiveUp, "marketing templates are disabled for this account on the Cloud API"),
    (131064, StopNumber, "the account's limit was cut for misclassified templates"),
    (132000, GiveUp, "the message has a wrong number of parameters for the template"),
    (132001, ParkTemplate, "the template does not exist in this language, or is not approved"),
    (132005, GiveUp, "the template's text is too long with its parameters filled in"),
    (132007, GiveUp, "the template's text violates WhatsApp's content policy"),
    (132008, GiveUp, "a template parameter's value is not valid"),
    (132012, GiveUp, "a template parameter has the wrong format"),
    (132015, ParkTemplate, "the template is paused for low quality"),
    (132016, ParkTemplate, "the template was disabled for low quality"),
    (132018, GiveUp, "a template parameter contains a newline, a tab or more than four spaces in a row"),
    (132068, GiveUp, "the flow is blocked"),
    (132069, GiveUp, "the flow was sent too often in the last hour"),
    (133000, GiveUp, "an earlier deregistration of the number did not finish"),
    (133004, Outage, "Meta's server is temporarily unavailable"),
    (133005, GiveUp, "the two-step verification PIN is wrong"),
    (133006, StopNumber, "the number must be verified again"),
    (133008, GiveUp, "the two-step verification PIN was guessed too often"),
    (133009, GiveUp, "the two-step verification PIN was entered too fast"),
    (133010, StopNumber, "the number is not registered on the WhatsApp Business platform"),
    (133015, GiveUp, "the number was deleted a moment ago: wait a few minutes before registering it"),
    (133016, GiveUp, "the number was registered or deregistered too often"),
    (134011, GiveUp, "WhatsApp Payments' terms are not accepted yet"),
    (134100, GiveUp, "the Marketing Messages API accepts only marketing templates"),
    (134101, minutes(10), "the template is still being synchronised, which takes up to ten minutes"),
    (134102, GiveUp, "the template cannot be used on the Marketing Messages API"),
    (135000, GiveUp, "Meta could not understand the parameters of the message"),
    (137000, GiveUp, "the recipient's identity key has changed"),
    (2388019, GiveUp, "the account has reached its maximum number of templates"),
    (2388039, GiveUp, "the template cannot be changed now: it is in review, or was edited too often"),
    (2388040, GiveUp, "a field of the template is too long"),
    (2388047, GiveUp, "the template's header has a wrong format"),
    (2388072, GiveUp, "the template's body has a wrong format"),
    (2388073, GiveUp, "the template's footer has a wrong format"),
    (2388293, GiveUp, "the template has too many variables for its length"),
    (2388299, GiveUp, "the template starts or ends with a variable"),
];

/// Graph's subcode of code 100 for an object that does not exist or may not be seen.
const OBJECT_MISSING: i32 = 33;

fn row(code: i32) -> Option<&'static (i32, Treatment, &'static str)> {
    let code = match code {
        // One error (Graph, "API Permission").
        200..300 => 200,
        // One limit for each kind of business use (Graph, "Rate Limits").
        80000..=80014 if code != 80008 => 80007,
        _ => code,
    };
    TABLE.binary_search_by_key(&code, |row| row.0).ok().and_then(|found| TABLE.get(found))
}

/// Whether the code is known.
pub fn is_known(code: i32) -> bool {
    row(code).is_some()
}

/// What to do about an error code. An unknown code is final, as most of Meta's errors are, unless it looks like an HTTP
/// status of the 500s. (A caller that has the HTTP status: [`super::SendError::treatment`].)
pub fn treatment(code: i32, subcode: Option<i32>) -> Treatment {
    match row(code) {
        Some((100, ..)) if subcode == Some(OBJECT_MISSING) => StopNumber,
        Some((_, treatment, _)) => *treatment,
        None if (500..600).contains(&code) => Outage,
        None => GiveUp,
    }
}

/// The meaning of an error code, for operators.
pub fn meaning(code: i32) -> &'static str {
    row(code).map_or("unknown error; see Meta's list of error codes", |row| row.2)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    struct Note {
        code: i32,
        class: String,
        surface: String,
        retry_our_reading: String,
    }

    fn notes() -> Vec<Note> {
        serde_json::from_str(include_str!("testdata/error-codes.json")).unwrap()
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn every_noted_code_is_known_and_none_is_made_up() {
        let codes: Vec<i32> = notes().iter().filter(|n| n.surface != "subcode").map(|n| n.code).collect();
        for code in &codes {
            assert!(is_known(*code), "{code}");
        }
        for (code, ..) in TABLE {
            assert!(codes.contains(code), "{code}");
        }
    }

    #[test]
    fn the_treatment_follows_from_the_class() {
        for note in notes() {
            let got = treatment(note.code, None);
            let right = match note.class.as_str() {
                "auth" | "permission" => got == StopNumber,
                "transient" | "transient?" => matches!(got, Retry | Outage | Later(_)),
                "throttle-app" | "throttle-waba" | "quality" => matches!(got, Later(_)),
                "throttle-number" => got == SlowNumber,
                "throttle-pair" => got == RetryPair,
                "window" => got == AsTemplate,
                "config" | "billing" | "integrity" | "registration" => matches!(got, StopNumber | GiveUp),
                "template" => matches!(got, GiveUp | ParkTemplate),
                _ if note.code == 131_050 => got == OptOut,
                _ => got == GiveUp,
            };
            assert!(right, "{} ({}): {got:?}", note.code, note.class);
        }
    }

    #[test]
    fn who_says_never_is_not_tried_again() {
        for note in notes().iter().filter(|n| n.retry_our_reading.starts_with("never")) {
            let got = treatment(note.code, None);
            assert!(
                matches!(got, StopNumber | GiveUp | OptOut | AsTemplate | ParkTemplate),
                "{}: {got:?}",
                note.code
            );
        }
    }

    #[test]
    fn a_missing_object_stops_the_number() {
        assert_eq!(treatment(100, None), GiveUp);
        assert_eq!(treatment(100, Some(33)), StopNumber);
    }

    #[test]
    fn all_of_the_two_hundreds_are_one() {
        assert_eq!(treatment(200, None), StopNumber);
        assert_eq!(treatment(299, None), StopNumber);
        assert_eq!(treatment(300, None), GiveUp);
    }

    #[test]
    fn every_limit_of_graph_means_later() {
        for code in [4, 17, 32, 341, 613].into_iter().chain(80000..=80014) {
            assert!(matches!(treatment(code, None), Later(_)), "{code}");
        }
        assert_eq!(treatment(80015, None), GiveUp);
    }

    #[test]
    fn an_unknown_code_is_final_unless_it_looks_like_a_server_error() {
        assert!(!is_known(4_242_424));
        assert_eq!(treatment(4_242_424, None), GiveUp);
        assert_eq!(treatment(-1, None), GiveUp);
        assert_eq!(treatment(503, None), Outage);
        assert!(meaning(4_242_424).contains("unknown error"));
    }
}
