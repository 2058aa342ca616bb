//! Meta's error codes, each with its usual HTTP status and title.

/// The HTTP status by Meta's table of December 2025 (400 where it has none), and the title.
///
/// `None` for a code that is not Meta's.
pub fn known(code: u32) -> Option<(u16, &'static str)> {
    let code = match code {
        // One error (Graph, "API Permission").
        200..300 => 200,
        // One limit for each kind of business use (Graph, "Rate Limits").
        80_000..=80_014 if code != 80_008 => 80_007,
        _ => code,
    };
    let found = CODES.binary_search_by_key(&code, |(known, ..)| *known).ok()?;
    CODES.get(found).map(|(_, status, title)| (*status, *title))
}

/// Whether Meta gives this as the `error_subcode` of code 100: so template management tells its errors apart.
pub fn is_subcode(code: u32) -> bool {
    (2_388_000..2_389_000).contains(&code)
}

/// Sorted by code.
const CODES: &[(u32, u16, &str)] = &[
    (0, 401, "AuthException"),
    (1, 400, "An unknown error occurred"),
    (2, 503, "Service temporarily unavailable"),
    (3, 500, "Application does not have the capability to make this API call"),
    (4, 400, "Application request limit reached"),
    (10, 403, "Application does not have permission for this action"),
    (17, 400, "User request limit reached"),
    (32, 400, "Page request limit reached"),
    (33, 400, "Parameter value is not valid"),
    (100, 400, "Invalid parameter"),
    (190, 401, "Access token has expired"),
    (200, 403, "Permissions error"),
    (341, 400, "Application limit reached"),
    (368, 403, "Temporarily blocked for policies violations"),
    (613, 400, "Calls to this API have exceeded the rate limit"),
    (80_007, 400, "Rate limit issues"),
    (80_008, 400, "There have been too many calls to this WhatsApp Business account"),
    (130_403, 400, "Business has blocked the user"),
    (130_429, 400, "Rate limit hit"),
    (130_472, 400, "User's number is part of an experiment"),
    (130_497, 403, "Business account is restricted from messaging users in this country"),
    (131_000, 500, "Something went wrong"),
    (131_005, 403, "Access denied"),
    (131_008, 400, "Required parameter is missing"),
    (131_009, 400, "Parameter value is not valid"),
    (131_016, 500, "Service unavailable"),
    (131_021, 400, "Recipient cannot be sender"),
    (131_026, 400, "Message undeliverable"),
    (131_030, 400, "Recipient phone number not in allowed list"),
    (131_031, 403, "Account has been locked"),
    (131_035, 400, "Webhook could not be delivered within data retention limit"),
    (131_037, 400, "WhatsApp provided number needs display name approval before message can be sent"),
    (131_042, 400, "Business eligibility payment issue"),
    (131_044, 400, "Business payment issue"),
    (131_045, 500, "Incorrect certificate"),
    (131_047, 400, "Re-engagement message"),
    (131_048, 400, "Spam rate limit hit"),
    (131_049, 400, "Meta chose not to deliver"),
    (131_050, 400, "User has stopped marketing messages from this business"),
    (131_051, 400, "Unsupported message type"),
    (131_052, 400, "Media download error"),
    (131_053, 400, "Media upload error"),
    (131_055, 400, "Method not allowed"),
    (131_056, 400, "(Business Account, Consumer Account) pair rate limit hit"),
    (131_057, 500, "Account in maintenance mode"),
    (131_062, 400, "Recipient not supported for this message"),
    (131_063, 400, "Marketing templates are disabled for Cloud API"),
    (131_064, 400, "Messaging limit reached due to template classification violations"),
    (132_000, 400, "Number of parameters does not match the expected number of params"),
    (132_001, 404, "Template name does not exist in the translation"),
    (132_005, 400, "Template hydrated text too long"),
    (132_007, 400, "Template format character policy violated"),
    (132_008, 400, "Template parameter value is not valid"),
    (132_012, 400, "Parameter format does not match format in the created template"),
    (132_015, 400, "Template is paused"),
    (132_016, 400, "Template is disabled"),
    (132_018, 400, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"),
    (132_068, 400, "Flow is blocked"),
    (132_069, 400, "Flow is throttled"),
    (133_000, 500, "Incomplete deregistration"),
    (133_004, 503, "Server temporarily unavailable"),
    (133_005, 400, "Two step verification PIN mismatch"),
    (133_006, 400, "Phone number re-verification needed"),
    (133_008, 400, "Too many two step verification PIN guesses"),
    (133_009, 400, "Two step verification PIN guessed too fast"),
    (133_010, 400, "Phone number not registered"),
    (133_015, 400, "Please wait a few minutes before attempting to register this phone number"),
    (133_016, 400, "Account register deregister rate limit exceeded"),
    (134_011, 400, "Payments terms of service have not been accepted"),
    (134_100, 400, "Only marketing messages supported"),
    (134_101, 400, "Template still syncing"),
    (134_102, 500, "Template unavailable for use"),
    (135_000, 400, "Generic user error"),
    (137_000, 400, "Recipient identity key mismatch"),
    (2_388_019, 400, "Message template limit exceeded"),
    (2_388_023, 400, "Content in This Language Already Exists"),
    (2_388_039, 400, "Message template status can't be changed"),
    (2_388_040, 400, "Character Limit Exceeded"),
    (2_388_043, 400, "Message template \"components\" param is missing expected field(s)"),
    (2_388_047, 400, "Message header format is incorrect"),
    (2_388_072, 400, "Message body format is incorrect"),
    (2_388_073, 400, "Message footer format is incorrect"),
    (2_388_293, 400, "Message template has too many variables for its length"),
    (2_388_299, 400, "Leading or trailing params are not allowed"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(CODES.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn ranges_are_one_error_each() {
        for (code, first) in [(299, 200), (80_000, 80_007), (80_014, 80_007)] {
            assert_eq!(known(code), known(first), "{code}");
            assert!(known(code).is_some());
        }
        for unknown in [5, 300, 80_015, 2_388_000] {
            assert_eq!(known(unknown), None, "{unknown}");
        }
    }
}
