//! Commands to paste.

use std::fmt;

use super::words::quoted;

/// A command of this program, which a shell can run as it is printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command(Vec<String>);

impl Command {
    /// A command by its words, for example `groups`, `create-defaults`.
    pub fn new(words: &[&str]) -> Command {
        Command(words.iter().map(|&word| word.to_owned()).collect())
    }

    /// Adds an option with a value from outside, which may begin with a hyphen.
    pub fn option(mut self, flag: &str, value: &str) -> Command {
        if value.starts_with('-') {
            self.0.push(format!("{flag}={value}"));
        } else {
            self.0.extend([flag.to_owned(), value.to_owned()]);
        }
        self
    }

    /// Adds a last argument from outside, which may begin with a hyphen.
    pub fn operand(mut self, value: &str) -> Command {
        if value.starts_with('-') {
            self.0.push("--".to_owned());
        }
        self.0.push(value.to_owned());
        self
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hookswitch")?;
        self.0.iter().try_for_each(|word| write!(f, " {}", quoted(word)))
    }
}

#[cfg(test)]
mod tests {
    use super::Command;

    #[test]
    fn words_from_outside_stay_one_word_and_no_flag() {
        let explain = |id: &str| Command::new(&["explain"]).operand(id).to_string();
        assert_eq!(explain("e1"), "hookswitch explain e1");
        assert_eq!(explain("a b; rm $HOME"), "hookswitch explain 'a b; rm $HOME'");
        assert_eq!(explain("--help"), "hookswitch explain -- --help");
        let events = Command::new(&["events"]).option("--type", "-x y");
        assert_eq!(events.to_string(), "hookswitch events '--type=-x y'");
    }
}
