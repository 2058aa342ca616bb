//! Templates.

use serde_json::json;

use super::{check, template, try_event};

#[test]
fn what_renders_without_end_is_told() {
    let data = json!({"text": "x".repeat(60_000), "n": 99_999_999});
    for body in [
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.x = [ns] %}{{ ns }}",
        "{% set ns = namespace() %}{% set ns.x = {'a': ns} %}{{ ns }}",
        "{% set a = namespace() %}{% set b = namespace(a=a) %}{% set a.b = b %}{{ a }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(9000) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(9000) %}{% set ns.x = ns.x + ns.x %}{% endfor %}{{ ns.x }}",
        "{% set a = [1] %}{{ a * n }}",
        "{% set a = [text] %}{{ a * n }}",
        "{% set a = [text] %}{{ (a * 1000) ~ '' }}",
        "{% set a = [text] %}{{ (a * 1000) | string }}",
        "{% set a = [text] %}{{ (a * 1000) | join(text) }}",
        "{% set a = [text] %}{{ (a * 1000) | tojson }}",
        "{% set a = [text] %}{{ (a * 1000) | upper }}",
        "{% set a = [text] %}{{ a * 1000 in 'x' }}",
        "{% set a = [text] %}{% if a * n == a * n %}same{% endif %}",
        "{% set a = [text, text, text, text, text, text, text, text] %}{% set b = [a, a, a, a, a, a, a, a] %}\
         {% set c = [b, b, b, b, b, b, b, b] %}{% set d = [c, c, c, c, c, c, c, c] %}{{ d in 'x' }}",
        "{% set a = {'a': text, 'b': text, 'c': text, 'd': text, 'e': text} %}{{ {'x': a, 'y': a} }}",
        "{{ [1] * 99999999 }}",
        "{{ [1] * 99999999 == [1] * 99999999 }}",
        "{{ text * 1000 }}",
        "{{ range(90000) | map('default', text) | list }}",
        "{{ range(9000) | map('replace', '1', text) | join }}",
        "{{ range(90000) | batch(1, text) | list }}",
        "{{ text | replace('x', text) }}",
        "{{ text | indent(99999999) }}",
        "{{ '%99999999s' | format(text) }}",
        "{% macro m(x) %}{{ m([x, x]) }}{% endmacro %}{{ m(text) }}",
        "{% macro m(x) %}{{ x }}{{ x }}{% endmacro %}{{ m(m(m(m(m(m(text)))))) }}",
        "{% for i in [1] recursive %}{{ loop([i]) }}{% endfor %}",
        "{% for i in range(20000) %}{{ text }}{% endfor %}",
        "{% set x %}{% for i in range(9000) %}{{ text }}{% endfor %}{% endset %}{{ x }}",
        "{% for i in [1, 2] %}{% if loop.changed(loop) %}x{% endif %}{% endfor %}",
        "{% set l = [text] %}{% for i in l %}{{ [loop] }}{% endfor %}",
    ] {
        let rules = template(body);
        try_event(rules.path(), &data).lived("t.j2");
    }
}

#[test]
fn lazy_values_in_lazy_values_end() {
    for filter in
        ["[1:]", "[::-1]", " | reverse", " | batch(2)", " + x", " | list", " | map('string')", "[:-1] + x"]
    {
        let body =
            format!("{{% set x = range(9) | list %}}{}", format!("{{% set x = x{filter} %}}").repeat(1_900));
        let rules = template(&format!("{body}{{{{ x | length }}}}"));
        try_event(rules.path(), &json!({"text": "x"})).lived("decided by");
    }
}

#[test]
fn long_chains_are_told_when_they_are_compiled() {
    for (begin, part, end) in [
        ("{{ text", ".b", " }}"),
        ("{{ text", " ~ text", " }}"),
        ("{{ text", " + text", " }}"),
        ("{{ text", " and text", " }}"),
        ("{{ text", " or text", " }}"),
        ("{{ ", "not ", "text }}"),
        ("{{ ", "-", "n }}"),
        ("{{ text", " | upper", " }}"),
        ("{{ text", "[0]", " }}"),
        ("{{ text", "()", " }}"),
        ("{{ text", ".a()", " }}"),
        ("{{ text", " is defined", " }}"),
        ("{{ n", " < n", " }}"),
        ("{{ text", " if n else text", " }}"),
        ("{{ [", "text, ", "] }}"),
        ("{{ ", "(", "n }}"),
        ("{{ ", "[", "n }}"),
        ("{% if n %}", "{% elif n %}", "{% endif %}"),
        ("", "{% if n %}", ""),
        ("", "{% for a in text %}", ""),
        ("", "{{ n }}", ""),
        ("", "{# #}", ""),
        ("{% set x = n %}", "{% set x = [x] %}", "{{ x }}"),
        ("{% macro a(b) %}", "{% call a() %}", ""),
        ("{{ '", "\\n", "' }}"),
    ] {
        for bytes in [20_000, 900_000] {
            let rules = template(&format!("words {begin}{}{end}", part.repeat(bytes / part.len())));
            check(rules.path()).lived(" in ");
        }
    }
}

#[test]
fn what_templates_do_in_earnest_still_works() {
    let body = "{% set ns = namespace(total=0, names=[]) %}{% for i in [1, 2, 3] %}{% set ns.total = ns.total + i %}\
                {% set ns.names = ns.names + [i ~ '!'] %}{% endfor %}{{ ns.total }} {{ ns.names | join(', ') }} \
                {{ [text, n] | select | join(' ') }} {{ n * 2 }} {{ {'a': n}.a }} {{ text[0] }} \
                {% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}{{ twice(n) }} {{ 2 in [1, 2] }} {{ text is string }}";
    let rules = template(body);
    let ended = try_event(rules.path(), &json!({"text": "words", "n": 7}));
    ended.lived("6 1!, 2!, 3! words 7 14 7 w 77 True");
}
