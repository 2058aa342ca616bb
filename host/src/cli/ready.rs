//! `hookswitch ready`: whether a host is ready, for the health checks of containers and for scripts.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use clap::Args;
use reqwest::{Client, StatusCode, Url, redirect::Policy};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::timeout;

use super::failure::Failure;
use crate::config::ListenConfig;

/// How long to wait for an answer. A host itself waits up to 2 s for PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(4);
/// Maximum size of an answer in bytes.
const LIMIT: usize = 64 * 1024;

/// The arguments of `hookswitch ready`.
#[derive(Args, Debug)]
#[command(
    long_about = "Check whether a host is ready, for health checks\n\nIt requests /readyz of a running host and waits up \
                  to 4 seconds for the answer.",
    after_help = "The status is 0 if the host accepts events, routes and sends; 1 if it does not; 2 for usage errors."
)]
pub struct ReadyArgs {
    /// URL of the host, for example http://host:8420 [default: the address of --listen on this machine]
    #[arg(long, value_name = "URL", value_parser = base)]
    url: Option<Url>,

    #[command(flatten)]
    listen: ListenConfig,
}

/// Asks a host and prints whether it is ready.
///
/// # Errors
/// Why it is not ready, in its own words, or why it does not answer.
pub async fn run(args: ReadyArgs) -> anyhow::Result<ExitCode> {
    let urls = match args.url {
        Some(url) => vec![url],
        None => own(args.listen.address().map_err(Failure::usage)?)?,
    };
    // Fails if one is already installed, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A proxy would look for a host on its own 127.0.0.1.
    let mut client = Client::builder().no_proxy().redirect(Policy::none());
    if urls.iter().all(|url| url.scheme() == "http") {
        // Reading all certificates of the machine takes longer than the request.
        client = client.tls_certs_only([]);
    }
    let client = client.build().context("cannot set up TLS")?;
    let answer = timeout(PATIENCE, first(&client, &urls)).await;
    answer.unwrap_or_else(|_| bail!("the host does not answer within {} s", PATIENCE.as_secs()))
}

/// The URL of a host.
fn base(text: &str) -> Result<Url, String> {
    let plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.username().is_empty()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    let url = Url::parse(text).ok().filter(plain);
    url.ok_or_else(|| "expected a URL, for example http://host:8420".to_owned())
}

/// The URLs of a host of this machine, by the address on which it listens: one of them reaches it.
fn own(listens: SocketAddr) -> Result<Vec<Url>, Failure> {
    let addresses = match listens.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => vec![Ipv4Addr::LOCALHOST.into()],
        // The host takes both; a container may lack one of them.
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
        address => vec![address],
    };
    let url =
        |address: IpAddr| Url::parse(&format!("http://{}", SocketAddr::new(address, listens.port()))).ok();
    let urls: Vec<Url> = addresses.into_iter().filter_map(url).collect();
    if listens.port() == 0 || urls.is_empty() {
        return Err(
            Failure::usage(format!("{listens} is not the address of one host")).help("name its URL: --url")
        );
    }
    Ok(urls)
}

/// The judgement of the first URL that is reached.
async fn first(client: &Client, urls: &[Url]) -> anyhow::Result<ExitCode> {
    let mut unreached = anyhow!("no URL");
    for url in urls {
        let shown = url.as_str().trim_end_matches('/');
        match ask(client, shown).await {
            Ok(answer) => return answer.judge(shown),
            Err(error) => {
                // The other causes only wrap the last one.
                let error = anyhow::Error::from(error.without_url());
                unreached = anyhow!("cannot reach the host at {shown}: {}", error.root_cause());
            }
        }
    }
    Err(unreached)
}

/// What a host answers: its health, or a problem.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    #[serde(skip)]
    http: StatusCode,
    /// `ok`; of a problem, its HTTP status.
    status: Value,
    code: String,
    detail: String,
}

async fn ask(client: &Client, url: &str) -> reqwest::Result<Answer> {
    let mut response = client.get(format!("{url}/readyz")).send().await?;
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await?
        && body.len() < LIMIT
    {
        body.extend_from_slice(&chunk);
    }
    // Whatever is not JSON is the answer of another program.
    let answer: Answer = serde_json::from_slice(&body).unwrap_or_default();
    Ok(Answer { http: response.status(), ..answer })
}

impl Answer {
    fn judge(self, url: &str) -> anyhow::Result<ExitCode> {
        if self.http == StatusCode::OK && self.status == "ok" {
            println!("ready");
            return Ok(ExitCode::SUCCESS);
        }
        let failure = match self.code.as_str() {
            "not_ready" => Failure::new(format!("the host at {url} is not ready")).help(self.detail),
            _ => Failure::new(format!("no host of Hookswitch at {url}: HTTP {}", self.http.as_u16())),
        };
        Err(failure.into())
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn a_host_is_asked_where_it_listens() {
        let asked = |address: &str| {
            let urls = own(address.parse().unwrap()).unwrap();
            urls.iter().map(Url::as_str).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(asked("127.0.0.2:8420"), "http://127.0.0.2:8420/");
        assert_eq!(asked("0.0.0.0:80"), "http://127.0.0.1/");
        assert_eq!(asked("[::]:8420"), "http://[::1]:8420/ http://127.0.0.1:8420/");
        assert_eq!(asked("[fd00::1]:8420"), "http://[fd00::1]:8420/");
        for wrong in ["127.0.0.1:0", "[fe80::1%2]:8420"] {
            assert!(own(wrong.parse().unwrap()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn only_urls_name_hosts() {
        for url in ["http://host:8420", "https://notify.example.org/", "http://[::1]:8420/behind"] {
            assert!(base(url).is_ok(), "{url}");
        }
        for wrong in
            ["", "host:8420", "ftp://host", "http://", "http://ann@host", "http://host?x", "http://host#x"]
        {
            assert!(base(wrong).is_err(), "{wrong}");
        }
    }
}
