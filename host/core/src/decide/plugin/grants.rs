//! Grants of the operator to plugins. A manifest only requests: without a grant no request is sent and no secret used.

use super::{Allowed, Manifest};

/// Grants, written as `PLUGIN=ADDRESS` (the plugin may send requests there) or `PLUGIN:SECRET=ADDRESS` (with the secret).
#[derive(Clone, Debug, Default)]
pub struct Grants(Vec<Grant>);

#[derive(Clone, Debug)]
struct Grant {
    plugin: String,
    secret: Option<String>,
    to: Allowed,
}

impl Grants {
    /// Parses grants.
    ///
    /// # Errors
    /// If one of them is not valid.
    pub fn parse(texts: &[String]) -> Result<Grants, String> {
        let texts = texts.iter().map(|text| text.trim()).filter(|text| !text.is_empty());
        texts.map(Grant::parse).collect::<Result<_, _>>().map(Grants)
    }

    /// Whether a plugin may send requests to this scheme, host and port.
    pub fn allows(&self, plugin: &str, scheme: &str, host: &str, port: u16) -> bool {
        self.of(plugin).any(|grant| grant.to.allows(scheme, host, port))
    }

    /// Whether a plugin's request to this scheme, host and port may contain a secret.
    pub fn gives(&self, plugin: &str, secret: &str, scheme: &str, host: &str, port: u16) -> bool {
        self.of(plugin)
            .any(|grant| grant.secret.as_deref() == Some(secret) && grant.to.allows(scheme, host, port))
    }

    /// The grants that a manifest requests and that are missing, in the form in which the operator adds them.
    pub fn missing(&self, manifest: &Manifest) -> Vec<String> {
        let Manifest { id, http, secrets, .. } = manifest;
        let known = |secret: &&String| self.of(id).any(|grant| grant.secret.as_ref() == Some(secret));
        let wanted: Vec<&String> = secrets.iter().filter(|secret| !known(secret)).collect();
        let mut missing = Vec::new();
        for to in http {
            if !wanted.is_empty() {
                missing.extend(wanted.iter().map(|secret| format!("{id}:{secret}={to}")));
            } else if !self.of(id).any(|grant| grant.to.overlaps(to)) {
                missing.push(format!("{id}={to}"));
            }
        }
        missing
    }

    fn of<'a>(&'a self, plugin: &'a str) -> impl Iterator<Item = &'a Grant> {
        self.0.iter().filter(move |grant| grant.plugin == plugin)
    }
}

impl Grant {
    fn parse(text: &str) -> Result<Grant, String> {
        let wrong = || {
            format!(
                "`{text}` is not a grant: expected PLUGIN=ADDRESS or PLUGIN:SECRET=ADDRESS, \
                 for example stock-webhook:STOCK_KEY=https://stock.example.com"
            )
        };
        let (what, to) = text.split_once('=').ok_or_else(wrong)?;
        let (plugin, secret) = match what.split_once(':') {
            Some((plugin, secret)) => (plugin, Some(secret)),
            None => (what, None),
        };
        if plugin.is_empty() || secret.is_some_and(|secret| !is_secret_name(secret)) {
            return Err(wrong());
        }
        let to = Allowed::parse(to).map_err(|why| format!("invalid grant `{text}`: {why}"))?;
        Ok(Grant { plugin: plugin.to_owned(), secret: secret.map(str::to_owned), to })
    }
}

/// Whether a name can follow `HOOKSWITCH_SECRET_` in a variable: 1 to 64 letters, digits and underscores.
pub fn is_secret_name(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::decide::{
        Place,
        plugin::{Limits, OnFailure},
    };

    fn grants(texts: &[&str]) -> Grants {
        Grants::parse(&texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn manifest(http: &[&str], secrets: &[&str]) -> Manifest {
        Manifest {
            id: "stock".to_owned(),
            version: "1".to_owned(),
            on: Vec::new(),
            config: Default::default(),
            limits: Limits::default(),
            http: http.iter().map(|to| Allowed::parse(to).unwrap()).collect(),
            lookup: Default::default(),
            secrets: secrets.iter().map(|secret| (*secret).to_owned()).collect(),
            on_failure: OnFailure::Park,
            owner: "Tests".to_owned(),
            place: Place::start_of("plugins/stock/plugin.yaml"),
        }
    }

    #[test]
    fn nothing_is_granted_that_is_not_written() {
        let grants = grants(&["stock:KEY=https://a.example.com", "stock=https://*.b.example.com", ""]);
        assert!(grants.allows("stock", "https", "a.example.com", 443));
        assert!(grants.allows("stock", "https", "x.b.example.com", 443));
        assert!(!grants.allows("stock", "https", "c.example.com", 443));
        assert!(!grants.allows("other", "https", "a.example.com", 443));
        assert!(grants.gives("stock", "KEY", "https", "a.example.com", 443));
        assert!(!grants.gives("stock", "KEY", "https", "x.b.example.com", 443));
        assert!(!grants.gives("stock", "OTHER", "https", "a.example.com", 443));
        for wrong in ["stock", "=https://a", "stock:=https://a", "stock:a-b=https://a", "stock=a.example.com"]
        {
            assert!(Grants::parse(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_is_told_as_it_is_to_be_written() {
        let none = Grants::default();
        assert_eq!(none.missing(&manifest(&["https://a"], &["KEY"])), ["stock:KEY=https://a:443"]);
        assert_eq!(none.missing(&manifest(&["https://a"], &[])), ["stock=https://a:443"]);
        assert_eq!(none.missing(&manifest(&[], &["KEY"])), [""; 0]);
        let some = grants(&["stock:KEY=https://a"]);
        assert_eq!(some.missing(&manifest(&["https://a", "https://b"], &["KEY"])), ["stock=https://b:443"]);
        // The operator may grant less than a wildcard asks for.
        assert_eq!(grants(&["stock=https://x.a"]).missing(&manifest(&["https://*.a"], &[])), [""; 0]);
    }
}
