//! The statements of the host, as they stand in its source.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::Path,
};

use syn::{
    Expr, ExprPath, ImplItemFn, ItemConst, ItemFn, ItemMod, LitStr, Macro, Token,
    parse::Parser,
    punctuated::Punctuated,
    visit::{self, Visit},
};

/// A statement, and where it stands.
pub struct Statement {
    /// `file::function`, with a number where the function has several.
    pub name: String,
    pub sql: String,
}

/// How a statement begins.
const VERBS: [&str; 5] = ["SELECT", "INSERT", "UPDATE", "DELETE", "WITH"];
/// By these a text is seen to be SQL.
const WORDS: [&str; 6] = ["SELECT ", " FROM ", " JOIN ", "INSERT INTO ", "UPDATE ", "WHERE "];

/// All statements of the files in a folder. Constants that are named in a text are put in their places; for other
/// names, `texts` has what may stand there: a statement for each.
///
/// # Panics
/// Where a text is SQL and part of no statement: it would be forgotten.
pub fn statements(folder: &Path, texts: &[(&str, &[&str])]) -> Vec<Statement> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut all = Source::default();
    for path in files {
        all.file = path.file_stem().unwrap().to_string_lossy().into_owned();
        all.function.clear();
        all.visit_file(&syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap());
    }
    let mut statements = Vec::new();
    let mut parts = HashSet::new();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for Text { place, file, text } in all.texts() {
        let is_statement =
            |sql: &String| VERBS.iter().any(|verb| sql.split_whitespace().next() == Some(verb));
        let mut used = HashSet::from([text.clone()]);
        for sql in all.expand(&file, &text, texts, &mut used).into_iter().filter(is_statement) {
            let count = counts.entry(place.clone()).or_default();
            *count += 1;
            let name = if *count == 1 { place.clone() } else { format!("{place} {count}") };
            statements.push(Statement { name, sql });
            parts.extend(used.iter().cloned());
        }
    }
    let forgotten: Vec<String> = all
        .literals
        .iter()
        .chain(all.constants.values())
        .filter(|text| WORDS.iter().any(|word| text.text.contains(word)) && !parts.contains(&text.text))
        .map(|text| format!("{}: {}", text.place, text.text))
        .collect();
    assert!(forgotten.is_empty(), "parts of no statement: {forgotten:#?}");
    statements
}

#[derive(Clone)]
struct Text {
    place: String,
    file: String,
    text: String,
}

#[derive(Default)]
struct Source {
    file: String,
    function: String,
    literals: Vec<Text>,
    /// By file and name.
    constants: HashMap<(String, String), Text>,
    /// Constants that are statements as they are: by file, function and name.
    used: Vec<(String, String, String)>,
}

impl Source {
    fn place(&self) -> String {
        format!("{}::{}", self.file, self.function)
    }

    fn constant(&self, file: &str, name: &str) -> Option<&Text> {
        let of_file = self.constants.get(&(file.to_owned(), name.to_owned()));
        of_file.or_else(|| self.constants.iter().find(|((_, other), _)| other == name).map(|(_, text)| text))
    }

    /// All that may be statements.
    fn texts(&self) -> Vec<Text> {
        let used = self.used.iter().filter_map(|(file, function, name)| {
            let Text { text, .. } = self.constant(file, name)?;
            Some(Text { place: format!("{file}::{function}"), file: file.clone(), text: text.clone() })
        });
        self.literals.iter().cloned().chain(used).collect()
    }

    fn expand(
        &self,
        file: &str,
        text: &str,
        texts: &[(&str, &[&str])],
        used: &mut HashSet<String>,
    ) -> Vec<String> {
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let place = text.match_indices('{').find_map(|(start, _)| {
            let length = text[start + 1..].find('}')?;
            let name = &text[start + 1..start + 1 + length];
            is_name(name).then_some((start, name, start + length + 2))
        });
        let Some((start, name, end)) = place else { return vec![text.to_owned()] };
        let constant = self.constant(file, name).map(|text| text.text.as_str());
        used.extend(constant.map(str::to_owned));
        let alternatives: Vec<&str> = match texts.iter().find(|(of, _)| *of == name) {
            Some((_, texts)) => texts.to_vec(),
            None => constant.into_iter().collect(),
        };
        let expanded = alternatives.iter().map(|value| format!("{}{value}{}", &text[..start], &text[end..]));
        expanded.flat_map(|text| self.expand(file, &text, texts, used)).collect()
    }
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if !module.attrs.iter().any(|attribute| attribute.path().is_ident("cfg")) {
            visit::visit_item_mod(self, module);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast ItemFn) {
        self.function = function.sig.ident.to_string();
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast ImplItemFn) {
        self.function = function.sig.ident.to_string();
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_attribute(&mut self, _: &'ast syn::Attribute) {}

    fn visit_item_const(&mut self, constant: &'ast ItemConst) {
        if let Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) = &*constant.expr {
            let (file, name) = (self.file.clone(), constant.ident.to_string());
            let text = Text { place: format!("{file}::{name}"), file: file.clone(), text: text.value() };
            self.constants.insert((file, name), text);
        }
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        if let Some(name) = path.path.get_ident().map(ToString::to_string)
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        {
            self.used.push((self.file.clone(), self.function.clone(), name));
        }
    }

    fn visit_lit_str(&mut self, text: &'ast LitStr) {
        self.literals.push(Text { place: self.place(), file: self.file.clone(), text: text.value() });
    }

    fn visit_macro(&mut self, call: &'ast Macro) {
        let arguments = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(call.tokens.clone());
        for argument in arguments.iter().flatten() {
            // What is visited must live as long as the file: the arguments are visited by a copy of this visitor.
            let mut inner =
                Source { file: self.file.clone(), function: self.function.clone(), ..Source::default() };
            inner.visit_expr(argument);
            self.literals.append(&mut inner.literals);
            self.used.append(&mut inner.used);
        }
    }
}
