//! The names by which a listener may be addressed.
//!
//! A page of a stranger can give its own name the address 127.0.0.1 and then read what a listener on loopback answers, as a
//! page of the same origin (DNS rebinding). The name in the header `Host` is still the stranger's: it is refused.

use std::net::IpAddr;

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, Uri, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};

use super::Problem;

/// This machine, and one further name.
#[derive(Clone, Debug)]
pub struct Hosts {
    further: Option<String>,
}

impl Hosts {
    /// This machine and `further`: a name or an address, without a port.
    pub fn new(further: Option<&str>) -> Hosts {
        Hosts { further: further.map(str::to_ascii_lowercase) }
    }

    /// The routes, for requests that name one of these hosts. All others get 421, whatever their path.
    pub fn only(self, routes: Router) -> Router {
        routes.layer(from_fn_with_state(self, check))
    }

    /// Whether a host, without its port, is one of these.
    fn contain(&self, host: &str) -> bool {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        address.is_ok_and(|address| address.is_loopback())
            || host.eq_ignore_ascii_case("localhost")
            || self.further.as_deref().is_some_and(|further| host.eq_ignore_ascii_case(further))
    }
}

async fn check(State(hosts): State<Hosts>, request: Request, next: Next) -> Response {
    // A target in absolute form says where the request goes, whatever the header says: both must be ours.
    let named = request.headers().get(header::HOST).and_then(|value| host_of(value.to_str().ok()?));
    let target = request.uri().host();
    if named.is_some_and(|named| hosts.contain(&named)) && target.is_none_or(|target| hosts.contain(target)) {
        return next.run(request).await;
    }
    let detail =
        "This listener does not serve the host that the request names; see the setting HOOKSWITCH_ADMIN_URL.";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "wrong_host", detail).into_response()
}

/// The host of a header, without its port.
fn host_of(value: &str) -> Option<String> {
    let uri: Uri = value.parse().ok()?;
    let authority = uri.authority().filter(|authority| authority.as_str() == value)?;
    (!value.contains('@')).then(|| authority.host().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_and_the_named_host_are_served() {
        let hosts = Hosts::new(Some("Console.example.org"));
        let serves = |value: &str| host_of(value).is_some_and(|host| hosts.contain(&host));
        for ours in [
            "localhost",
            "LOCALHOST:8422",
            "127.0.0.1:8422",
            "127.9.9.9",
            "[::1]:8422",
            "console.example.org",
            "console.example.org:443",
        ] {
            assert!(serves(ours), "{ours}");
        }
        for strange in [
            "",
            "evil.example",
            "evil.example:8422",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "10.0.0.7:8422",
            "[::2]",
            "localhost@evil.example",
            "evil.example@localhost",
            "evil.example/localhost",
            "http://localhost",
        ] {
            assert!(!serves(strange), "{strange}");
        }
        assert!(!Hosts::new(None).contain("console.example.org"));
    }
}
