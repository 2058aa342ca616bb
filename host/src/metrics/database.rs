//! Counts of what was asked of PostgreSQL.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Ended {
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

/// Counts of what was asked of PostgreSQL. Cheap to clone.
#[derive(Clone, Debug)]
pub struct DatabaseMetrics {
    committed: Counter,
    rolled_back: Counter,
    transactions: Family<Ended, Counter>,
    errors: Family<Kind, Counter>,
}

impl Default for DatabaseMetrics {
    fn default() -> DatabaseMetrics {
        let transactions = Family::<Ended, Counter>::default();
        DatabaseMetrics {
            committed: transactions.get_or_create_owned(&Ended { result: "committed" }),
            rolled_back: transactions.get_or_create_owned(&Ended { result: "rolled_back" }),
            transactions,
            errors: Family::default(),
        }
    }
}

impl DatabaseMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        // An increase can only be seen from zero.
        for kind in ["unreachable", "busy", "contention", "conflict", "other"] {
            drop(self.errors.get_or_create(&Kind { kind }));
        }
        registry.register(
            "database_transactions",
            "Transactions of several statements, by how they ended",
            self.transactions.clone(),
        );
        registry.register(
            "database_errors",
            "Statements and connections that failed: unreachable, busy (no connection or lock in time), contention and \
             conflict (another transaction did it first; usual with several hosts), other",
            self.errors.clone(),
        );
    }

    /// Counts a transaction that ended.
    pub fn ended(&self, committed: bool) {
        if committed {
            self.committed.inc()
        } else {
            self.rolled_back.inc()
        };
    }

    /// Counts what failed, by its kind.
    pub fn failed(&self, kind: &'static str) {
        self.errors.get_or_create(&Kind { kind }).inc();
    }
}
