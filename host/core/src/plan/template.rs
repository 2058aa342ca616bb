//! Templates: front matter and a minijinja body, compiled.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
};

use minijinja::{
    Environment, ErrorKind, UndefinedBehavior, Value, escape_formatter, syntax::SyntaxConfig,
    value::ValueKind,
};
use serde::Deserialize;

use super::{
    authentication::Authentication,
    compare,
    field::Reader,
    front::{self, FrontMatter, line_of},
    header::beside,
    media::MediaKind,
    meta_body::{MetaBody, SEPARATOR},
    meta_template::{shown, wording},
    names,
    parameter::{NOTHING, parameter},
    parts::Parts,
    program::{Failure, Program},
    weigh, words,
};
use crate::{
    bounds::{Bounded, on_author_stack},
    domain::{Message, Mode, OnUnknown, did_you_mean},
};

/// Maximum number of instructions of one rendering; a page of text takes some hundred. 64 bytes of text count as one
/// more, so that a rendering holds about 6 MB at most.
const FUEL: u64 = 100_000;

/// A template as written.
#[derive(Clone, Debug)]
pub struct TemplateSource {
    /// Stem of the file: the name that rules use.
    pub name: String,
    /// File, relative to the rules folder.
    pub file: String,
    /// Front matter and body.
    pub text: String,
}

/// A problem of a template, and its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    /// File, relative to the rules folder.
    pub file: String,
    /// Line of the whole file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, in one line.
    pub message: String,
    /// What to do about it, if that is known.
    pub help: Option<String>,
}

/// A problem within the file that is being compiled.
#[derive(Debug)]
pub(super) struct Wrong {
    pub line: usize,
    pub column: usize,
    pub message: String,
    pub help: Option<String>,
}

impl Wrong {
    pub fn at(line: usize, column: usize, message: impl Into<String>) -> Wrong {
        Wrong { line, column, message: message.into(), help: None }
    }

    pub fn help(self, help: impl Into<String>) -> Wrong {
        Wrong { help: Some(help.into()), ..self }
    }

    fn of(failure: Failure, body: &str, lines_before: usize) -> Wrong {
        let (line, column) = place(&failure, body, lines_before);
        let help = match failure.kind {
            _ if failure.help.is_some() => failure.help.clone(),
            ErrorKind::SyntaxError => {
                body.lines().nth(failure.line.saturating_sub(1)).and_then(names::syntax)
            }
            _ => None,
        };
        Wrong { line, column, message: failure.to_string(), help }
    }
}

/// Meta's category of a template.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Category {
    /// About something that the recipient asked for or takes part in.
    Utility,
    /// An offer.
    Marketing,
    /// A one-time code.
    Authentication,
}

/// A compiled template.
#[derive(Debug)]
pub struct Template {
    /// Name that rules use.
    pub name: String,
    /// File, relative to the rules folder.
    pub file: String,
    /// Description for people.
    pub description: String,
    /// Meta's category.
    pub category: Category,
    /// Language code, for example `en_US`.
    pub language: String,
    /// How it is sent, unless the decision sets another mode.
    pub mode: Mode,
    /// Whether it is for readers of languages in which there is no variant.
    pub fallback: bool,
    /// Footer: a small line below the text, at most 60 characters.
    pub footer: Option<String>,
    /// Footer at Meta.
    pub meta_footer: Option<String>,
    /// What is chosen of Meta's words; `None` unless its category is `authentication`.
    pub authentication: Option<Authentication>,
    /// Tag, by which `at_most` counts several templates together.
    pub tag: Option<String>,
    /// Variables whose values must not stay, sorted: hidden everywhere, and gone once the message is settled.
    pub sensitive: Vec<String>,
    /// Name at Meta.
    pub meta_name: String,
    /// What happens to a message whose delivery could not be confirmed.
    pub on_unknown: OnUnknown,
    /// Name of the sending number, unless the decision sets another.
    pub from: Option<String>,
    /// Variables of body, header and buttons, sorted, without `recipient`.
    pub variables: Vec<String>,
    /// Whether the body uses `recipient`, so that it differs between recipients.
    pub uses_recipient: bool,
    /// Text of the file.
    pub source: String,
    /// Fingerprint of its texts at Meta.
    pub wording: String,
    /// Header and buttons.
    pub(super) parts: Parts,
    /// Body in Meta's form.
    pub(super) meta: MetaBody,
    /// Compiled body.
    pub(super) body: Program,
    /// Renders the values of its parameters at Meta, in order.
    pub(super) values: Program,
    /// Number of lines before the body.
    pub(super) lines_before: usize,
}

