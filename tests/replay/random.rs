//! What holds for all rules and events: of many that are made at random.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{FRONT, Past, kinds, rules};
use crate::harness::write_rule;

/// Numbers that look random, the same ones for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

const TYPES: [&str; 4] = ["order.created", "order.paid", "stock.low", "note"];
const TEMPLATES: [&str; 3] = ["note", "memo", "alarm"];
const GROUPS: [&str; 4] = ["[Ops]", "[Desk]", "[Ops, Desk]", "[Desk], users: ['\"ann\"']"];

/// Rules for most of the types: plain ones, with and without conditions, and scripts, some of which fail.
pub(crate) fn random_rules(seed: u64) -> TempDir {
    let random = &mut Random(seed);
    let folder = rules(&[]);
    let mut routes = String::new();
    for kind in TYPES {
        for n in 0..random.below(4) {
            let (template, groups) = (random.one(&TEMPLATES), random.one(&GROUPS));
            if random.below(4) == 0 {
                let file = format!("{}-{n}.rhai", kind.replace('.', "-"));
                let script = format!(
                    "fn decide(event) {{
                         let n = event.data.n;
                         if n % {} == 0 {{ throw \"an odd number\" }}
                         if n % {} == 1 {{ return skip(\"nobody need know\"); }}
                         #{{template: \"{template}\", groups: [\"Ops\"], context: #{{n: n}}}}
                     }}",
                    2 + random.below(5),
                    2 + random.below(4),
                );
                write_rule(folder.path(), &format!("notes/{file}"), &script);
                routes += &format!("- {{on: {kind}, script: {file}}}\n");
                continue;
            }
            let more = [
                "".to_owned(),
                format!(", when: 'event.data.n % 3 == {}'", random.below(3)),
                ", priority: urgent".to_owned(),
                ", after: 2h".to_owned(),
                ", expires_at: event.data.deadline".to_owned(),
            ];
            let more = &more[random.below(more.len())];
            routes += &format!(
                "- {{on: {kind}, template: {template}, groups: {groups}, context: {{n: event.data.n}}{more}}}\n"
            );
        }
    }
    write_rule(folder.path(), "notes/routes.yaml", if routes.is_empty() { "[]\n" } else { &routes });
    for template in ["memo", "alarm"] {
        let text = format!("{FRONT}{} {{{{ n }}}}", random.one(&["Memo", "Please look at", "Once more:"]));
        write_rule(folder.path(), &format!("notes/templates/{template}.j2"), &text);
    }
    folder
}

/// Events of all types.
pub(crate) fn random_events(seed: u64, count: usize) -> Vec<Value> {
    let random = &mut Random(seed);
    let event = |n| {
        json!({
            "id": format!("event-{n}"), "type": random.one(&TYPES), "subject": format!("subject-{}", random.below(9)),
            "data": {"n": random.below(60), "deadline": "2099-01-01T00:00:00Z"},
        })
    };
    (0..count).map(event).collect()
}

/// The same rules change nothing, and who goes from the one to the other sees the mirror of who comes back.
async fn holds_both_ways(seed: u64) {
    let events = random_events(seed, 60);
    let (one, other) = (random_rules(seed), random_rules(seed + 1));
    let mut ways = Vec::new();
    for (then, now) in [(&one, &other), (&other, &one)] {
        let past = Past::of(then.path()).await;
        past.happened(&events).await;
        let same = past.replay(then.path());
        let totals = &same["totals"];
        let found = ["changed", "newly_failing", "newly_silent"].map(|name| totals[name].clone());
        assert_eq!((kinds(&same), json!(found)), ([0; 5], json!([0, 0, 0])), "seed {seed}: {same}");
        ways.push(past.replay(now.path()));
    }
    let [there, back] = [&ways[0], &ways[1]];
    let [gone, new, people, time, words] = kinds(there);
    assert_eq!(kinds(back), [new, gone, people, time, words], "seed {seed}: {there}\n{back}");
    assert!(gone + new > 0, "seed {seed} shows nothing: {there}");
    assert_eq!(there["totals"]["changed"], back["totals"]["changed"], "seed {seed}");
    for of in ["templates", "groups"] {
        let mirrored = |of: &Value| {
            let of = of.as_object().unwrap().iter();
            json!(
                of.map(|(name, of)| (name.clone(), json!({"then": of["now"], "now": of["then"]})))
                    .collect::<serde_json::Map<_, _>>()
            )
        };
        assert_eq!(mirrored(&there["report"][of]), back["report"][of], "seed {seed}");
    }
}

#[tokio::test]
async fn rules_at_random_change_nothing_by_themselves_and_mirror_each_other() {
    for seed in [1, 20] {
        holds_both_ways(seed).await;
    }
}
