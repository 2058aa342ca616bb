//! The library: functions of `lib/*.rhai` for all scripts and expressions.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{AST, Engine, Module, Scope, Stmt};

use super::{
    calls::Functions,
    diagnosis, kinds,
    source::{Place, RuleError, Source},
};

/// Folder of the library within the rules folder.
pub const FOLDER: &str = "lib";

/// Whether a file belongs to the library.
pub fn is_of(file: &str) -> bool {
    file.strip_prefix(FOLDER).is_some_and(|rest| rest.starts_with('/'))
}

/// Compiles the files of the library, by their paths, and makes their functions known to the engine. A file with errors
/// is left out, and all of its errors are added to `errors`.
pub fn load(engine: &mut Engine, files: &BTreeMap<String, Source>, errors: &mut Vec<RuleError>) -> Functions {
    let own = Functions::of(engine);
    let mut library: BTreeMap<String, (Arc<str>, bool)> = BTreeMap::new();
    let mut compiled = Vec::new();
    for source in files.values() {
        let file = source.place.file.clone();
        let before = errors.len();
        match parsed(engine, source, errors) {
            Some(ast) => {
                let names: Vec<String> =
                    ast.iter_functions().map(|function| function.name.to_owned()).collect();
                for name in names.iter().filter(|name| is_named(name)) {
                    errors.extend(clash(name, source, &own, &library));
                }
                let compiles = errors.len() == before;
                for name in names.into_iter().filter(|name| name != "decide") {
                    library.entry(name).or_insert_with(|| (file.clone(), compiles));
                }
                if compiles {
                    compiled.push((source, ast));
                }
            }
            None => {
                library.extend(names_in(&source.text).map(|name| (name.to_owned(), (file.clone(), false))))
            }
        }
    }
    for (source, ast) in &compiled {
        // It has no statements, so nothing is evaluated.
        match Module::eval_ast_as_new(Scope::new(), ast, engine) {
            Ok(module) => drop(engine.register_global_module(module.into())),
            Err(error) => errors.push(diagnosis::of_running(error, &source.place)),
        }
    }
    let functions = Functions::of(engine).with_library(library);
    for (source, ast) in &compiled {
        functions.check(ast, &source.place, errors);
        kinds::check(ast, &source.place, errors);
    }
    functions
}

fn parsed(engine: &Engine, source: &Source, errors: &mut Vec<RuleError>) -> Option<AST> {
    let parsed = engine.compile(&source.text);
    let mut ast = parsed.map_err(|error| errors.push(diagnosis::of_parsing(&error, source, None))).ok()?;
    ast.set_source(&*source.place.file);
    let statements = ast.statements().iter().filter(|statement| !matches!(statement, Stmt::Noop(_)));
    let outside: Vec<RuleError> = statements
        .map(|statement| {
            let at = statement.position();
            RuleError {
                place: source.place.within(at.line().unwrap_or(1), at.position().unwrap_or(1)),
                message: "statement outside a function".to_owned(),
                help: Some("a file of the library has only functions: `fn name(…) { … }`".to_owned()),
            }
        })
        .collect();
    let compiles = outside.is_empty();
    errors.extend(outside);
    compiles.then_some(ast)
}

/// Whether a function has a name of its own, and is not one that another function contains.
fn is_named(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

fn clash(
    name: &str,
    source: &Source,
    own: &Functions,
    library: &BTreeMap<String, (Arc<str>, bool)>,
) -> Option<RuleError> {
    let message = match library.get(name) {
        Some((file, _)) => format!("`{name}` is also a function of {file}"),
        None if name == "decide" => "`decide` is for scripts".to_owned(),
        None if own.has(name) => format!("`{name}` is a function that all rules have already"),
        None => return None,
    };
    let help = Some("give it another name".to_owned());
    Some(RuleError { place: place_of(source, name), message, help })
}

/// The place where a function is defined.
pub fn place_of(source: &Source, name: &str) -> Place {
    let lines = source.text.lines().enumerate();
    let found = lines.filter_map(|(index, line)| {
        let at = line.find(&format!("fn {name}"))?;
        Some(source.place.within(index + 1, line[..at].chars().count() + 4))
    });
    found.into_iter().next().unwrap_or_else(|| source.place.clone())
}

/// The names of the functions in a text that does not compile.
fn names_in(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.filter_map(|line| {
        let (_, rest) = line.split_once("fn ")?;
        let name = rest.trim_start().split('(').next()?.trim_end();
        (!name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then_some(name)
    })
}
