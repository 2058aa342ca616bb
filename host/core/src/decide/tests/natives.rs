//! Every function of the engine, with values that are small in memory and large as a text.

use std::collections::BTreeSet;

use rhai::{Array, Dynamic, ImmutableString, Map, Scope};

use super::World;
use crate::decide::{engine, memory, ports::Call};

/// What a call may take beside what its budget counts: the largest arguments, twice.
const MOST: isize = 48 * 1024 * 1024;

#[test]
fn no_function_unfolds_what_its_arguments_share() {
    let engine = engine::build();
    let named = |function: rhai::FuncInfo<'_>| {
        Some((function.metadata.name.to_string(), function.metadata.num_params))
    };
    let functions: BTreeSet<(String, usize)> =
        engine.collect_fn_metadata(None, named, true).into_iter().collect();
    assert!(functions.len() > 100, "{functions:?}");
    // 100 MB as a text, 8 KB in memory.
    let text = ImmutableString::from("x".repeat(200_000));
    let array: Array = (0..500).map(|_| Dynamic::from(text.clone())).collect();
    let map: Map = (0..500).map(|n| (format!("k{n}").into(), Dynamic::from(text.clone()))).collect();
    let values = [
        Dynamic::from(text),
        Dynamic::from(array),
        Dynamic::from(map),
        Dynamic::from(9_999_i64),
        Dynamic::from('x'),
        Dynamic::from_blob(vec![7; 200_000]),
    ];
    let mut called = 0;
    for (name, arity) in functions {
        // Three arguments of all kinds would take minutes.
        let kinds = if arity < 3 { values.len() } else { 3 };
        let combinations = if arity > 3 { continue } else { kinds.pow(arity as u32) };
        let names: Vec<String> = (0..arity).map(|index| format!("v{index}")).collect();
        let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let call = match names.as_slice() {
            [one] if !is_word => format!("{name}{one}"),
            [one, two] if !is_word => format!("{one} {name} {two}"),
            _ => format!("{name}({})", names.join(", ")),
        };
        // Names with `$` are of the engine itself.
        let mut known = Scope::new();
        for name in &names {
            known.push(name.clone(), ());
        }
        let Ok(compiled) = engine.compile_with_scope(&known, &call) else { continue };
        for combination in 0..combinations {
            let mut scope = Scope::new();
            for (index, name) in names.iter().enumerate() {
                let value = &values[combination / kinds.pow(index as u32) % kinds];
                scope.push_dynamic(name.clone(), value.clone());
            }
            let peak = memory::peak_of(|| {
                let (answer, _) =
                    Call::run(&World, "a", || engine.eval_ast_with_scope::<Dynamic>(&mut scope, &compiled));
                drop(answer);
            });
            assert!(peak < MOST, "{call} ({combination}): {peak} bytes");
            called += 1;
        }
    }
    assert!(called > 1_000, "{called}");
}
