//! Errors in Meta's shape.

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{codes, ids};

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
    /// The error of a code in Meta's table, with its usual title, HTTP status and shape.
    pub fn new(code: u32, details: impl Into<String>) -> Self {
        let (status, title) = codes::known(code).unwrap_or((400, "Unknown error"));
        if codes::is_subcode(code) {
            return GraphError::template(code, title, details);
        }
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
