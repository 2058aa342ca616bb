//! The Rhai engine: built once, never changed, and shared by all rules and threads. A call has a scope of its own.

use std::any::TypeId;

use rhai::{
    Dynamic, Engine, ImmutableString, Module,
    packages::{
        ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
        BasicMathPackage, BasicStringPackage, LogicPackage, MoreStringPackage, Package,
    },
};

use super::{budget, helpers, operators, ports::Call, unfolding, words};
use crate::bounds::{REASON, cut};

/// Builds the engine.
///
/// Deliberately without the core language package (it has `sleep`), the time package, `eval`, modules, and printing to
/// the standard output.
pub fn build() -> Engine {
    let mut engine = Engine::new_raw();
    ArithmeticPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    for word in ["eval", "import", "export"] {
        engine.disable_symbol(word);
    }
    engine.on_print(|text| tracing::debug!(target: "rules", "{}", cut(text, REASON)));
    engine.on_debug(|text, file, at| {
        tracing::debug!(target: "rules", "{} {at:?}: {}", file.unwrap_or(""), cut(text, REASON));
    });
    limit(&mut engine);
    let_paths_be_missing(&mut engine);
    unfolding::register(&mut engine);
    helpers::register(&mut engine);
    words::register(&mut engine);
    // It fails only for operators that Rhai would not give away.
    let registered = operators::register(&mut engine);
    debug_assert!(registered.is_ok(), "{registered:?}");
    engine
}

/// Sets every limit: the engine's defaults differ between debug and release builds.
fn limit(engine: &mut Engine) {
    engine
        .set_strict_variables(true)
        .set_max_operations(budget::OPERATIONS)
        .set_max_call_levels(budget::CALL_LEVELS)
        .set_max_expr_depths(budget::EXPRESSION_DEPTH, budget::EXPRESSION_DEPTH)
        .set_max_variables(budget::VARIABLES)
        .set_max_functions(budget::FUNCTIONS)
        .set_max_modules(0)
        .set_max_string_size(budget::TEXT)
        .set_max_array_size(budget::ITEMS)
        .set_max_map_size(budget::ENTRIES)
        .on_progress(|operations| {
            Call::current(|call| call.budget.spent(operations)).flatten().map(Dynamic::from)
        });
}

/// Makes `event.data.a.b[0].c` the missing value `()` if any part of the path is missing, and a loop over it empty.
fn let_paths_be_missing(engine: &mut Engine) {
    engine.set_fail_on_invalid_map_property(false);
    engine.register_indexer_get(|_: &mut (), _: ImmutableString| Dynamic::UNIT);
    engine.register_indexer_get(|_: &mut (), _: i64| Dynamic::UNIT);
    // Read-only, so that writing past an array's end stays an error.
    engine.on_invalid_array_index(|_, _, _| Ok(Dynamic::UNIT.into_read_only().into()));
    let mut nothing = Module::new();
    nothing.set_iter(TypeId::of::<()>(), |_| Box::new(std::iter::empty()));
    engine.register_global_module(nothing.into());
}
