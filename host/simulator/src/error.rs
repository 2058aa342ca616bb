//! Errors in Meta's shape.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::ids;

/// An error as the Graph API answers it.
#[derive(Clone, Debug, PartialEq)]
pub struct GraphError {
    /// The HTTP status, by Meta's table of December 2025.
    pub status: u16,
    /// Meta's error code.
    pub code: u32,
    /// `error_subcode`.
    pub subcode: Option<u32>,
    /// `type`.
    pub kind: &'static str,
    /// `message`.
    pub message: String,
    /// `error_data.details`.
    pub details: Option<String>,
    /// `error_user_title` and `error_user_msg`.
    pub user: Option<Box<(String, String)>>,
}

impl GraphError {
    /// The error of a code in Meta's table, with its usual title and HTTP status.
    pub fn new(code: u32, details: impl Into<String>) -> Self {
        let (status, title) = known(code).unwrap_or((400, "Unknown error"));
        GraphError {
            status,
            code,
            subcode: (code == 130_429).then_some(2_494_055),
            kind: "OAuthException",
            message: format!("(#{code}) {title}"),
            details: Some(details.into()),
            user: None,
        }
    }

    /// Code 100 with a message of its own, as Graph words a wrong parameter.
    pub fn parameter(message: impl std::fmt::Display) -> Self {
        GraphError { message: format!("(#100) {message}"), details: None, ..GraphError::new(100, "") }
    }

    /// Code 100, subcode 33: no such object.
    pub fn no_object(method: &str, id: &str) -> Self {
        GraphError {
            message: format!(
                "Unsupported {} request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
                 permissions, or does not support this operation.",
                method.to_lowercase()
            ),
            subcode: Some(33),
            kind: "GraphMethodException",
            details: None,
            ..GraphError::new(100, "")
        }
    }

    /// Code 190: no token, or a wrong one.
    pub fn token(message: &str) -> Self {
        GraphError { message: message.into(), details: None, ..GraphError::new(190, "") }
    }

    /// A refusal in template management: code 100, told apart by the subcode.
    pub fn template(subcode: u32, title: &str, text: impl Into<String>) -> Self {
        GraphError {
            message: "Invalid parameter".into(),
            subcode: Some(subcode),
            details: None,
            user: Some(Box::new((title.into(), text.into()))),
            ..GraphError::new(100, "")
        }
    }

    /// The body.
    pub fn body(&self) -> Value {
        let mut error = json!({
            "message": self.message,
            "type": self.kind,
            "code": self.code,
            "fbtrace_id": ids::trace_id(),
        });
        if let Some(details) = &self.details {
            error["error_data"] = json!({"messaging_product": "whatsapp", "details": details});
        }
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = subcode.into();
        }
        if let Some(user) = &self.user {
            error["is_transient"] = false.into();
            error["error_user_title"] = user.0.as_str().into();
            error["error_user_msg"] = user.1.as_str().into();
        }
        json!({"error": error})
    }
}

impl IntoResponse for GraphError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        (status, Json(self.body())).into_response()
    }
}

/// The usual HTTP status and the title of a code in Meta's table of errors.
pub fn known(code: u32) -> Option<(u16, &'static str)> {
    CODES.iter().find(|(known, ..)| *known == code).map(|(_, status, title)| (*status, *title))
}

const CODES: &[(u32, u16, &str)] = &[
    (0, 401, "AuthException"),
    (1, 400, "An unknown error occurred"),
    (2, 503, "Service temporarily unavailable"),
    (3, 500, "Application does not have the capability to make this API call"),
    (4, 400, "Application request limit reached"),
    (10, 403, "Application does not have permission for this action"),
    (33, 400, "Parameter value is not valid"),
    (100, 400, "Invalid parameter"),
    (190, 401, "Access token has expired"),
    (200, 403, "Permissions error"),
    (368, 403, "Temporarily blocked for policies violations"),
    (80_007, 400, "Rate limit issues"),
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
    (131_037, 400, "WhatsApp provided number needs display name approval before message can be sent"),
    (131_042, 400, "Business eligibility payment issue"),
    (131_045, 500, "Incorrect certificate"),
    (131_047, 400, "Re-engagement message"),
    (131_048, 400, "Spam rate limit hit"),
    (131_049, 400, "Meta chose not to deliver"),
    (131_050, 400, "User has stopped marketing messages from this business"),
    (131_051, 400, "Unsupported message type"),
    (131_052, 400, "Media download error"),
    (131_053, 400, "Media upload error"),
    (131_056, 400, "(Business Account, Consumer Account) pair rate limit hit"),
    (131_057, 500, "Account in maintenance mode"),
    (131_062, 400, "Recipient not supported for this message"),
    (131_063, 400, "Marketing templates are disabled for Cloud API"),
    (131_064, 400, "Messaging limit reached due to template classification violations"),
    (132_000, 400, "Number of parameters does not match the expected number of params"),
    (132_001, 404, "Template name does not exist in the translation"),
    (132_005, 400, "Template hydrated text too long"),
    (132_007, 400, "Template format character policy violated"),
    (132_012, 400, "Parameter format does not match format in the created template"),
    (132_015, 400, "Template is paused"),
    (132_016, 400, "Template is disabled"),
    (132_018, 400, "Param text cannot have new-line/tab characters or more than 4 consecutive spaces"),
    (132_068, 400, "Flow is blocked"),
    (132_069, 400, "Flow is throttled"),
    (133_004, 503, "Server temporarily unavailable"),
    (133_010, 400, "Phone number not registered"),
    (134_011, 400, "Payments terms of service have not been accepted"),
    (135_000, 400, "Generic user error"),
];
