//! The settings that `check` was given as flags, for the commands that it prints: pasted, they work on the same system.

use clap::{Arg, ArgMatches, Command, CommandFactory, parser::ValueSource};

use crate::{
    check::words::quoted,
    cli::Cli,
    config::{self, DatabaseConfig},
};

/// Flags of this call.
pub struct Given {
    cli: Command,
    flags: Vec<Flag>,
}

/// A flag with its value, as a shell reads them.
struct Flag {
    name: String,
    value: String,
    /// The variable that holds the value if it is secret.
    variable: Option<String>,
}

impl Given {
    /// The flags of this process, which was started as `check`.
    pub fn new(database: &DatabaseConfig) -> Given {
        Given::of(&Cli::command().get_matches(), database, &config::is_set)
    }

    fn of(matches: &ArgMatches, database: &DatabaseConfig, is_set: &dyn Fn(&str) -> bool) -> Given {
        let mut cli = Cli::command();
        // Gives subcommands the flags that all commands take.
        cli.build();
        let arguments = cli.find_subcommand("check").into_iter().flat_map(Command::get_arguments);
        let given = |argument: &&Arg| {
            let id = argument.get_id().as_str();
            let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
            matches.value_source(id) == Some(ValueSource::CommandLine)
        };
        let flags = arguments.filter(given).filter_map(|argument| flag(argument, matches, database, is_set));
        Given { flags: flags.collect(), cli }
    }

    /// A command with those of the flags that it takes. Others than this program's are left as they are.
    pub fn carry(&self, line: &str) -> String {
        let Some(words) =
            shlex::split(line).filter(|words| words.first().is_some_and(|word| word == "hookswitch"))
        else {
            return line.to_owned();
        };
        let (command, named) = self.command(&words);
        let takes =
            |flag: &&Flag| command.get_arguments().any(|argument| argument.get_long() == Some(&flag.name));
        let flags = self.flags.iter().filter(takes).map(|flag| format!("--{} {}", flag.name, flag.value));
        let (before, after) = words.split_at(named);
        let before = before.iter().map(|word| quoted(word));
        // Before other words: these may end with `--` and an argument.
        before.chain(flags).chain(after.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
    }

    /// The command that the first words name, and how many words that are.
    fn command(&self, words: &[String]) -> (&Command, usize) {
        let (mut command, mut named) = (&self.cli, 1);
        while let Some(subcommand) = words.get(named).and_then(|word| command.find_subcommand(word)) {
            (command, named) = (subcommand, named + 1);
        }
        (command, named)
    }

    /// The variables that must be set before a command that was carried, as it does not show their values.
    pub fn variables<'a>(&'a self, line: &'a str) -> impl Iterator<Item = &'a str> {
        let variables = self.flags.iter().filter_map(|flag| flag.variable.as_deref());
        variables.filter(move |variable| line.contains(&format!("${{{variable}:")))
    }
}

/// `None` for flags that are no settings, such as `--json`.
fn flag(
    argument: &Arg,
    matches: &ArgMatches,
    database: &DatabaseConfig,
    is_set: &dyn Fn(&str) -> bool,
) -> Option<Flag> {
    let name = argument.get_long()?.to_owned();
    let environment = argument.get_env()?.to_string_lossy().into_owned();
    let is_secret = match argument.get_id().as_str() {
        "database_url" => database.has_password(),
        _ => argument.is_hide_env_values_set(),
    };
    if is_secret {
        // What the environment holds is another one.
        let variable = if is_set(&environment) { format!("CHECKED_{environment}") } else { environment };
        let value = format!("\"${{{variable}:?set it first}}\"");
        return Some(Flag { name, value, variable: Some(variable) });
    }
    let matches = matches.subcommand().map_or(matches, |(_, matches)| matches);
    let values = matches.get_raw(argument.get_id().as_str())?.map(|value| value.to_string_lossy());
    let value = quoted(&values.collect::<Vec<_>>().join(","));
    Some(Flag { name, value, variable: None })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use clap::{CommandFactory, Parser};

    use super::Given;
    use crate::cli::Cli;

    fn given(arguments: &[&str], set: &'static [&str]) -> Given {
        let arguments = [&["hookswitch", "check"], arguments].concat();
        let matches = Cli::command().try_get_matches_from(&arguments).unwrap();
        let database = Cli::parse_from(&arguments).database;
        Given::of(&matches, &database, &|name| set.contains(&name))
    }

    #[test]
    fn commands_get_the_settings_that_they_take() {
        let given = given(
            &[
                "--json",
                "--data-dir",
                "my data",
                "--rules",
                "my-rules",
                "--whatsapp-business-account-id",
                "12",
                "--whatsapp-access-token",
                "t",
            ],
            &[],
        );
        for (plain, carried) in [
            ("hookswitch migrate", "hookswitch migrate --data-dir 'my data'"),
            (
                "hookswitch groups create-defaults",
                "hookswitch groups create-defaults --data-dir 'my data' --rules my-rules",
            ),
            ("hookswitch explain -- '--a b'", "hookswitch explain --data-dir 'my data' -- '--a b'"),
            (
                "hookswitch templates push",
                "hookswitch templates push --data-dir 'my data' --rules my-rules --whatsapp-business-account-id 12 \
                 --whatsapp-access-token \"${WHATSAPP_ACCESS_TOKEN:?set it first}\"",
            ),
            ("curl https://x/y", "curl https://x/y"),
        ] {
            assert_eq!(sorted(&given.carry(plain)), sorted(carried));
            if carried.starts_with("hookswitch") {
                Cli::try_parse_from(shlex::split(&given.carry(plain)).unwrap()).unwrap();
            }
        }
    }

    /// Flags have no order.
    fn sorted(line: &str) -> Vec<String> {
        let mut words = shlex::split(line).unwrap();
        words.sort();
        words
    }

    #[test]
    fn secrets_are_not_shown() {
        let url = "postgresql://me:hidden@db/shop";
        let line = given(&["--database-url", url], &[]).carry("hookswitch migrate");
        assert_eq!(line, "hookswitch migrate --database-url \"${DATABASE_URL:?set it first}\"");
        // Never another database.
        let other = given(&["--database-url", url], &["DATABASE_URL"]);
        let line = other.carry("hookswitch migrate");
        assert_eq!(line, "hookswitch migrate --database-url \"${CHECKED_DATABASE_URL:?set it first}\"");
        assert_eq!(other.variables(&line).collect::<Vec<_>>(), ["CHECKED_DATABASE_URL"]);
        let line = given(&["--database-url", "postgresql://me@db/shop"], &[]).carry("hookswitch migrate");
        assert_eq!(line, "hookswitch migrate --database-url postgresql://me@db/shop");
        let line = given(&["--whatsapp-access-token", "hidden"], &[]).carry("hookswitch templates push");
        let expected =
            "hookswitch templates push --whatsapp-access-token \"${WHATSAPP_ACCESS_TOKEN:?set it first}\"";
        assert_eq!(line, expected);
    }
}
