//! All routes, compiled: matched by the type of an event, and called one after the other.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Instant,
};

use rhai::{Dynamic, Engine};
use serde_json::Value;

use super::{
    calls::Functions,
    engine,
    expression::{Expression, Names, Unanswered, scope_of},
    lets::let_through,
    library::{self, FOLDER as LIBRARY},
    plugin::Plugin,
    ports::{Call, Ports},
    reply,
    route::{self, Plain},
    route_source::{RouteSource, RuleSource},
    script::Script,
    source::{RuleError, Source},
    value,
    withdrawal::Withdrawal,
};
use crate::bounds::{REASON, cut, on_author_stack};
use crate::domain::{self, Asked, Event, Outcome, RuleRef, Verdict, closest};

/// Maximum number of verdicts about one event, of all rules together.
const VERDICTS: usize = 1_000;

/// Compiled routes and scripts, and the engine that runs them. Immutable; cheap to clone.
#[derive(Clone)]
pub struct Routes(Arc<Compiled>);

struct Compiled {
    engine: Engine,
    functions: Functions,
    /// In the order of folder, file and line.
    routes: Vec<Route>,
    /// Routes for one exact type, by that type.
    exact: HashMap<String, Vec<usize>>,
    /// Prefixes of types (`payment.`, or empty for all), and their routes.
    prefixes: Vec<(String, usize)>,
}

struct Route {
    folder: String,
    reference: RuleRef,
    when: Option<Expression>,
    rule: Rule,
}

enum Rule {
    Plain(Box<Plain>),
    Cancel(Withdrawal),
    Script(Arc<Script>),
    Plugin(Plugin),
}

impl Routes {
    /// Compiles routes, in their order, and scripts, by their paths relative to the rules folder; those of the library are
    /// functions for all others. Returns the routes without errors, and all errors.
    pub fn compile(
        sources: &[RouteSource],
        scripts: &BTreeMap<String, Source>,
        plugins: &BTreeMap<String, Plugin>,
    ) -> (Routes, Vec<RuleError>) {
        on_author_stack(|| Self::compile_all(sources, scripts, plugins))
    }

    /// Evaluates an expression with the event, as a case of the library does. An error has its place.
    ///
    /// # Errors
    /// If it does not compile, or fails.
    pub fn evaluate(&self, source: &Source, event: &Event, ports: &dyn Ports) -> Result<Value, RuleError> {
        let Compiled { engine, functions, .. } = &*self.0;
        let error = |message: String| RuleError { place: source.place.clone(), message, help: None };
        let evaluate = || {
            let mut errors = Vec::new();
            let Some(expression) =
                Expression::compile(engine, functions, source, Names::default(), &mut errors)
            else {
                return Err(errors
                    .into_iter()
                    .next()
                    .unwrap_or_else(|| error("it does not compile".to_owned())));
            };
            let value =
                value::of_event(event).map_err(|why| error(format!("cannot read the event: {why}")))?;
            match expression.json(engine, &mut scope_of(value)) {
                Ok(value) => Ok(value),
                Err(Unanswered::Skip(why)) => Err(error(format!("skip: {why}"))),
                Err(Unanswered::Failed(error)) => Err(error),
            }
        };
        Call::run(ports, LIBRARY, evaluate).0
    }

    fn compile_all(
        sources: &[RouteSource],
        scripts: &BTreeMap<String, Source>,
        plugins: &BTreeMap<String, Plugin>,
    ) -> (Routes, Vec<RuleError>) {
        let mut engine = engine::build();
        let mut errors = Vec::new();
        let (of_library, scripts): (BTreeMap<_, _>, BTreeMap<_, _>) =
            scripts.clone().into_iter().partition(|(path, _)| library::is_of(path));
        let functions = library::load(&mut engine, &of_library, &mut errors);
        let mut compiled_scripts = BTreeMap::new();
        for (path, source) in &scripts {
            let script = Script::compile(&engine, &functions, source, &mut errors);
            compiled_scripts.insert(path.as_str(), script.map(Arc::new));
        }
        let mut compiled =
            Compiled { engine, functions, routes: Vec::new(), exact: HashMap::new(), prefixes: Vec::new() };
        for source in sources {
            let Some(route) = compiled.route(source, &compiled_scripts, plugins, &mut errors) else {
                continue;
            };
            compiled.add(route, &source.on, &mut errors);
        }
        (Routes(Arc::new(compiled)), errors)
    }

    /// Whether a route is for events of this type, whatever its condition.
    pub fn are_for(&self, kind: &str) -> bool {
        !self.0.matching(kind).is_empty()
    }

    /// Number of routes.
    pub fn len(&self) -> usize {
        self.0.routes.len()
    }

    /// Whether there are no routes.
    pub fn is_empty(&self) -> bool {
        self.0.routes.is_empty()
    }

