//! Chromium, driven as a person would use it.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    Skipped,
    harness::{SOON, Stage, create_key, wait_until},
    webdriver::{Element, Session},
};

const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--lang=en-US",
];
/// The pause before an element is looked for again.
const AGAIN: Duration = Duration::from_millis(50);
/// Notes what the page's policy refused, before any script of the page runs.
const NOTE: &str = "window.refused = [];
    addEventListener('securitypolicyviolation', event => window.refused.push(event.violatedDirective + ' ' + event.blockedURI));";

/// Where this machine has a program of this name.
fn installed(name: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The text of axe-core, which `.ci/install` fetches.
pub fn axe() -> Result<String, Skipped> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("axe-core/axe.min.js");
    std::fs::read_to_string(&path)
        .map_err(|_| Skipped(format!("{} is missing; .ci/install fetches it", path.display())))
}

/// The program that drives Chromium. All tests of a run share it, on a port that it chose.
static DRIVER: Mutex<Option<(Child, String)>> = Mutex::new(None);

fn driver() -> Result<String, Skipped> {
    let mut driver = DRIVER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, url)) = driver.as_ref() {
        return Ok(url.clone());
    }
    let path =
        installed("chromedriver").ok_or_else(|| Skipped("chromedriver is not installed".to_owned()))?;
    // Between its choice of a port and its use another process may take it.
    let (child, port) = (0..5).find_map(|_| start(&path)).unwrap();
    let url = format!("http://127.0.0.1:{port}");
    *driver = Some((child, url.clone()));
    Ok(url)
}

/// A driver and its port, if it got one.
fn start(path: &Path) -> Option<(Child, String)> {
    let mut command = Command::new(path);
    let mut child = command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let Some(line) = lines.find(|line| line.contains("started successfully on port")) else {
        let _ = child.wait();
        return None;
    };
    // Read on, so that it never waits for us.
    std::thread::spawn(move || lines.for_each(drop));
    Some((child, line.rsplit(' ').next()?.trim_end_matches('.').to_owned()))
}

