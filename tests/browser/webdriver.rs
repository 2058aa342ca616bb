//! As much of WebDriver as the tests need. The libraries for it turn on features of `serde_json` for the whole build, so that
//! another program than ours would be tested.

use std::path::Path;

use serde_json::{Value, json};

use crate::harness::http;

/// What names an element in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a session at its driver.
pub struct Session {
    url: String,
}

/// An element of the page.
pub struct Element<'a> {
    session: &'a Session,
    id: String,
}

impl Session {
    pub async fn start(driver: &str, browser: &Path, arguments: &[String]) -> Session {
        let wanted =
            json!({"browserName": "chrome", "goog:chromeOptions": {"binary": browser, "args": arguments}});
        let body = json!({"capabilities": {"alwaysMatch": wanted}});
        let session = call(http().post(format!("{driver}/session")).json(&body)).await.unwrap();
        Session { url: format!("{driver}/session/{}", session["sessionId"].as_str().unwrap()) }
    }

    #[track_caller]
    pub fn post<'a>(&'a self, command: &'a str, body: Value) -> impl Future<Output = Value> + 'a {
        let place = std::panic::Location::caller();
        async move {
            let answer = call(http().post(format!("{}/{command}", self.url)).json(&body)).await;
            answer.unwrap_or_else(|error| panic!("{place}: {command} {body}: {error}"))
        }
    }

    pub async fn get(&self, command: &str) -> Value {
        call(http().get(format!("{}/{command}", self.url))).await.unwrap()
    }

    pub async fn go(&self, url: &str) {
        self.post("url", json!({"url": url})).await;
    }

    /// The first element that a selector finds.
    pub async fn find(&self, by: &str, selector: &str) -> Option<Element<'_>> {
        let body = json!({"using": by, "value": selector});
        let found = call(http().post(format!("{}/element", self.url)).json(&body)).await.ok()?;
        Some(Element { session: self, id: found[ELEMENT].as_str()?.to_owned() })
    }

    /// Whether the page is all there. While one page follows another there may be none to ask.
    pub async fn is_loaded(&self) -> bool {
        let body = json!({"script": "return document.readyState", "args": []});
        let state = call(http().post(format!("{}/execute/sync", self.url)).json(&body)).await;
        state.is_ok_and(|state| state == "complete")
    }

    /// Runs a script, `sync` or `async`.
    pub async fn run(&self, how: &str, script: &str) -> Value {
        self.post(&format!("execute/{how}"), json!({"script": script, "args": []})).await
    }

    /// A command of Chromium's DevTools.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.post("goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }
}

impl Drop for Session {
    /// Ends the browser, after a failure, too: it outlives its driver otherwise.
    fn drop(&mut self) {
        let url = self.url.clone();
        let end = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map(|runtime| runtime.block_on(call(http().delete(url))))
        });
        let _ = end.join();
    }
}

impl Element<'_> {
    /// Whether it could be clicked: it may have been replaced meanwhile.
    pub async fn click(&self) -> bool {
        call(http().post(self.path("click")).json(&json!({}))).await.is_ok()
    }

    /// Whether it is still part of the page.
    pub async fn exists(&self) -> bool {
        call(http().get(self.path("name"))).await.is_ok()
    }

    pub async fn text(&self) -> String {
        let text = call(http().get(self.path("text"))).await;
        // It may have been replaced meanwhile.
        text.ok().and_then(|text| text.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Types a text in place of what the field has.
    pub async fn fill(&self, text: &str) {
        // A list has nothing to clear.
        let _ = call(http().post(self.path("clear")).json(&json!({}))).await;
        call(http().post(self.path("value")).json(&json!({"text": text})))
            .await
            .unwrap_or_else(|error| panic!("{text} cannot be typed: {error}"));
    }

    /// What the element has under this name now.
    pub async fn property(&self, name: &str) -> Value {
        call(http().get(self.path(&format!("property/{name}")))).await.unwrap()
    }

    fn path(&self, command: &str) -> String {
        format!("{}/element/{}/{command}", self.session.url, self.id)
    }
}

/// The value of an answer, or what is wrong.
async fn call(request: reqwest::RequestBuilder) -> Result<Value, String> {
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let is_fine = answer.status().is_success();
    let mut answer: Value = answer.json().await.map_err(|error| error.to_string())?;
    let value = answer["value"].take();
    if is_fine { Ok(value) } else { Err(value["message"].as_str().unwrap_or_default().to_owned()) }
}
