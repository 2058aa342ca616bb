//! What all cases came to.

use std::sync::{Mutex, PoisonError};

use crate::account::Account;

static TABLE: Mutex<Vec<Account>> = Mutex::new(Vec::new());

pub fn add(account: &Account) {
    TABLE.lock().unwrap_or_else(PoisonError::into_inner).push(account.clone());
}

/// Prints it.
pub fn print() {
    let mut table = TABLE.lock().unwrap_or_else(PoisonError::into_inner).clone();
    table.sort_by_key(|account| account.case);
    let line = |case: &str, cells: Vec<String>| {
        println!("{case:<36}{}", cells.iter().map(|cell| format!("{cell:>10}")).collect::<String>());
    };
    let columns = Account::default().columns();
    line("case", columns.iter().map(|(name, _)| (*name).to_owned()).collect());
    for account in &table {
        line(account.case, account.columns().iter().map(|(_, count)| count.to_string()).collect());
    }
}

impl Account {
    /// Those of the table, in their order.
    fn columns(&self) -> [(&'static str, usize); 22] {
        [
            ("accepted", self.accepted),
            ("gone", self.gone),
            ("routed", self.routed),
            ("messages", self.messages),
            ("sent", self.sent),
            ("kept back", self.kept),
            ("failed", self.failed),
            ("waiting", self.waiting),
            ("lost", self.lost),
            ("in doubt", self.in_doubt),
            ("doubled", self.doubled),
            ("unknown", self.unknown),
            ("disorder", self.disordered),
            ("aft. stop", self.after_stop),
            ("old numb.", self.to_old),
            ("called off", self.called_off),
            ("aft. that", self.after_call_off),
            ("limited", self.limited),
            ("over", self.mislimited),
            ("collected", self.collected),
            ("deduped", self.deduped),
            ("not once", self.miscollected + self.misdeduped),
        ]
    }
}
