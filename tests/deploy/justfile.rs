//! Runs recipes of the `justfile` line by line, as `just` does.

use std::{
    collections::BTreeMap,
    fs,
    process::{Command, Output},
};

use hookswitch_simulator::Settings;
use tempfile::TempDir;

use super::{done, programs, read};
use crate::harness::{Database, Simulator, free_port, rules};

/// A recipe: its parameters, each with what it is if it is not given, and its lines.
pub struct Recipe {
    parameters: Vec<(String, Option<String>)>,
    pub lines: Vec<String>,
}

/// The recipes by name.
pub fn recipes() -> BTreeMap<String, Recipe> {
    let justfile = read("justfile");
    let mut recipes: BTreeMap<String, Recipe> = BTreeMap::new();
    let mut current = String::new();
    for line in justfile.lines() {
        if let Some(command) = line.strip_prefix("    ") {
            recipes.get_mut(&current).unwrap().lines.push(command.trim_start_matches('@').to_owned());
        } else if let Some(head) = line.strip_suffix(':').filter(|head| !head.starts_with(['#', '['])) {
            let mut words = head.split_whitespace();
            current = words.next().unwrap().to_owned();
            let parameters = words.map(|word| match word.split_once('=') {
                Some((name, default)) => (name, Some(default.trim_matches('\'').to_owned())),
                None => (word, word.starts_with('*').then(String::new)),
            });
            let parameters = parameters
                .map(|(name, default)| (name.trim_start_matches('*').to_owned(), default))
                .collect();
            recipes.insert(current.clone(), Recipe { parameters, lines: Vec::new() });
        }
    }
    recipes
}

/// A project folder in which recipes run, with a database and a simulator. `cargo` only records how it is called.
pub struct Project {
    database: Database,
    simulator: Simulator,
    port: u16,
    pub folder: TempDir,
    programs: TempDir,
    path: std::ffi::OsString,
}

impl Project {
    pub async fn open() -> Project {
        let port = free_port();
        let folder = tempfile::tempdir().unwrap();
        let record = "echo \"$HOOKSWITCH_FUZZ$HOOKSWITCH_FAULTS cargo $*\" >> called";
        let (programs, path) = programs(&[("cargo", record)]);
        for script in ["target/release/hookswitch-bench", "deploy/release.sh"] {
            let file = folder.path().join(script);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::copy(programs.path().join("cargo"), &file).unwrap();
        }
        Project {
            database: Database::empty().await,
            simulator: Simulator::start(port, &["--unlimited"]),
            port,
            folder,
            programs,
            path,
        }
    }

    /// A line of a recipe as a command, with the installed program.
    pub fn line(&self, line: &str, recipe: &str, named: &[(&str, &str)], arguments: &[&str]) -> Command {
        let program = self.programs.path().join("hookswitch");
        let line = named
            .iter()
            .fold(line.replace("{{ hookswitch }}", program.to_str().unwrap()), |line, (name, value)| {
                line.replace(&format!("{{{{ {name} }}}}"), value)
            });
        assert!(!line.contains("{{"), "{recipe}: {line}");
        let mut command = Command::new("sh");
        command.args(["-cu", &line, recipe]).args(arguments).current_dir(self.folder.path());
        let account = Settings::default();
        command
            .env_clear()
            .env("PATH", &self.path)
            .env("DATABASE_URL", self.database.url())
            .env("HOOKSWITCH_LISTEN", format!("127.0.0.1:{}", self.port))
            .env("HOOKSWITCH_ADMIN_LISTEN", "127.0.0.1:0")
            .env("HOOKSWITCH_RULES", rules())
            .env("WHATSAPP_API_URL", self.simulator.api_url())
            .env("WHATSAPP_BUSINESS_ACCOUNT_ID", &account.waba_id)
            .envs(account.environment());
        command
    }

    /// The lines of a recipe as commands.
    pub fn commands(&self, recipe: &str, given: &[&str]) -> Vec<Command> {
        let recipes = recipes();
        let found = &recipes[recipe];
        let mut arguments: Vec<&str> = given.to_vec();
        let mut named = Vec::new();
        for (at, (name, default)) in found.parameters.iter().enumerate() {
            if let (None, Some(default)) = (given.get(at), default)
                && !default.is_empty()
            {
                arguments.push(default);
            }
            let value = given.get(at).copied().or(default.as_deref());
            named.push((name.as_str(), value.unwrap_or_else(|| panic!("{recipe} lacks {name}"))));
        }
        found.lines.iter().map(|line| self.line(line, recipe, &named, &arguments)).collect()
    }

    /// Runs a recipe until a line fails.
    pub fn run(&self, recipe: &str, arguments: &[&str]) -> Vec<Output> {
        let mut outputs = Vec::new();
        for mut command in self.commands(recipe, arguments) {
            outputs.push(command.output().unwrap());
            if !outputs.last().unwrap().status.success() {
                break;
            }
        }
        outputs
    }

    /// Runs a recipe, which must go well, and gives what it printed.
    #[track_caller]
    pub fn does(&self, recipe: &str, arguments: &[&str]) -> String {
        self.run(recipe, arguments).into_iter().map(done).collect()
    }
}
