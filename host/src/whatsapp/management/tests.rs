//! Against the simulator, which checks templates as Meta does.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use hookswitch_core::{
    catalog::{self, MediaFile},
    plan::{ExampleFile, MediaKind, MetaButton, MetaHeader, TemplateSource, Templates, definitions},
};
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
        let status = management.create_template(&account, &definition.name, definition, None).await.unwrap();
        assert_eq!(status, "PENDING");
    }
    let on_meta = management.templates(&account).await.unwrap();
    assert!(on_meta.len() > definitions.len(), "Meta's own samples are there too");
    let states = compare(&definitions, &on_meta);
    assert!(states.iter().all(|state| state.state == State::Pending), "{states:#?}");
    let error =
        management.create_template(&account, &definitions[0].name, &definitions[0], None).await.unwrap_err();
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
        {"type": "CAROUSEL"}, {"type": "HEADER", "format": "TEXT", "text": "x"},
        {"type": "BUTTONS", "buttons": [{"type": "QUICK_REPLY", "text": "Yes"}, {"type": "FLOW", "text": "Go"}]}]}));
    assert_eq!(
        (full.status.clone(), full.quality.as_deref(), full.rejected_reason.as_deref()),
        (MetaStatus::Pending, Some("RED"), None)
    );
    assert_eq!(full.foreign, ["a part of type CAROUSEL", "a button of type FLOW"]);
    assert_eq!(full.header, Some(MetaHeader::Text("x".to_owned())));
    assert_eq!((full.buttons.clone(), full.wording()), (vec![MetaButton::Reply("Yes".to_owned())], None));
}

const ORDER: &str = "---\ndescription: x\ncategory: utility\nlanguage: en_US\nheader: Order {{ number }}\nbuttons:\n  \
    - {id: ok, title: OK}\n  - {title: Track, url: \"https://x.example/t/{{ number }}\"}\n  \
    - {title: Shop, url: \"https://x.example\"}\n  - {title: Call us, phone: \"+1 555 010 0001\"}\n  \
    - {code: \"{{ coupon }}\"}\n---\nYour order is on its way.\n";

#[tokio::test]
async fn header_and_buttons_of_all_kinds_come_back_as_they_were() {
    let (_simulator, management, account) = simulator(3_600_000).await;
    let source = TemplateSource { name: "order".into(), file: "x/order.j2".into(), text: ORDER.into() };
    let (templates, errors) = Templates::compile(vec![source]);
    assert_eq!(errors, []);
    let (definitions, findings) = definitions(&templates);
    assert_eq!(findings, []);
    management.create_template(&account, "order", &definitions[0], None).await.unwrap();
    let on_meta = management.templates(&account).await.unwrap();
    let states = compare(&definitions, &on_meta);
    assert_eq!(states[0].state, State::Pending);
    let changed = ORDER.replace("/t/", "/track/").replace("Order {{", "No. {{");
    let source = TemplateSource { name: "order".into(), file: "x/order.j2".into(), text: changed };
    let changed =
        compare(&hookswitch_core::plan::definitions(&Templates::compile(vec![source]).0).0, &on_meta);
    let State::Differs(parts) = &changed[0].state else { panic!("{:?}", changed[0].state) };
    let parts: Vec<&str> = parts.iter().map(|part| part.part.as_str()).collect();
    assert_eq!(parts, ["header", "buttons"]);
}

#[tokio::test]
async fn the_example_of_a_file_is_uploaded_for_the_reviewers() {
    let (_simulator, management, account) = simulator(3_600_000).await;
    let text = "---\ndescription: x\ncategory: utility\nlanguage: en_US\nheader: {image: \"{{ photo }}\", example: \
                files/x.png}\n---\nThis is the photo.\n";
    let file =
        TemplateSource { name: "photo".into(), file: "x/templates/photo.j2".into(), text: text.into() };
    let (mut definitions, findings) = definitions(&Templates::compile(vec![file]).0);
    assert_eq!(findings, []);
    assert_eq!(definitions[0].header_example, "x/files/x.png");
    definitions[0].header_file =
        Some(ExampleFile { mime_type: "image/png", path: "x/files/x.png".to_owned() });
    let file = MediaFile::of(b"png");
    management.create_template(&account, "photo", &definitions[0], Some(&file)).await.unwrap();
    let on_meta = management.templates(&account).await.unwrap();
    let created = on_meta.iter().find(|template| template.name == "photo").unwrap();
    assert_eq!(created.header, Some(MetaHeader::Media(MediaKind::Image)));
    assert_eq!(created.wording().as_deref(), Some(definitions[0].wording.as_str()));
}
