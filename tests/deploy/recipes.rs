//! The recipes of the `justfile`, run line by line as `just` runs them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Output},
};

use hookswitch_simulator::Settings;
use tempfile::TempDir;

use super::{done, programs, read, said, top};
use crate::harness::{Database, Process, SOON, Simulator, free_port, rules, wait_until};

/// A recipe: its parameters, each with what it is if it is not given, and its lines.
struct Recipe {
    parameters: Vec<(String, Option<String>)>,
    lines: Vec<String>,
}

/// The recipes by name.
fn recipes() -> BTreeMap<String, Recipe> {
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
struct Project {
    database: Database,
    simulator: Simulator,
    port: u16,
    folder: TempDir,
    programs: TempDir,
    path: std::ffi::OsString,
}

impl Project {
    async fn open() -> Project {
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
            database: Database::create().await,
            simulator: Simulator::start(port, &["--unlimited"]),
            port,
            folder,
            programs,
            path,
        }
    }

    /// A line of a recipe as a command, with the installed program.
    fn line(&self, line: &str, recipe: &str, named: &[(&str, &str)], arguments: &[&str]) -> Command {
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
            .env("HOOKSWITCH_RULES", rules())
            .env("WHATSAPP_API_URL", self.simulator.api_url())
            .env("WHATSAPP_BUSINESS_ACCOUNT_ID", &account.waba_id)
            .envs(account.environment());
        command
    }

    /// The lines of a recipe as commands.
    fn commands(&self, recipe: &str, given: &[&str]) -> Vec<Command> {
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
    fn run(&self, recipe: &str, arguments: &[&str]) -> Vec<Output> {
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
    fn does(&self, recipe: &str, arguments: &[&str]) -> String {
        self.run(recipe, arguments).into_iter().map(done).collect()
    }
}

const PRODUCTION: [&str; 8] = ["setup", "check", "groups", "link", "serve", "ready", "release", "explain"];
const RULES: [&str; 2] = ["demo", "try"];
const DEVELOPMENT: [&str; 6] = ["test", "fuzz", "fmt", "lint", "bench", "faults"];

#[test]
fn every_recipe_is_run_by_a_test() {
    let known: BTreeSet<String> = recipes().into_keys().collect();
    let run = [&PRODUCTION[..], &RULES, &DEVELOPMENT].concat().into_iter().chain(["default"]);
    assert_eq!(known, run.map(str::to_owned).collect());
}

#[tokio::test]
async fn recipes_of_production_and_rules_work() {
    let project = Project::open().await;
    let key = |printed: &str| printed.lines().find(|line| line.starts_with("hsk_")).map(str::to_owned);
    // The check ends with 1, as nobody is there to be told.
    let set_up = project.run("setup", &[]);
    let all: Vec<String> = set_up.iter().map(said).collect();
    assert_eq!(set_up.len(), project.commands("setup", &[]).len(), "{all:?}");
    assert!(set_up[..set_up.len() - 1].iter().all(|output| output.status.success()), "{all:?}");
    assert!(key(&all.concat()).is_some(), "{all:?}");
    let again: Vec<String> = project.run("setup", &[]).iter().map(said).collect();
    assert_eq!(key(&again.concat()), None, "{again:?}");
    assert!(again.concat().contains("API key events exists."), "{again:?}");

    assert!(project.does("groups", &[]).contains("System Admins"));
    let people = "{{ hookswitch }} people add ann --name 'Ann Example'";
    done(project.line(people, "people", &[], &[]).output().unwrap());
    project.does("link", &["ann", "+263771234567"]);
    project.does("groups", &["add", "System Admins", "ann"]);
    let report = project.run("check", &["--json"]).pop().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report.stdout).unwrap();
    assert!(report["sections"].is_array(), "{report:#}");

    let event = project.folder.path().join("an event.json");
    fs::write(&event, r#"{"type": "order.created", "data": {"order": {"id": 1, "amount": 10}}}"#).unwrap();
    let tried = project.does("try", &[event.to_str().unwrap()]);
    assert!(tried.contains("order"), "{tried}");
    let unknown = project.run("explain", &["no-such-event"]).pop().unwrap();
    assert!(
        unknown.status.code() == Some(1) && said(&unknown).contains("no-such-event"),
        "{}",
        said(&unknown)
    );

    assert_eq!(project.run("ready", &[]).pop().unwrap().status.code(), Some(1));
    // The shell is replaced, so that the host ends with the test.
    let serve = format!("exec {}", recipes()["serve"].lines[0]);
    let _host = Process::start(project.line(&serve, "serve", &[], &[]));
    let is_ready = async || project.run("ready", &[]).pop().unwrap().status.success();
    wait_until("it is ready", SOON, async || is_ready().await).await;

    assert!(project.does("demo", &["--help"]).contains("simulated WhatsApp"));
    project.does("release", &[]);
    assert_eq!(fs::read_to_string(project.folder.path().join("called")).unwrap(), " cargo release\n");
}

/// What they name is there: packages, tests, the settings of tests.
#[tokio::test]
async fn recipes_of_development_name_what_there_is() {
    let project = Project::open().await;
    for (recipe, arguments) in [
        ("test", &["a_name"][..]),
        ("fuzz", &["1", "a_name"]),
        ("fmt", &[]),
        ("lint", &[]),
        ("bench", &["--quick"]),
        ("faults", &[]),
    ] {
        project.does(recipe, arguments);
    }
    let called = fs::read_to_string(project.folder.path().join("called")).unwrap();
    for call in [
        " cargo test --workspace a_name\n",
        "1 cargo test --package hookswitch --test fuzz -- a_name\n",
        " cargo --quick\n",
        "long cargo test --workspace --test faults --\n",
    ] {
        assert!(called.contains(call), "{call:?} is not in {called}");
    }
    let manifests = ["host", "host/bench", "host/core", "host/simulator"]
        .map(|folder| read(&format!("{folder}/Cargo.toml")));
    let words: Vec<&str> = called.split_whitespace().collect();
    for pair in words.windows(2).filter(|pair| ["--package", "--test"].contains(&pair[0])) {
        let named = manifests.iter().any(|manifest| manifest.contains(&format!("name = \"{}\"", pair[1])));
        assert!(named, "nothing is named {}", pair[1]);
    }
    for (setting, test) in [("HOOKSWITCH_FUZZ", "tests/fuzz/main.rs"), ("HOOKSWITCH_FAULTS", "tests/faults")]
    {
        assert!(read("justfile").contains(setting), "{setting}");
        let grep = Command::new("grep").args(["-rq", setting, test]).current_dir(top()).status().unwrap();
        assert!(grep.success(), "{test} does not read {setting}");
    }
}
