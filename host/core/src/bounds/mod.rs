//! Limits for the work of authors, whatever they write: a stack that their values cannot overflow, and texts that end at
//! a limit instead of growing with what a value refers to.

mod stack;
mod text;

#[cfg(test)]
pub use stack::deepest;
pub use stack::on_author_stack;
pub use text::{Bounded, REASON, counted, cut, shown};
