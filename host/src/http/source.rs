//! Which sources belong to whom.

use percent_encoding::percent_decode_str;

/// Below this, events are the system's own.
const OWN: &str = "hookswitch";

/// Whether a source is `/hookswitch` or below it, however it is spelt: percent-encoded, with dot segments, empty
/// segments, or capitals. No key may use such a source, since rules trust what the system says itself.
pub fn is_reserved(source: &str) -> bool {
    segments(source).first().is_some_and(|first| first.eq_ignore_ascii_case(OWN.as_bytes()))
}

/// Whether a source is `top` or below it. `/shop` holds `/shop` and `/shop/orders`, and not `/shopping` or
/// `/shop/../erp`.
pub fn is_within(source: &str, top: &str) -> bool {
    segments(source).starts_with(&segments(top))
}

/// The segments of a URI-reference's path (RFC 3986, 6.2.2), without query and fragment; of a whole URI, scheme and
/// authority come first.
fn segments(source: &str) -> Vec<Vec<u8>> {
    let path = source.split(['?', '#']).next().unwrap_or_default();
    let mut segments = Vec::new();
    for segment in path.split('/') {
        let segment: Vec<u8> = percent_decode_str(segment).collect();
        match segment.as_slice() {
            b"" | b"." => {}
            b".." => drop(segments.pop()),
            _ => segments.push(segment),
        }
    }
    segments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_source_is_reserved_in_every_spelling() {
        for own in [
            "/hookswitch",
            "/hookswitch/",
            "/hookswitch/schedules",
            "/Hookswitch",
            "//hookswitch",
            "hookswitch",
            "/%68ookswitch",
            "/%48OOKSWITCH/x",
            "/./hookswitch",
            "/shop/../hookswitch",
            "/../hookswitch",
            "/shop/%2e%2E/hookswitch",
            "/hookswitch?x",
            "/hookswitch#x",
        ] {
            assert!(is_reserved(own), "{own}");
        }
        for free in [
            "/",
            "/shop",
            "/hookswitches",
            "/hookswitch2",
            "/shop/hookswitch",
            "/%2568ookswitch",
            "https://x/hookswitch",
        ] {
            assert!(!is_reserved(free), "{free}");
        }
    }

    #[test]
    fn a_source_holds_what_is_below_it() {
        for (source, top) in [
            ("/shop", "/shop"),
            ("/shop/orders", "/shop"),
            ("/shop/", "/shop"),
            ("/%73hop", "/shop"),
            ("https://a.example/x", "https://a.example/"),
        ] {
            assert!(is_within(source, top), "{source} within {top}");
        }
        for (source, top) in [
            ("/shopping", "/shop"),
            ("/Shop", "/shop"),
            ("/", "/shop"),
            ("/shop/../erp", "/shop"),
            ("https://b.example", "https://a.example"),
        ] {
            assert!(!is_within(source, top), "{source} not within {top}");
        }
    }
}
