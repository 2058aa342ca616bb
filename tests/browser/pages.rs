//! Each page, empty and full, light and dark, on a phone and on a large screen.

use crate::{
    Case,
    chromium::{self, Browser},
    stages,
};

/// The pages that the menu leads to, and others that are always there.
pub const PAGES: [&str; 27] = [
    "/",
    "/events",
    "/messages",
    "/failed",
    "/unknown",
    "/waiting",
    "/switches",
    "/people",
    "/person/new",
    "/person/import",
    "/groups",
    "/contacts",
    "/rules",
    "/releases",
    "/releases/activate",
    "/releases/shadow",
    "/replays",
    "/templates",
    "/template/push",
    "/try",
    "/plugins",
    "/schedules",
    "/numbers",
    "/fix",
    "/access",
    "/actions",
    "/none",
];
/// Maximum size of a page, in bytes.
const LARGEST: u64 = 30 * 1024;

pub async fn empty() -> Case {
    let axe = chromium::axe()?;
    let stage = stages::empty().await;
    let browser = Browser::open(&stage).await?;
    let mut found = Vec::new();
    for path in ["/login", "/link?code=x"] {
        found.extend(faults(&browser, path, &axe).await);
    }
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    for path in PAGES {
        found.extend(faults(&browser, path, &axe).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

pub async fn full() -> Case {
    let axe = chromium::axe()?;
    let full = stages::full("A longer text that somebody has written, 42 of them").await;
    let browser = Browser::log_in(&full.stage, "boss", &["admin"]).await?;
    let mut found = Vec::new();
    for path in PAGES.into_iter().chain(full.paths.iter().map(String::as_str)) {
        found.extend(faults(&browser, path, &axe).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// What keeps a page from being small, from fitting its screen, and from being used by everybody, and what its policy refused.
async fn faults(browser: &Browser, path: &str, axe: &str) -> Vec<String> {
    browser.go(path).await;
    let mut found = Vec::new();
    let size = browser.run("return performance.getEntriesByType('navigation')[0].decodedBodySize").await;
    if size.as_u64().is_none_or(|size| size > LARGEST) {
        found.push(format!("{path} has {size} bytes"));
    }
    // It comes in by the driver, past the policy of the page.
    browser.run(axe).await;
    for scheme in ["light", "dark"] {
        browser.color_scheme(scheme).await;
        for width in [360, 1_400] {
            browser.resize(width, 900).await;
            let wide = browser.run("return document.documentElement.scrollWidth").await;
            if wide.as_u64().is_none_or(|wide| wide > u64::from(width)) {
                found.push(format!("{path}, {width} px, {scheme}: the page is {wide} px wide"));
            }
            let audit = browser.audit().await;
            found.extend(audit.into_iter().map(|fault| format!("{path}, {width} px, {scheme}: {fault}")));
        }
    }
    let refused = browser.run("return window.refused").await;
    if refused != serde_json::json!([]) {
        found.push(format!("{path}: the policy refused {refused}"));
    }
    found
}
