//! Each page, empty and full, light and dark, on a phone and on a large screen.

use crate::{
    Case,
    chromium::{self, Browser},
    stages,
};

/// The pages that the menu leads to, and others that are always there.
const PAGES: [&str; 11] = [
    "/",
    "/events",
    "/messages",
    "/failed",
    "/unknown",
    "/waiting",
    "/people",
    "/groups",
    "/contacts",
    "/rules",
    "/none",
];
/// Maximum size of a page, in bytes.
const LARGEST: u64 = 30 * 1024;

pub async fn empty() -> Case {
    let axe = chromium::axe()?;
    let stage = stages::empty().await;
    let browser = Browser::open(&stage).await?;
    for path in ["/login", "/link?code=x"] {
        check(&browser, path, &axe).await;
    }
    browser.quit().await;
    let browser = Browser::log_in(&stage, "boss", &["admin"]).await?;
    for path in PAGES {
        check(&browser, path, &axe).await;
    }
    browser.quit().await;
    Ok(())
}

pub async fn full() -> Case {
    let axe = chromium::axe()?;
    let full = stages::full("A longer text that somebody has written, 42 of them").await;
    let browser = Browser::log_in(&full.stage, "boss", &["admin"]).await?;
    for path in PAGES.into_iter().chain(full.paths.iter().map(String::as_str)) {
        check(&browser, path, &axe).await;
    }
    browser.quit().await;
    Ok(())
}

/// Asserts that a page is small, fits its screen, can be used by everybody, and breaks no policy.
async fn check(browser: &Browser, path: &str, axe: &str) {
    browser.go(path).await;
    let size = browser.run("return performance.getEntriesByType('navigation')[0].decodedBodySize").await;
    assert!(size.as_u64().is_some_and(|size| size <= LARGEST), "{path} has {size} bytes");
    // The text of the page itself, and nothing else, is what is audited; the script of axe-core comes in by the driver.
    browser.run(axe).await;
    let mut found = Vec::new();
    for scheme in ["light", "dark"] {
        browser.color_scheme(scheme).await;
        for width in [360, 1_400] {
            browser.resize(width, 900).await;
            let wide = browser.run("return document.documentElement.scrollWidth").await;
            if wide.as_u64().unwrap() > u64::from(width) {
                found.push(format!("{width} px, {scheme}: the page is {wide} px wide"));
            }
            let audit = browser.audit().await;
            found.extend(audit.into_iter().map(|fault| format!("{width} px, {scheme}: {fault}")));
        }
    }
    let refused = browser.run("return window.refused").await;
    assert_eq!(refused, serde_json::json!([]), "{path}");
    assert!(found.is_empty(), "{path}:\n{}", found.join("\n"));
}
