//! The console, as a browser without scripts sees it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod acts;
mod pages;
mod releases;
mod replays;
mod sessions;
mod staff;

use reqwest::{Client, RequestBuilder, Response, redirect::Policy};

use crate::harness::{Stage, create_key, http};

/// A browser with a session, or without one.
pub struct Browser {
    url: String,
    client: Client,
    pub cookie: String,
}

impl Browser {
    pub fn new(stage: &Stage) -> Browser {
        // It installs what TLS needs.
        drop(http());
        let client =
            Client::builder().redirect(Policy::none()).no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Browser { url: stage.host.admin_url(), client, cookie: String::new() }
    }

    /// Logs in with a new key that has these scopes.
    pub async fn log_in(stage: &Stage, name: &str, scopes: &[&str]) -> Browser {
        let key = create_key(&stage.database, name, scopes);
        let mut browser = Browser::new(stage);
        let answer = browser.post("/login", &[("key", &key)]).send().await.unwrap();
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
        let cookie = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{cookie}");
        browser.cookie = cookie.split(';').next().unwrap().to_owned();
        browser
    }

    pub fn get(&self, path: &str) -> RequestBuilder {
        self.client.get(format!("{}{path}", self.url)).header("cookie", &self.cookie)
    }

    pub fn search(&self, text: &str) -> RequestBuilder {
        let mut url = reqwest::Url::parse(&format!("{}/search", self.url)).unwrap();
        url.query_pairs_mut().append_pair("q", text);
        self.client.get(url).header("cookie", &self.cookie)
    }

    pub fn post(&self, path: &str, form: &[(&str, &str)]) -> RequestBuilder {
        let mut url = reqwest::Url::parse("http://form").unwrap();
        url.query_pairs_mut().extend_pairs(form);
        self.client
            .post(format!("{}{path}", self.url))
            .header("cookie", &self.cookie)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(url.query().unwrap_or_default().to_owned())
    }

    /// The text of a page, which must be there, small and well-formed.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).send().await.unwrap();
        let (status, headers) = (answer.status(), answer.headers().clone());
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        assert!(text.len() <= 30 * 1024, "{path} has {} bytes", text.len());
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("require-trusted-types-for"),
            "{policy}"
        );
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_well_formed(path, &text);
        text
    }
}

/// Where an answer sends the browser.
pub fn location(answer: &Response) -> String {
    assert_eq!(answer.status(), 303);
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// Asserts that each element that is opened is closed in its turn.
fn assert_well_formed(path: &str, html: &str) {
    const VOID: [&str; 7] = ["!doctype", "meta", "link", "input", "br", "rect", "path"];
    let mut open: Vec<&str> = Vec::new();
    for tag in html.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap_or_else(|| panic!("{path}: <{tag}"));
        let name = tag.split([' ', '\n', '/']).next().unwrap();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed), "{path}: </{closed}>: {html}"),
            None if VOID.contains(&name) => {}
            None => open.push(name),
        }
    }
    assert_eq!(open, Vec::<&str>::new(), "{path}: {html}");
}