    /// The rules that decide, each once.
    pub fn rules(&self) -> impl Iterator<Item = &RuleRef> {
        let mut seen = BTreeSet::new();
        let rules = self.0.routes.iter().map(|route| &route.reference);
        rules.filter(move |rule| seen.insert((rule.file.as_str(), rule.line)))
    }

    /// The type of event that was probably meant by one that no route is for.
    pub fn closest_type(&self, kind: &str) -> Option<&str> {
        let mut exact: Vec<&str> = self.0.exact.keys().map(String::as_str).collect();
        exact.sort_unstable();
        closest(kind, exact)
    }

    /// Ids of the plugins that are called for events of this type.
    pub fn plugins(&self, kind: &str) -> BTreeSet<&str> {
        let routes = self.0.matching(kind).into_iter().map(|index| &self.0.routes[index].rule);
        routes
            .filter_map(|rule| match rule {
                Rule::Plugin(plugin) => Some(plugin.manifest().id.as_str()),
                Rule::Plain(_) | Rule::Cancel(_) | Rule::Script(_) => None,
            })
            .collect()
    }

    /// The verdicts of all routes for an event.
    pub(super) fn decide(&self, event: &Event, ports: &dyn Ports) -> Vec<Verdict> {
        let matching = self.0.matching(&event.kind);
        let Some((&last, others)) = matching.split_last() else {
            return vec![Verdict { rule: None, outcome: Outcome::NoRoute, asked: [].into() }];
        };
        let mut verdicts = Vec::new();
        let mut full = false;
        let mut decided = |index: usize, value| {
            if full {
                return;
            }
            let route = &self.0.routes[index];
            verdicts.extend(self.0.verdicts(route, event, value, ports));
            if verdicts.len() > VERDICTS {
                full = true;
                verdicts.truncate(VERDICTS - 1);
                let why = format!(
                    "the rules made more than {VERDICTS} decisions about one event; the rest are dropped"
                );
                let rule = Some(route.reference.clone());
                verdicts.push(Verdict { rule, outcome: Outcome::Failed(why), asked: [].into() });
            }
        };
        match value::of_event(event) {
            Ok(value) => {
                others.iter().for_each(|&index| decided(index, Ok(value.clone())));
                decided(last, Ok(value));
            }
            Err(error) => {
                let why = format!("cannot read the event: {error}");
                matching.iter().for_each(|&index| decided(index, Err(why.clone())));
            }
        }
        verdicts
    }
}

/// Cuts a long reason.
fn in_bounds(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Skip(why) => Outcome::Skip(cut(&why, REASON)),
        Outcome::Failed(why) => Outcome::Failed(cut(&why, REASON)),
        Outcome::Parked { plugin, why, is_stopped } => {
            Outcome::Parked { plugin, why: cut(&why, REASON), is_stopped }
        }
        other => other,
    }
}

impl Compiled {
    fn route(
        &self,
        source: &RouteSource,
        scripts: &BTreeMap<&str, Option<Arc<Script>>>,
        plugins: &BTreeMap<String, Plugin>,
        errors: &mut Vec<RuleError>,
    ) -> Option<Route> {
        let before = errors.len();
        let functions = &self.functions;
        let lets = source.lets();
        let defined: Vec<&str> =
            lets.iter().flat_map(|lets| &lets.values).map(|(name, _)| name.text.as_str()).collect();
        let names = match lets {
            Some(lets) if lets.before_when => Names { known: &defined, later: &[] },
            _ => Names { known: &[], later: &defined },
        };
        let when = source.when.as_ref();
        let when = when.and_then(|when| Expression::compile(&self.engine, functions, when, names, errors));
        let when_is_wrong = errors.len() > before;
        let place = &source.on.first()?.place;
        let (engine, file, line, rule) = match &source.rule {
            RuleSource::Plain(plain) => {
                let plain = Plain::compile(&self.engine, functions, plain, errors)?;
                (domain::Engine::Route, &place.file, place.line, Rule::Plain(Box::new(plain)))
            }
            RuleSource::Cancel(cancel) => {
                let cancel = Withdrawal::compile(&self.engine, functions, cancel, errors)?;
                (domain::Engine::Route, &place.file, place.line, Rule::Cancel(cancel))
            }
            RuleSource::Script(path) => {
                let Some(script) = scripts.get(path.text.as_str()) else {
                    let known = scripts.keys().map(|path| path.rsplit('/').next().unwrap_or(path));
                    let name = path.text.rsplit('/').next().unwrap_or(&path.text);
                    errors.push(RuleError {
                        place: path.place.clone(),
                        message: format!("unknown script `{}`", path.text),
                        help: Some(match closest(name, known) {
                            Some(close) => format!("did you mean `{close}`?"),
                            None => format!("create `{}`", path.text),
                        }),
                    });
                    return None;
                };
                let script = script.clone()?;
                let place = script.place();
                (domain::Engine::Script, &place.file.clone(), place.line, Rule::Script(script))
            }
            RuleSource::Plugin(id) => {
                let Some(plugin) = plugins.get(&id.text) else {
                    errors.push(RuleError {
                        place: id.place.clone(),
                        message: format!("unknown plugin `{}`", id.text),
                        help: Some(match closest(&id.text, plugins.keys().map(String::as_str)) {
                            Some(close) => format!("did you mean `{close}`?"),
                            None => format!("build it, if it exists: hookswitch plugin build {}", id.text),
                        }),
                    });
                    return None;
                };
                let place = &plugin.manifest().place;
                (domain::Engine::Plugin, &place.file.clone(), place.line, Rule::Plugin(plugin.clone()))
            }
        };
        let reference = RuleRef { engine, file: file.to_string(), line };
        (!when_is_wrong).then(|| Route { folder: source.folder.clone(), reference, when, rule })
    }

