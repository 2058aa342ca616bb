//! What Meta tells of the account, the number, the app and the token.

use axum::http::Method;
use serde_json::{Value, json};

use super::{Settings, Simulator, error::GraphError, fields::pick};

/// The app whose token it is.
pub const APP_ID: &str = "634974688087057";
/// The app's name.
const APP_NAME: &str = "Hookswitch";

/// `GET /{phone-number-id}`.
pub fn phone_number(simulator: &Simulator, id: &str, fields: Option<&str>) -> Value {
    let settings = simulator.settings();
    let level =
        if settings.limits.messages_per_second.is_some_and(|rate| rate <= 80) { "STANDARD" } else { "HIGH" };
    let number = json!({
        "id": id,
        "verified_name": settings.verified_name,
        "display_phone_number": format!("+{}", settings.number(id).unwrap_or_default()),
        "quality_rating": "GREEN",
        "status": "CONNECTED",
        "code_verification_status": "VERIFIED",
        "name_status": "APPROVED",
        "platform_type": "CLOUD_API",
        "account_mode": "LIVE",
        "throughput": {"level": level},
        "whatsapp_business_manager_messaging_limit": settings.messaging_limit,
        "webhook_configuration": {"application": simulator.webhook_url()},
    });
    pick(number, fields)
}

/// `GET /{waba-id}`.
pub fn account(settings: &Settings, fields: Option<&str>) -> Value {
    let account = json!({
        "id": settings.waba_id,
        "name": settings.verified_name,
        "currency": "USD",
        "timezone_id": "1",
        "message_template_namespace": "simulator",
        "account_review_status": "APPROVED",
        "whatsapp_business_manager_messaging_limit": settings.messaging_limit,
    });
    pick(account, fields)
}

/// `GET /me`.
pub fn me(settings: &Settings, fields: Option<&str>) -> Value {
    pick(json!({"id": APP_ID, "name": settings.verified_name}), fields)
}

/// `GET /debug_token`, of the caller's own token.
pub fn debug_token(simulator: &Simulator) -> Value {
    let account = &simulator.settings().waba_id;
    let scopes = simulator.state().knobs.token_permissions.clone();
    let granular: Vec<Value> =
        scopes.iter().map(|scope| json!({"scope": scope, "target_ids": [account]})).collect();
    json!({"data": {
        "app_id": APP_ID,
        "application": APP_NAME,
        "type": "SYSTEM_USER",
        "is_valid": true,
        "expires_at": 0,
        "scopes": scopes,
        "granular_scopes": granular,
    }})
}

/// `GET`, `POST` and `DELETE /{waba-id}/subscribed_apps`. The webhook's address is the simulator's setting;
/// without a subscription, nothing is posted to it.
pub fn subscribed_apps(simulator: &Simulator, method: &Method, body: &[u8]) -> Result<Value, GraphError> {
    let mut state = simulator.state();
    match *method {
        Method::GET => {
            let app = json!({"whatsapp_business_api_data": {
                "id": APP_ID,
                "name": APP_NAME,
                "link": format!("https://www.facebook.com/games/?app_id={APP_ID}"),
            }});
            Ok(json!({"data": if state.queue.subscribed() { vec![app] } else { Vec::new() }}))
        }
        Method::POST => {
            let wanted = serde_json::from_slice::<Value>(body).unwrap_or_default();
            if wanted.get("override_callback_uri").is_some() {
                return Err(GraphError::parameter(
                    "override_callback_uri is not possible here: the webhook's address is a setting of the simulator.",
                ));
            }
            state.queue.subscribe(true);
            Ok(json!({"success": true}))
        }
        Method::DELETE => {
            state.queue.subscribe(false);
            Ok(json!({"success": true}))
        }
        _ => Err(GraphError::no_object(method.as_str(), &simulator.settings().waba_id)),
    }
}
