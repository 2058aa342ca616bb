//! The errors that a knob brings about.

use serde_json::{Value, json};

use super::{Running, text_to};

const ANN: &str = "16505551234";

async fn told(running: &Running, code: u32) -> (u16, Value) {
    running.simulator.set_knobs(&json!({"errors": [{"code": code, "next": 1}]})).unwrap();
    let (status, answer) = running.send(&text_to(ANN, "hi")).await;
    (status, answer["error"].clone())
}

#[tokio::test]
async fn a_code_is_answered_as_meta_answers_it() {
    let running = Running::free().await;
    let (status, error) = told(&running, 132_008).await;
    assert_eq!((status, &error["code"]), (400, &json!(132_008)));
    assert_eq!(error["message"], "(#132008) Template parameter value is not valid");
    assert!(error["error_data"]["details"].is_string());
    let (status, error) = told(&running, 250).await;
    assert_eq!((status, &error["code"]), (403, &json!(250)), "one of the two hundreds");
    let (status, error) = told(&running, 2_388_019).await;
    assert_eq!((status, &error["code"], &error["error_subcode"]), (400, &json!(100), &json!(2_388_019)));
    assert_eq!(error["error_user_title"], "Message template limit exceeded");
}

#[tokio::test]
async fn other_parts_of_metas_api_are_named_as_missing() {
    let running = Running::free().await;
    for (method, path) in [
        ("GET", "/v25.0/106540352242922/block_users"),
        ("POST", "/v25.0/106540352242922/message_qrdls"),
        ("DELETE", "/v25.0/102290129340398/flows"),
    ] {
        let (status, answer) = running.request(method, path, None).await;
        let edge = path.rsplit('/').next().unwrap();
        let error = &answer["error"];
        assert_eq!((status, &error["code"]), (400, &json!(2500)), "{path}: {answer}");
        assert_eq!(error["message"], format!("Unknown path components: /{edge}"));
        assert_eq!(
            error["error_user_msg"],
            format!("The simulator does not have /{edge}. Meta's API may have it.")
        );
    }
}