impl Template {
    /// The kind and the path of a file of the rules in its header.
    pub fn file_in_header(&self) -> Option<(MediaKind, String)> {
        self.parts.file().map(|(kind, path)| (kind, beside(&self.file, path)))
    }

    /// The fixed link of a file in its header.
    pub fn fixed_link(&self) -> Option<(MediaKind, &str)> {
        self.parts.fixed_link()
    }

    /// The sources of the parameters that are empty in a message of this template, where people read `N/A` within a
    /// sentence.
    pub fn gaps<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = (usize, usize, &'a str)> {
        let empty = message.parameters.iter().enumerate().filter(|(_, value)| parameter(value) == NOTHING);
        let within = empty.filter(|(index, _)| self.meta.is_within_a_sentence(*index));
        within.filter_map(|(index, _)| {
            let parameter = self.meta.parameters.get(index)?;
            Some((self.lines_before + parameter.line, parameter.column, shown(&parameter.source)))
        })
    }
}

/// All templates, compiled.
#[derive(Debug)]
pub struct Templates {
    pub(super) environment: Environment<'static>,
    /// The variants of each template by language, the fallback first.
    by_name: HashMap<String, Vec<Template>>,
}

impl Default for Templates {
    fn default() -> Self {
        let mut environment = Environment::new();
        environment.set_syntax(syntax());
        environment.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        // A missing value is written as nothing, as in the parameters of a Meta template, and not as "none".
        environment.set_formatter(|out, state, value| match value.as_str() {
            _ if value.is_none() => Ok(()),
            Some(text) if text.contains(SEPARATOR) => {
                escape_formatter(out, state, &Value::from(text.replace(SEPARATOR, "")))
            }
            // Never as Python would: `['a', 'b']` is nothing to show to people.
            _ if matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable | ValueKind::Map) => {
                Ok(out.write_str(&words::shown(value)?)?)
            }
            _ if value.as_object().is_some() => {
                let mut text = Bounded::new(weigh::SIZE);
                let written = write!(text, "{value}").ok().and_then(|()| text.whole());
                out.write_str(&written.ok_or(ErrorKind::OutOfFuel)?)?;
                Ok(())
            }
            _ => escape_formatter(out, state, value),
        });
        weigh::register(&mut environment);
        compare::register(&mut environment);
        words::register(&mut environment);
        environment.set_fuel(Some(FUEL));
        // With this, errors have a place.
        environment.set_debug(true);
        Templates { environment, by_name: HashMap::new() }
    }
}

/// The syntax of bodies: a line with only a tag leaves no blank line.
pub(super) fn syntax() -> SyntaxConfig {
    SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().unwrap_or_default()
}

impl Templates {
    /// Compiles templates; returns those without errors, and all errors.
    pub fn compile(sources: Vec<TemplateSource>) -> (Templates, Vec<TemplateError>) {
        let mut templates = Templates::default();
        let mut errors = Vec::new();
        let mut files: BTreeMap<(String, Option<String>), String> = BTreeMap::new();
        for source in sources {
            let error = |Wrong { line, column, message, help }| {
                let file = source.file.clone();
                TemplateError { file, line, column, message, help }
            };
            let key = (source.name.clone(), named_language(&source.file));
            if let Some(first) = files.get(&key) {
                let message = format!("duplicate template `{}`, also in {first}", source.name);
                errors.push(error(Wrong::at(1, 1, message)));
                continue;
            }
            files.insert(key, source.file.clone());
            match on_author_stack(|| templates.compile_one(&source)) {
                Ok(template) => {
                    templates.by_name.entry(source.name.clone()).or_default().push(template);
                }
                Err(wrong) => errors.extend(wrong.into_iter().map(error)),
            }
        }
        for variants in templates.by_name.values_mut() {
            errors.extend(order(variants));
        }
        (templates, errors)
    }

    /// The template with this name; of several variants, the fallback.
    pub fn get(&self, name: &str) -> Option<&Template> {
        self.by_name.get(name)?.first()
    }