    fn add(&mut self, route: Route, on: &[Source], errors: &mut Vec<RuleError>) {
        let index = self.routes.len();
        self.routes.push(route);
        for kind in on {
            if kind.text == "*" {
                self.prefixes.push((String::new(), index));
            } else if let Some(prefix) = kind.text.strip_suffix('*').filter(|prefix| prefix.ends_with('.')) {
                self.prefixes.push((prefix.to_owned(), index));
            } else if kind.text.contains('*') || kind.text.trim().is_empty() {
                errors.push(RuleError {
                    place: kind.place.clone(),
                    message: format!("`{}` is not an event type", kind.text),
                    help: Some(
                        "`*` can only stand at the end: `order.created`, `payment.*` or `*`".to_owned(),
                    ),
                });
            } else {
                self.exact.entry(kind.text.clone()).or_default().push(index);
            }
        }
    }

    fn matching(&self, kind: &str) -> Vec<usize> {
        let mut matching = self.exact.get(kind).cloned().unwrap_or_default();
        let longer = |prefix: &str| kind.len() > prefix.len() && kind.starts_with(prefix);
        matching.extend(self.prefixes.iter().filter(|(prefix, _)| longer(prefix)).map(|(_, index)| index));
        matching.sort_unstable();
        matching.dedup();
        matching
    }

    fn verdicts(
        &self,
        route: &Route,
        event: &Event,
        value: Result<Dynamic, String>,
        ports: &dyn Ports,
    ) -> Vec<Verdict> {
        let began = Instant::now();
        let (outcomes, asked) = match value {
            Ok(value) if let Rule::Plugin(plugin) = &route.rule => {
                self.ask_plugin(route, plugin, event, value, ports)
            }
            Ok(value) => Call::run(ports, &route.folder, || {
                self.outcomes(route, value).unwrap_or_else(|error| vec![Outcome::Failed(error.to_string())])
            }),
            Err(why) => (vec![Outcome::Failed(why)], Vec::new()),
        };
        ports.took(&route.reference, began.elapsed());
        let asked: Arc<[Asked]> = asked.into();
        let verdict = |outcome| Verdict {
            rule: Some(route.reference.clone()),
            outcome: in_bounds(reply::addressed(outcome, event)),
            asked: asked.clone(),
        };
        outcomes.into_iter().map(verdict).collect()
    }

    fn ask_plugin(
        &self,
        route: &Route,
        plugin: &Plugin,
        event: &Event,
        value: Dynamic,
        ports: &dyn Ports,
    ) -> (Vec<Outcome>, Vec<Asked>) {
        if let Some(when) = &route.when {
            let (instead, asked) =
                Call::run(ports, &route.folder, || let_through(when, &self.engine, &mut scope_of(value)));
            match instead {
                Ok(None) => {}
                Ok(Some(instead)) => return (vec![instead], asked),
                Err(error) => return (vec![Outcome::Failed(error.to_string())], asked),
            }
        }
        plugin.decide(event, ports)
    }

    fn outcomes(&self, route: &Route, event: Dynamic) -> Result<Vec<Outcome>, RuleError> {
        let engine = &self.engine;
        match &route.rule {
            Rule::Plain(plain) => {
                let scope = &mut scope_of(event);
                route::outcome(plain, route.when.as_ref(), engine, scope).map(|outcome| vec![outcome])
            }
            Rule::Cancel(withdrawal) => {
                let scope = &mut scope_of(event);
                withdrawal.outcome(route.when.as_ref(), engine, scope).map(|outcome| vec![outcome])
            }
            Rule::Plugin(_) => Ok(Vec::new()),
            Rule::Script(script) => {
                if let Some(when) = &route.when
                    && let Some(instead) = let_through(when, engine, &mut scope_of(event.clone()))?
                {
                    return Ok(vec![instead]);
                }
                script.decide(engine, event)
            }
        }
    }
}