/// Ends what drives Chromium.
pub fn end() {
    if let Some((mut child, _)) = DRIVER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// A browser of its own, with a new profile, on the console of a host.
pub struct Browser {
    session: Session,
    url: String,
    _profile: TempDir,
}

impl Browser {
    pub async fn open(stage: &Stage) -> Result<Browser, Skipped> {
        let chromium =
            installed("chromium").ok_or_else(|| Skipped("chromium is not installed".to_owned()))?;
        let profile = tempfile::tempdir().unwrap();
        let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let session = Session::start(&driver()?, &chromium, &arguments).await;
        let browser = Browser { session, url: stage.host.admin_url(), _profile: profile };
        browser.cdp("Page.addScriptToEvaluateOnNewDocument", json!({"source": NOTE})).await;
        browser.resize(1_400, 1_000).await;
        Ok(browser)
    }

    /// Opens one and logs in by typing a new key with these scopes.
    pub async fn log_in(stage: &Stage, name: &str, scopes: &[&str]) -> Result<Browser, Skipped> {
        let browser = Browser::open(stage).await?;
        let key = create_key(&stage.database, name, scopes);
        browser.go("/").await;
        browser.fill("key", &key).await;
        browser.press("Log in").await;
        assert_eq!(browser.heading().await, "Overview");
        Ok(browser)
    }

    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        self.session.cdp(command, parameters).await
    }

    pub async fn resize(&self, width: u32, height: u32) {
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.cdp("Emulation.setDeviceMetricsOverride", size).await;
    }

    pub async fn color_scheme(&self, scheme: &str) {
        let feature = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.cdp("Emulation.setEmulatedMedia", feature).await;
    }

    pub async fn without_scripts(&self) {
        self.cdp("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    pub async fn go(&self, path: &str) {
        self.session.go(&format!("{}{path}", self.url)).await;
    }

    pub async fn reload(&self) {
        self.session.post("refresh", json!({})).await;
    }

    pub async fn back(&self) {
        self.session.post("back", json!({})).await;
    }

    /// The path and query of the page.
    pub async fn path(&self) -> String {
        let url = self.session.get("url").await;
        url.as_str().unwrap().trim_start_matches(&self.url).to_owned()
    }

    pub async fn find(&self, css: &str) -> Element<'_> {
        self.element("css selector", css).await
    }

    async fn element(&self, by: &str, what: &str) -> Element<'_> {
        // A page may still be coming.
        let give_up = Instant::now() + SOON;
        loop {
            match self.session.find(by, what).await {
                Some(element) => return element,
                None if Instant::now() < give_up => tokio::time::sleep(AGAIN).await,
                None => panic!("no {what} on {}: {}", self.path().await, self.text().await),
            }
        }
    }

    pub async fn heading(&self) -> String {
        self.find("h1").await.text().await
    }

    /// What a person reads on the page.
    pub async fn text(&self) -> String {
        match self.session.find("css selector", "main").await {
            Some(main) => main.text().await,
            None => String::new(),
        }
    }

    /// Types into a field in place of what it has.
    pub async fn fill(&self, name: &str, text: &str) {
        self.find(&format!("[name='{name}']:not([type='hidden'])")).await.fill(text).await;
    }

    /// Clicks the button whose title begins so, and waits for the page that follows.
    pub async fn press(&self, title: &str) {
        self.leave(&format!("//button[starts-with(normalize-space(), '{title}')]")).await;
    }

    /// Clicks the link whose text begins so, and waits for the page that follows.
    pub async fn follow(&self, text: &str) {
        self.leave(&format!("//a[starts-with(normalize-space(), '{text}')]")).await;
    }

    /// Clicks the button whose title begins so, which acts on the page as it is.
    pub async fn toggle(&self, title: &str) {
        self.click(&format!("//button[starts-with(normalize-space(), '{title}')]")).await;
    }

    /// A click only begins to load a page: for a moment the old one is still there to be read.
    async fn leave(&self, xpath: &str) {
        let old = self.find("html").await;
        self.click(xpath).await;
        wait_until(&format!("another page follows {xpath}"), SOON, async || !old.exists().await).await;
        wait_until("it is complete", SOON, async || self.session.is_loaded().await).await;
    }

    /// Clicks, again if the page has just replaced the element.
    async fn click(&self, xpath: &str) {
        wait_until(&format!("{xpath} can be clicked"), SOON, async || {
            self.element("xpath", xpath).await.click().await
        })
        .await;
    }

    pub async fn run(&self, script: &str) -> Value {
        self.session.run("sync", script).await
    }

    /// What axe-core finds on the page as it is shown now. Its text must have been run on the page before.
    pub async fn audit(&self) -> Vec<String> {
        let script = "const done = arguments[arguments.length - 1];
            axe.run({resultTypes: ['violations']}).then(
                found => done(found.violations.flatMap(rule => rule.nodes.map(node =>
                    `${rule.id}: ${node.target.join(' ')}: ${node.failureSummary}`))),
                error => done([String(error)]));";
        serde_json::from_value(self.session.run("async", script).await).unwrap()
    }

    /// The tabs, by the handles that [`Browser::switch`] takes.
    pub async fn open_tab(&self) -> String {
        let tab = self.session.post("window/new", json!({"type": "tab"})).await;
        tab["handle"].as_str().unwrap().to_owned()
    }

    pub async fn switch(&self, tab: &str) {
        self.session.post("window", json!({"handle": tab})).await;
    }

    /// The page as a PNG, as wide as the window and as high as the page.
    pub async fn picture(&self) -> Vec<u8> {
        let options = json!({"format": "png", "captureBeyondViewport": false});
        let picture = self.cdp("Page.captureScreenshot", options).await;
        base64_decoded(picture["data"].as_str().unwrap())
    }
}

fn base64_decoded(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}
