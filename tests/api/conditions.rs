//! Changes that are meant for what was read.

use reqwest::{Method, Response, header};
use serde_json::{Value, json};

use super::Desk;
use crate::harness::http;

impl Desk {
    /// The ETag of what is at this path.
    async fn etag(&self, path: &str) -> String {
        let answer = self.answer(Method::GET, path, None).await;
        answer.headers()["etag"].to_str().unwrap().to_owned()
    }

    async fn change(&self, method: Method, path: &str, tag: &str, body: &Value) -> Response {
        let request = http().request(method, format!("{}{path}", self.stage.host.url()));
        let request = request.bearer_auth(&self.key).header(header::IF_MATCH, tag);
        request.json(body).send().await.unwrap()
    }
}

async fn is_refused(answer: Response) {
    assert_eq!(answer.status(), 412);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "changed");
}

#[tokio::test]
async fn what_somebody_else_has_changed_is_not_changed_unseen() {
    let desk = Desk::open(&["admin"]).await;
    let ann = json!({"username": "ann", "name": "Ann"});
    assert_eq!(desk.ask(Method::POST, "/v1/people", Some(&ann)).await.0, 201);
    let (path, read) = ("/v1/people/ann", desk.etag("/v1/people/ann").await);
    assert_eq!(desk.etag(path).await, read, "it stays as long as the person does");
    let changed = desk.change(Method::PATCH, path, &read, &json!({"name": "Ann Moyo"})).await;
    assert_eq!(changed.status(), 200);
    let now = changed.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(desk.etag(path).await, now);
    is_refused(desk.change(Method::PATCH, path, &read, &json!({"name": "Ann Dube"})).await).await;
    assert_eq!(desk.get(path).await["name"], "Ann Moyo");
    for tag in ["*".to_owned(), format!("{read}, {now}")] {
        let again = desk.change(Method::PATCH, path, &tag, &json!({"name": "Ann Moyo"})).await;
        assert_eq!(again.status(), 200, "{tag}");
    }

    assert_eq!(desk.answer(Method::PUT, "/v1/groups/Night", None).await.status(), 201);
    let read = desk.etag("/v1/groups/Night").await;
    let joined = desk.answer(Method::PUT, "/v1/groups/Night/members/ann", None).await;
    assert_eq!(joined.status(), 204);
    let name = json!({"name": "Day"});
    is_refused(desk.change(Method::PATCH, "/v1/groups/Night", &read, &name).await).await;
    is_refused(desk.change(Method::DELETE, "/v1/groups/Night", &read, &json!({})).await).await;
    let read = desk.etag("/v1/groups/Night").await;
    let renamed = desk.change(Method::PATCH, "/v1/groups/Night", &read, &name).await;
    assert_eq!(renamed.status(), 200);
    let now = renamed.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(desk.change(Method::DELETE, "/v1/groups/Day", &now, &json!({})).await.status(), 204);
}