    /// The variant of a template for readers of this language: in exactly this language, otherwise one in the same language
    /// of another country, otherwise the fallback.
    pub fn for_language(&self, name: &str, language: Option<&str>) -> Option<&Template> {
        let variants = self.by_name.get(name)?;
        let wanted = language.map(|language| language.trim().replace('-', "_").to_ascii_lowercase());
        let code = |template: &Template| template.language.to_ascii_lowercase();
        let root = |code: &str| code.split('_').next().unwrap_or_default().to_owned();
        let exact = |wanted: &String| variants.iter().find(|template| code(template) == *wanted);
        let near = |wanted: &String| variants.iter().find(|template| root(&code(template)) == root(wanted));
        wanted.as_ref().and_then(|wanted| exact(wanted).or_else(|| near(wanted))).or(variants.first())
    }

    /// The variant of a template in exactly this language.
    pub fn variant(&self, name: &str, language: &str) -> Option<&Template> {
        self.by_name.get(name)?.iter().find(|template| template.language == language)
    }

    /// The variants of a template, the fallback first.
    pub fn variants(&self, name: &str) -> &[Template] {
        self.by_name.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// The names of the templates with a tag, sorted.
    pub fn with_tag(&self, tag: &str) -> Vec<&str> {
        let has =
            |name: &&str| self.variants(name).iter().any(|template| template.tag.as_deref() == Some(tag));
        self.names().into_iter().filter(has).collect()
    }

    /// All variants of all templates, sorted by name.
    pub fn all(&self) -> impl Iterator<Item = &Template> {
        self.names().into_iter().flat_map(|name| self.variants(name))
    }

    /// All names, sorted.
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.by_name.keys().map(String::as_str).collect();
        names.sort_unstable();
        names
    }

    fn compile_one(&self, source: &TemplateSource) -> Result<Template, Vec<Wrong>> {
        let (front, body, lines_before) = front::split(&source.text).map_err(|wrong| vec![wrong])?;
        let mut wrong = Vec::new();
        let front = front::read(&source.text, front, &mut wrong);
        if body.trim().is_empty() {
            let no_body = Wrong::at(lines_before + 1, 1, "the template has no body");
            wrong.push(no_body.help("write the text of the message below the front matter"));
        }
        let program = Program::compile(&source.name, body)
            .map_err(|failure| wrong.push(Wrong::of(failure, body, lines_before)));
        if let Ok(program) = &program {
            let unknown = names::check(&self.environment, program).into_iter();
            wrong.extend(unknown.map(|failure| Wrong::of(failure, body, lines_before)));
        }
        let mut used = Vec::new();
        let parts = front.as_ref().map(|front| {
            let header = front.header().unwrap_or_else(|message| {
                wrong.push(Wrong::at(line_of(&source.text, "header"), 1, message));
                None
            });
            let (environment, name, line) = (&self.environment, source.name.as_str(), 1);
            let reader = Reader { environment, name, line, wrong: &mut wrong, variables: &mut used };
            Parts::compile(&source.text, front.category, header.as_ref(), &front.buttons, reader)
        });
        let authentication = front.as_ref().and_then(FrontMatter::as_authentication);
        let compiled = program.and_then(|program| {
            let meta = match (authentication, &parts) {
                (Some(authentication), Some(parts)) => Ok(authentication.body(parts)),
                _ => MetaBody::new(body, syntax()).map_err(Failure::from),
            };
            let of_meta = meta.and_then(|meta| Ok((Program::of_checked(&source.name, &meta.values)?, meta)));
            let (values, meta) = of_meta.map_err(|failure| {
                wrong.push(Wrong::at(lines_before + 1, 1, failure.to_string()));
            })?;
            Ok((program, values, meta))
        });
        if let (Some(front), Some(language)) = (&front, named_language(&source.file))
            && front.language != language
        {
            let message = format!("the file is named for {language}, but its language is {}", front.language);
            wrong.push(Wrong::at(line_of(&source.text, "language"), 1, message));
        }
        let (Some(front), Some(parts), Ok((program, values, meta)), []) =
            (front, parts, compiled, wrong.as_slice())
        else {
            return Err(wrong);
        };
        let mut used_anywhere = program.variables(&self.environment);
        used_anywhere.extend(used);
        let uses_recipient = used_anywhere.remove("recipient");
        let mut variables: Vec<String> = used_anywhere.into_iter().collect();
        variables.sort_unstable();
        let sensitive = self.sensitive(source, &front, &parts, &variables, &program)?;
        let meta_footer = match authentication {
            Some(authentication) => authentication.footer(),
            None => front.footer.clone(),
        };
        Ok(Template {
            name: source.name.clone(),
            file: source.file.clone(),
            description: front.description,
            category: front.category,
            language: front.language,
            mode: front.mode,
            fallback: front.fallback,
            source: source.text.clone(),
            wording: wording(
                &meta.text,
                meta_footer.as_deref(),
                &parts.meta_buttons(),
                parts.meta_header().as_ref(),
            ),
            footer: front.footer,
            meta_footer,
            authentication,
            tag: front.tag,
            sensitive,
            parts,
            meta_name: front.meta_name.unwrap_or_else(|| source.name.clone()),
            on_unknown: front.on_unknown,
            from: front.from,
            variables,
            uses_recipient,
            meta,
            body: program,
            values,
            lines_before,
        })
    }

