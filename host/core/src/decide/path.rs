//! Expressions that only name a value, as most of those in routes do: read without the engine.

use rhai::{Dynamic, Map, Scope};

/// Names in a path, at most.
const NAMES: usize = 16;

/// A path such as `event.data.order.id`.
pub struct Path {
    variable: String,
    names: Vec<String>,
}

impl Path {
    /// The path that a compiled expression is, if it is no more than that.
    pub fn of(text: &str) -> Option<Path> {
        let is_name = |name: &&str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        let mut names = text.trim().split('.');
        let variable = names.next().filter(is_name)?.to_owned();
        let names: Option<Vec<String>> =
            names.map(|name| Some(name).filter(is_name).map(str::to_owned)).collect();
        let names = names.filter(|names| (1..NAMES).contains(&names.len()))?;
        Some(Path { variable, names })
    }

    /// Shows its value; `None` where it leads through something else than maps, of which the engine knows more.
    pub fn show<T>(&self, scope: &Scope, show: impl FnOnce(&Dynamic) -> T) -> Option<T> {
        follow(scope.get(&self.variable)?, &self.names, show)
    }
}

/// What is missing is `()`, and so is all below it.
fn follow<T>(value: &Dynamic, names: &[String], show: impl FnOnce(&Dynamic) -> T) -> Option<T> {
    let Some((name, names)) = names.split_first() else { return Some(show(value)) };
    if value.is_unit() {
        return Some(show(&Dynamic::UNIT));
    }
    let map = value.read_lock::<Map>()?;
    match map.get(name.as_str()) {
        Some(value) => follow(value, names, show),
        None => Some(show(&Dynamic::UNIT)),
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use rhai::{Engine, Scope};

    use super::Path;
    use crate::decide::engine;

    fn scope(engine: &Engine) -> Scope<'static> {
        let mut scope = Scope::new();
        let event = "#{data: #{id: 7, none: (), order: #{lines: [1], to: \"ann\"}, len: 3}, type: \"note\"}";
        scope.push_constant_dynamic("event", engine.eval_expression(event).unwrap());
        scope.push_constant("total", 5_i64);
        scope
    }

    #[test]
    fn it_gives_what_the_engine_gives() {
        let engine = engine::build();
        let mut scope = scope(&engine);
        for (text, is_read) in [
            ("event.data.id", true),
            (" event.data.order.to ", true),
            ("event.data.order.lines", true),
            ("event.data", true),
            ("event.data.none.at.all", true),
            ("event.data.gone", true),
            ("event.data.gone.x", true),
            ("event.data.len", true),
            // Of these the engine knows more.
            ("event.data.id.x", false),
            ("event.data.order.to.len", false),
            ("total.x", false),
            ("nobody.x", false),
        ] {
            let read = Path::of(text).unwrap().show(&scope, |value| format!("{value:?}"));
            assert_eq!(read.is_some(), is_read, "{text}");
            if let Some(read) = read {
                let evaluated = engine.eval_expression_with_scope::<rhai::Dynamic>(&mut scope, text).unwrap();
                assert_eq!(read, format!("{evaluated:?}"), "{text}");
            }
        }
    }

    #[test]
    fn what_is_more_than_a_path_is_none() {
        let long = format!("event{}", ".x".repeat(20));
        for text in [
            "event",
            "1.5",
            "event.data[0].id",
            "first(event.data.id, 1)",
            "event?.data",
            "",
            "event.",
            long.as_str(),
        ] {
            assert!(Path::of(text).is_none(), "{text}");
        }
    }
}
