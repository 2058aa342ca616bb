//! Against the simulator, which checks templates as Meta does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use hookswitch_core::{catalog, plan::definitions};
use hookswitch_simulator::{Knobs, Settings, Simulator};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::whatsapp::{State, compare};

async fn simulator(review_ms: u64) -> (Simulator, Management, String) {
    let settings = Settings {
        knobs: Knobs { template_review_ms: review_ms, ..Knobs::default() },
        ..Settings::default()
    };
    let token = Secret::from(settings.access_token.as_str());
    let account = settings.waba_id.clone();
    let simulator = Simulator::new(settings);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v25.0/", listener.local_addr().unwrap());
    let router = simulator.router();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (simulator, Management::new(&url, &token).unwrap(), account)
}

#[tokio::test]
async fn all_shipped_templates_are_taken_and_come_back_as_they_were() {
    let (_simulator, management, account) = simulator(3_600_000).await;
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let (definitions, findings) = definitions(&catalog::load(&rules.as_path().into()).unwrap().templates);
    assert_eq!(findings, []);
    for definition in &definitions {
        let status = management.create_template(&account, &definition.name, definition).await.unwrap();
        assert_eq!(status, "PENDING");
    }
    let on_meta = management.templates(&account).await.unwrap();
    assert!(on_meta.len() > definitions.len(), "Meta's own samples are there too");
    let states = compare(&definitions, &on_meta);
    assert!(states.iter().all(|state| state.state == State::Pending), "{states:#?}");
    let error =
        management.create_template(&account, &definitions[0].name, &definitions[0]).await.unwrap_err();
    let ManagementError::Refused { code: 100, message } = &error else { panic!("{error}") };
    assert!(message.contains("There is already en_US content for this template"), "{message}");
}

#[tokio::test]
async fn the_account_is_told() {
    let (simulator, management, account) = simulator(0).await;
    let settings = simulator.settings();
    let number = management.phone_number(&settings.phone_number_id).await.unwrap();
    assert_eq!(number.verified_name.as_deref(), Some("Hookswitch Demo"));
    assert_eq!(number.quality_rating.as_deref(), Some("GREEN"));
    assert_eq!(number.status.as_deref(), Some("CONNECTED"));
    assert_eq!(number.throughput.unwrap().level.as_deref(), Some("STANDARD"));
    assert_eq!(number.whatsapp_business_manager_messaging_limit.as_deref(), Some("TIER_UNLIMITED"));
    let token = management.token().await.unwrap();
    assert_eq!((token.is_valid, token.valid_until()), (true, None));
    assert!(token.scopes.iter().any(|scope| scope == "whatsapp_business_management"));
    assert_eq!(management.subscribed_apps(&account).await.unwrap(), 1);
}

#[tokio::test]
async fn what_goes_wrong_is_said_without_the_token() {
    let (_simulator, management, _) = simulator(0).await;
    let unknown = management.templates("1").await.unwrap_err().to_string();
    assert!(unknown.starts_with("Meta rejected the request: error 100"), "{unknown}");
    let secret = Secret::from("a-secret-token");
    let nobody = Management::new("http://127.0.0.1:1", &secret).unwrap();
    let error = nobody.token().await.unwrap_err().to_string();
    assert!(error.starts_with("cannot reach Meta: ") && !error.contains("a-secret"), "{error}");
}

#[test]
fn what_meta_leaves_out_is_none() {
    let read = |json: Value| TemplateOnMeta::from(serde_json::from_value::<RawTemplate>(json).unwrap());
    let bare = read(json!({"id": "1", "name": "t", "language": "en", "status": "LIMIT_EXCEEDED"}));
    assert_eq!(
        (bare.status, bare.category, bare.quality),
        (MetaStatus::Other("LIMIT_EXCEEDED".into()), None, None)
    );
    let full = read(json!({"id": "1", "name": "t", "status": "IN_APPEAL", "rejected_reason": "NONE",
        "quality_score": {"score": "RED"}, "components": [{"type": "BODY", "text": "Hi"},
        {"type": "HEADER", "format": "TEXT", "text": "x"},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Yes"}, {"type": "URL", "text": "Go"}]}]}));
    assert_eq!(
        (full.status.clone(), full.quality.as_deref(), full.rejected_reason.as_deref()),
        (MetaStatus::Pending, Some("RED"), None)
    );
    assert_eq!(full.foreign, ["a part of type HEADER", "a button of type URL"]);
    assert_eq!((full.buttons.clone(), full.wording()), (vec!["Yes".to_owned()], None));
}
