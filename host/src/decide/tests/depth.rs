//! The deepest values that the limits of a call allow, and the stack that their end takes.

use serde_json::json;

use super::{event, try_script};
use crate::{bounds::deepest, decide::decide};

use super::World;

#[test]
fn the_stack_holds_the_deepest_values_that_a_call_can_make() {
    for body in [
        "let q = [1]; loop { let v = q.pop(); q.push(|y| v); }",
        "let q = [1]; loop { q += Fn(\"g\").curry(q.pop()); }",
        "let f = 1; loop { f = Fn(\"g\").curry(f); }",
        "let v = 1; loop { let w = v; v = |y| w; }",
        "let v = []; loop { let w = v; v = [|| w]; }",
        "let v = #{}; loop { let w = v; v = #{a: || w}; }",
    ] {
        let (routes, errors) = try_script(&format!("fn g(x) {{ x }}\nfn decide(event) {{ {body} }}"));
        assert!(errors.is_empty(), "{errors:?}");
        let (touched, size) = deepest(|| {
            decide(&routes, &event("a", json!({})), &World);
        });
        eprintln!("{:>4} MiB of {} MiB: {body}", touched / 1024 / 1024, size / 1024 / 1024);
        // A debug build takes several times the stack of a release.
        assert!(touched < size / 2, "{touched} bytes: {body}");
    }
}
