//! Addresses to which a plugin may send requests.

use std::{fmt, net::IpAddr};

use url::Url;

/// An entry of the allow-list: `scheme://host:port`; `*.` before the host allows its subdomains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    scheme: String,
    host: String,
    subdomains: bool,
    port: u16,
}

impl Allowed {
    /// Parses an entry. The default port is that of the scheme.
    ///
    /// # Errors
    /// If it is not a valid entry.
    pub fn parse(text: &str) -> Result<Allowed, String> {
        let wrong = || {
            format!(
                "expected an address, for example https://api.example.com or https://*.example.com:8443, got `{text}`"
            )
        };
        let (scheme, rest) = text.split_once("://").ok_or_else(wrong)?;
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(format!("the address must begin with https:// or http://, got `{text}`")),
        };
        if rest.contains(['/', '?', '#', '@']) {
            return Err(format!("the address must have only a scheme, a host and a port, got `{text}`"));
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
                (host, port.parse().map_err(|_| wrong())?)
            }
            _ => (rest, default_port),
        };
        let (subdomains, host) = match host.strip_prefix("*.") {
            Some(host) => (true, host),
            None => (false, host),
        };
        if host.is_empty() || host.contains('*') || port == 0 {
            return Err(wrong());
        }
        Ok(Allowed { scheme: scheme.to_owned(), host: host.to_ascii_lowercase(), subdomains, port })
    }

    /// Whether the entry allows a request to this scheme, host and port.
    pub fn allows(&self, scheme: &str, host: &str, port: u16) -> bool {
        let host = host.to_ascii_lowercase();
        let same = if self.subdomains {
            host.strip_suffix(&self.host).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
        } else {
            host == self.host
        };
        same && scheme == self.scheme && port == self.port
    }

    /// Whether a request to this URL is meant.
    pub fn allows_url(&self, url: &Url) -> bool {
        let host = url.host_str().zip(url.port_or_known_default());
        host.is_some_and(|(host, port)| self.allows(url.scheme(), host, port))
    }

    /// Whether some address is allowed by both entries.
    pub fn overlaps(&self, other: &Allowed) -> bool {
        self.allows(&other.scheme, &other.host, other.port)
            || other.allows(&self.scheme, &self.host, self.port)
            || self == other
    }

    /// `host:port`, if the entry names `localhost` or an address that is not public, for which the operator must name the
    /// host.
    pub fn private_host(&self) -> Option<String> {
        let literal: Option<IpAddr> = self.host.trim_matches(['[', ']']).parse().ok();
        let is_private = self.host == "localhost" || literal.is_some_and(|address| !is_public(address));
        (is_private && !self.subdomains).then(|| format!("{}:{}", self.host, self.port))
    }

    /// Whether the entry names one host, so that the operator can have meant a private address.
    pub fn is_literal(&self) -> bool {
        !self.subdomains
    }
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.subdomains { "*." } else { "" };
        write!(f, "{}://{star}{}:{}", self.scheme, self.host, self.port)
    }
}

/// Whether an address is on the public internet: not loopback, private, link-local, shared (RFC 6598), documentation,
/// benchmarking, multicast or reserved (IANA's special-purpose registries).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (18..20).contains(&b))
                || a >= 240)
        }
        IpAddr::V6(v6) => {
            // Mapped, NAT64 and 6to4 addresses count as the IPv4 address that they contain.
            let segments = v6.segments();
            if let Some(v4) = v6.to_ipv4_mapped() {
                return is_public(IpAddr::V4(v4));
            }
            let v4 = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                IpAddr::V4(std::net::Ipv4Addr::new(a, b, c, d))
            };
            if segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
                return is_public(v4(segments[6], segments[7]));
            }
            if segments[0] == 0x2002 {
                return is_public(v4(segments[1], segments[2]));
            }
            // Only 2000::/3 is assigned; within it, 2001::/23 and 2001:db8::/32 are not for hosts.
            segments[0] & 0xe000 == 0x2000
                && !(segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8))
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn entries_allow_what_they_say() {
        let exact = Allowed::parse("https://API.example.com").unwrap();
        assert!(exact.allows("https", "api.example.com", 443));
        assert!(!exact.allows("http", "api.example.com", 443));
        assert!(!exact.allows("https", "api.example.com", 8443));
        assert!(!exact.allows("https", "x.api.example.com", 443));
        let sub = Allowed::parse("https://*.example.com:8443").unwrap();
        assert!(sub.allows("https", "a.b.example.com", 8443));
        assert!(!sub.allows("https", "example.com", 8443));
        assert!(!sub.allows("https", "evilexample.com", 8443));
        assert_eq!(sub.to_string(), "https://*.example.com:8443");
        for wrong in [
            "example.com",
            "ftp://x",
            "https://",
            "https://x/y",
            "https://u@x",
            "https://a.*.x",
            "https://x:0",
        ] {
            assert!(Allowed::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn private_addresses_are_known_in_all_their_forms() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "192.0.0.8",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "2002:808:808::1", "64:ff9b::808:808"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }
}
