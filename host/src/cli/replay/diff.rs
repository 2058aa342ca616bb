//! `hookswitch replay diff`: in which numbers two replays differ.

use clap::Args;
use console::style;

use crate::{
    cli::{
        output,
        table::{self, one_line},
    },
    operate::ReplayDifference,
};

#[derive(Args, Debug)]
pub(super) struct DiffArgs {
    /// The number of a replay
    pub one: i64,
    /// The number of another
    pub other: i64,
    /// Print a JSON document
    #[arg(long)]
    pub json: bool,
}

/// Shows it.
///
/// # Errors
/// If it cannot be written as JSON.
pub(super) fn show(difference: &ReplayDifference, json: bool) -> anyhow::Result<()> {
    if json {
        output::json(difference)?;
        return Ok(());
    }
    let ReplayDifference { one, other, same_choice, numbers } = difference;
    if !same_choice {
        println!("{} they looked at different events, or were given other prices.", style("note:").yellow());
    }
    if numbers.is_empty() {
        println!("The replays {} and {} found the same.", one.id, other.id);
        return Ok(());
    }
    let heads = [one, other].map(|of| format!("{} ({})", of.id, of.release));
    let mut table = table::table(&["", &heads[0], &heads[1]]);
    for number in numbers {
        let what = one_line(&number.what).into_owned();
        table.add_row([what, number.one.to_string(), number.other.to_string()]);
    }
    table::print(&table);
    Ok(())
}
