//! Whether a link to a file leads anywhere, before Meta is asked to fetch it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use hookswitch_core::decide::plugin::{HttpError, is_public};
use reqwest::{Client, StatusCode, Url, redirect::Policy};

use super::{PublicOnly, in_words};

/// How long to wait for an answer.
const TIME: Duration = Duration::from_secs(3);
/// Maximum number of links to look at in one go.
const LINKS: usize = 50;

/// Asks each of these links for its head, all at once; returns those that are broken, with the reason.
///
/// Only public addresses are asked, as Meta reaches no others.
pub async fn broken(links: &[&str]) -> Vec<(String, String)> {
    // Fails if one is already installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .user_agent(concat!("hookswitch/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .no_proxy()
        .timeout(TIME)
        .dns_resolver(Arc::new(PublicOnly))
        .build();
    let Ok(client) = client else { return Vec::new() };
    let looks =
        links.iter().take(LINKS).map(async |link| Some(((*link).to_owned(), look(&client, link).await?)));
    join_all(looks).await.into_iter().flatten().collect()
}

/// Why a link is broken.
async fn look(client: &Client, link: &str) -> Option<String> {
    let Ok(url) = Url::parse(link) else { return Some("it is not a valid URL".to_owned()) };
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = host.parse::<IpAddr>()
        && !is_public(address)
    {
        return Some(format!("{address} is not a public address"));
    }
    match client.head(url).send().await {
        Ok(answer) => says(answer.status()),
        Err(error) => Some(match in_words(&error) {
            HttpError::Denied(why) | HttpError::Failed(why) => why,
            HttpError::Timeout | HttpError::TooLarge => "its server does not answer in time".to_owned(),
        }),
    }
}

/// What the status of an answer says against a link. Many servers answer HEAD with some other error.
fn says(status: StatusCode) -> Option<String> {
    let is_gone = [StatusCode::NOT_FOUND, StatusCode::GONE, StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN];
    is_gone.contains(&status).then(|| format!("its server answers {status}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_about_the_file_itself_counts_against_a_link() {
        assert_eq!(says(StatusCode::NOT_FOUND).as_deref(), Some("its server answers 404 Not Found"));
        assert!(says(StatusCode::FORBIDDEN).is_some());
        for status in [StatusCode::OK, StatusCode::METHOD_NOT_ALLOWED, StatusCode::BAD_GATEWAY] {
            assert_eq!(says(status), None);
        }
    }
}
