//! The deepest values that the limits of a call allow, and the stack that their end takes.

use rhai::{Dynamic, Scope};

use crate::{bounds::deepest, decide::engine};

#[test]
fn the_stack_holds_the_deepest_values_that_a_call_can_make() {
    let engine = engine::build();
    for body in [
        "let q = [1]; loop { let v = q.pop(); q.push(|y| v); }",
        "let q = [1]; loop { q += Fn(\"g\").curry(q.pop()); }",
        "let v = 1; loop { let w = v; v = |y| w; }",
    ] {
        let script = engine.compile(format!("fn g(x) {{ x }}\nfn decide(event) {{ {body} }}")).unwrap();
        let (touched, size) = deepest(|| {
            // Outside of a call nothing looks at time and memory: only the operations end it, as late as can be.
            let answer = engine.call_fn::<Dynamic>(&mut Scope::new(), &script, "decide", (1_i64,));
            assert!(answer.is_err());
        });
        eprintln!("{:>4} MiB of {} MiB: {body}", touched / 1024 / 1024, size / 1024 / 1024);
        // A debug build takes several times the stack of a release.
        assert!(touched < size / 2, "{touched} bytes: {body}");
    }
}
