//! The business profile of a number.

use serde_json::{Value, json};

use super::Running;

const PROFILE: &str = "/v25.0/106540352242922/whatsapp_business_profile";

#[tokio::test]
async fn a_profile_is_changed_and_read() {
    let running = Running::free().await;
    let (status, fresh) = running.request("GET", PROFILE, None).await;
    assert_eq!(status, 200);
    assert_eq!(fresh, json!({"data": [{"messaging_product": "whatsapp", "vertical": "UNDEFINED"}]}));
    let change = json!({"messaging_product": "whatsapp", "about": "Succulent specialists!", "address": "1 Hacker Way",
        "email": "lucky@luckyshrub.com", "vertical": "RETAIL", "websites": "[\n \"https://www.luckyshrub.com\"\n]"});
    assert_eq!(running.request("POST", PROFILE, Some(&change)).await, (200, json!({"success": true})));
    let (_, read) = running.request("GET", &format!("{PROFILE}?fields=about,websites,email"), None).await;
    assert_eq!(
        read["data"][0],
        json!({"messaging_product": "whatsapp", "about": "Succulent specialists!",
            "email": "lucky@luckyshrub.com", "websites": ["https://www.luckyshrub.com"]})
    );
    let clear = json!({"messaging_product": "whatsapp", "email": "", "websites": []});
    assert_eq!(running.request("POST", PROFILE, Some(&clear)).await.0, 200);
    let (_, read) = running.request("GET", PROFILE, None).await;
    assert_eq!(
        read["data"][0],
        json!({"messaging_product": "whatsapp", "about": "Succulent specialists!", "address": "1 Hacker Way",
            "vertical": "RETAIL"})
    );
}

#[tokio::test]
async fn what_meta_refuses_changes_nothing() {
    let running = Running::free().await;
    let url = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    let taken = json!({"about": "ä".repeat(139), "address": "x".repeat(256), "description": "x".repeat(512),
        "websites": [url(256), "http://example.com"]});
    let wrong = [
        json!({"about": ""}),
        json!({"about": "x".repeat(140)}),
        json!({"address": "x".repeat(257)}),
        json!({"description": "x".repeat(513)}),
        json!({"description": 5}),
        json!({"email": "nobody"}),
        json!({"email": format!("{}@example.com", "x".repeat(128))}),
        json!({"vertical": "retail"}),
        json!({"websites": ["https://a.example", "https://b.example", "https://c.example"]}),
        json!({"websites": [url(257)]}),
        json!({"websites": ["ftp://example.com"]}),
        json!({"websites": "https://example.com"}),
        json!({"profile_picture_handle": "4::aW"}),
        json!({"messaging_product": "telegram"}),
        json!({"messaging_product": null}),
    ];
    let post = async |fields: &Value| {
        let mut body = json!({"messaging_product": "whatsapp", "address": "2 Hacker Way"});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        running.request("POST", PROFILE, Some(&body)).await
    };
    for fields in &wrong {
        let (status, answer) = post(fields).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &json!(100)), "{fields}: {answer}");
    }
    let (_, read) = running.request("GET", PROFILE, None).await;
    assert_eq!(read["data"][0].get("address"), None);
    assert_eq!(post(&taken).await.0, 200);
    assert_eq!(running.request("GET", &format!("{PROFILE}?fields=phone"), None).await.0, 400);
    assert_eq!(
        running.request("GET", "/v25.0/123/whatsapp_business_profile", None).await.1["error"]["code"],
        100
    );
}