    /// The variables whose values must not stay: those that the file names, and those of a one-time code.
    fn sensitive(
        &self,
        source: &TemplateSource,
        front: &FrontMatter,
        parts: &Parts,
        variables: &[String],
        program: &Program,
    ) -> Result<Vec<String>, Vec<Wrong>> {
        let line = line_of(&source.text, "sensitive");
        let unknown =
            front.sensitive.iter().filter(|name| !variables.contains(name) && !program.reads(name)).map(
                |name| {
                    let wrong = Wrong::at(
                        line,
                        1,
                        format!("`sensitive` names `{name}`, which the template does not use"),
                    );
                    wrong.help(did_you_mean(name, variables.iter().map(String::as_str)))
                },
            );
        let unknown: Vec<Wrong> = unknown.collect();
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let code = parts.one_time_code().and_then(|code| {
            let code = Program::of_checked(&source.name, code).ok()?;
            Some(code.variables(&self.environment))
        });
        let code = code.into_iter().flatten().filter(|name| variables.contains(name));
        let mut sensitive: Vec<String> = front.sensitive.iter().cloned().chain(code).collect();
        sensitive.sort_unstable();
        sensitive.dedup();
        Ok(sensitive)
    }
}

/// The language in the name of a template's file: `pt_BR` for `thanks.pt_BR.j2`.
fn named_language(file: &str) -> Option<String> {
    let stem = file.rsplit('/').next()?.strip_suffix(".j2")?;
    stem.split_once('.').map(|(_, language)| language.to_owned())
}

/// Puts the fallback first, and says what is wrong with the variants of one template.
fn order(variants: &mut [Template]) -> Option<TemplateError> {
    variants.sort_by(|a, b| a.language.cmp(&b.language));
    let error = |template: &Template, message: String, help: &str| {
        let (file, line) = (template.file.clone(), line_of(&template.source, "language"));
        Some(TemplateError { file, line, column: 1, message, help: Some(help.to_owned()) })
    };
    if let Some(pair) = variants.windows(2).find(|pair| pair[0].language == pair[1].language) {
        let message = format!("{} has the same name and language", pair[0].file);
        return error(&pair[1], message, "give one of them another language, or delete it");
    }
    let is_fallback = |template: &Template| template.fallback || named_language(&template.file).is_none();
    let fallbacks: Vec<usize> = (0..variants.len()).filter(|index| is_fallback(&variants[*index])).collect();
    match (fallbacks.as_slice(), variants) {
        ([], [_]) => None,
        ([], [first, ..]) => error(
            first,
            format!("none of the variants of `{}` is for readers of other languages", first.name),
            "set `fallback: true` in one of them, or name its file without a language",
        ),
        ([_, second, ..], variants) => error(
            &variants[*second],
            format!("`{}` has two variants for readers of other languages", variants[*second].name),
            "remove `fallback` from one of them; a file without a language in its name is the fallback too",
        ),
        ([index], variants) => {
            variants[..=*index].rotate_right(1);
            None
        }
        ([], []) => None,
    }
}

/// Line and column of a failure in the whole file.
pub(super) fn place(failure: &Failure, body: &str, lines_before: usize) -> (usize, usize) {
    let column = failure.range.as_ref().map_or(1, |range| {
        let before = body.get(..range.start).unwrap_or_default();
        before.chars().rev().take_while(|c| *c != '\n').count() + 1
    });
    (lines_before + failure.line, column)
}
