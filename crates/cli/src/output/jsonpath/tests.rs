use serde_json::json;

use super::*;

fn pods() -> Value {
    json!({
        "kind": "List",
        "items": [
            {
                "metadata": { "name": "a", "labels": { "app.kubernetes.io/name": "web", "tier": "front" } },
                "spec": { "nodeName": "one", "containers": [{ "name": "main", "image": "web:1" }, { "name": "side", "image": "log:2" }] },
                "status": { "phase": "Running", "restarts": 3, "ready": true }
            },
            {
                "metadata": { "name": "b", "labels": { "tier": "back" } },
                "spec": { "containers": [{ "name": "main", "image": "db:1" }] },
                "status": { "phase": "Pending", "restarts": 0, "ready": false }
            }
        ]
    })
}

fn render(template: &str) -> String {
    match JsonPath::parse(template) {
        Ok(path) => path
            .render(&pods())
            .unwrap_or_else(|error| format!("error: {error}")),
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn a_field_is_shown_bare() {
    assert_eq!(render("{.kind}"), "List");
    assert_eq!(render("{kind}"), "List");
    assert_eq!(render("{$.kind}"), "List");
    assert_eq!(render("{ .kind }"), "List");
}

#[test]
fn text_outside_braces_stands_for_itself() {
    assert_eq!(render(".kind"), ".kind");
    assert_eq!(render("kind: {.kind}!"), "kind: List!");
}

#[test]
fn quoted_text_knows_escapes() {
    assert_eq!(render(r#"{"a\tb\n"}{'c"'}{"\"}"}"#), "a\tb\nc\"\"}");
    assert_eq!(render(r#"{.kind "\n" .items[0].metadata.name}"#), "List\na");
}

#[test]
fn several_results_are_joined_by_spaces() {
    assert_eq!(render("{.items[*].metadata.name}"), "a b");
    assert_eq!(render("{.items[*].spec.containers[*].image}"), "web:1 log:2 db:1");
    assert_eq!(
        render("{.items[*]['metadata.name', 'status'].phase}"),
        "Running Pending"
    );
}

#[test]
fn what_is_missing_leaves_no_text() {
    assert_eq!(render("<{.nothing.here}>"), "<>");
    assert_eq!(render("{.items[*].spec.nodeName}"), "one");
    assert_eq!(render("{.nothing[0]}{.nothing[*]}{.nothing[?(@.a)]}"), "");
}

#[test]
fn indexes_count_from_both_ends() {
    assert_eq!(
        render("{.items[0].metadata.name}{.items[-1].metadata.name}"),
        "ab"
    );
    assert_eq!(render("{.items[1,0].metadata.name}"), "b a");
    assert_eq!(
        render("{.items[2]}"),
        "error: jsonpath: array index out of bounds: index 2, length 2"
    );
    assert_eq!(
        render("{.items[-3]}"),
        "error: jsonpath: array index out of bounds: index -3, length 2"
    );
    assert_eq!(render("{.kind[0]}"), "error: jsonpath: a text is not a list");
}

#[test]
fn slices_have_start_end_and_step() {
    let document = json!({ "n": [0, 1, 2, 3, 4, 5] });
    let render = |template: &str| JsonPath::parse(template).unwrap().render(&document).unwrap();
    assert_eq!(render("{.n[1:3]}"), "1 2");
    assert_eq!(render("{.n[:2]}"), "0 1");
    assert_eq!(render("{.n[4:]}"), "4 5");
    assert_eq!(render("{.n[-2:]}"), "4 5");
    assert_eq!(render("{.n[0:6:2]}"), "0 2 4");
    assert_eq!(render("{.n[::3]}"), "0 3");
    assert_eq!(render("{.n[3:1]}{.n[7:9]}"), "");
}

#[test]
fn filters_compare_with_a_literal() {
    assert_eq!(
        render(r#"{.items[?(@.status.phase=="Running")].metadata.name}"#),
        "a"
    );
    assert_eq!(
        render("{.items[?(@.status.phase != 'Running')].metadata.name}"),
        "b"
    );
    assert_eq!(render("{.items[?(@.status.restarts>2)].metadata.name}"), "a");
    assert_eq!(render("{.items[?(@.status.restarts <= 0)].metadata.name}"), "b");
    assert_eq!(render("{.items[?(@.status.ready==true)].metadata.name}"), "a");
    assert_eq!(render("{.items[?(@.status.restarts=='3')].metadata.name}"), "");
    assert_eq!(
        render(r#"{.items[?(@.metadata.labels['tier']=="back")].metadata.name}"#),
        "b"
    );
}

#[test]
fn filters_ask_whether_a_field_is_there() {
    assert_eq!(render("{.items[?(@.spec.nodeName)].metadata.name}"), "a");
}

#[test]
fn filters_compare_two_fields() {
    let document =
        json!({ "want": 2, "d": [{ "n": "a", "have": 1, "need": 1 }, { "n": "b", "have": 2, "need": 3 }] });
    let render = |template: &str| JsonPath::parse(template).unwrap().render(&document).unwrap();
    assert_eq!(render("{.d[?(@.have == @.need)].n}"), "a");
    assert_eq!(render("{.d[?(@.have == $.want)].n}"), "b");
}

#[test]
fn a_filter_never_passes_what_lacks_the_field() {
    assert_eq!(render("{.items[?(@.spec.nodeName!='two')].metadata.name}"), "a");
}

#[test]
fn ranges_repeat_their_body() {
    assert_eq!(
        render(r#"{range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}"#),
        "a\tRunning\nb\tPending\n"
    );
    assert_eq!(
        render("{range .items[*]}{.metadata.name}:{range .spec.containers[*]}<{.name}>{end};{end}"),
        "a:<main><side>;b:<main>;"
    );
    assert_eq!(
        render("{range .items[*]}{$.kind} {@.metadata.name},{end}"),
        "List a,List b,"
    );
    assert_eq!(render("{range .none[*]}never{end}"), "");
}

#[test]
fn descent_finds_a_name_at_any_depth() {
    assert_eq!(render("{..image}"), "web:1 log:2 db:1");
    assert_eq!(render("{.items[0]..name}"), "a main side");
    assert_eq!(render("{..containers[0].image}"), "web:1 db:1");
}

#[test]
fn wildcards_take_every_field() {
    assert_eq!(render("{.items[1].status.*}"), "Pending false 0");
    assert_eq!(render("{.items[1].metadata.labels[*]}"), "back");
}

#[test]
fn dots_in_a_name_are_escaped_or_quoted() {
    assert_eq!(
        render(r"{.items[0].metadata.labels.app\.kubernetes\.io/name}"),
        "web"
    );
    assert_eq!(
        render("{.items[0].metadata.labels['app.kubernetes.io/name']}"),
        "web"
    );
    assert_eq!(
        render(r#"{.items[0].metadata.labels["app.kubernetes.io/name"]}"#),
        "web"
    );
}

#[test]
fn lists_and_mappings_are_shown_as_json() {
    assert_eq!(render("{.items[1].metadata.labels}"), r#"{"tier":"back"}"#);
    assert_eq!(
        render("{.items[1].spec.containers}"),
        r#"[{"image":"db:1","name":"main"}]"#
    );
    assert_eq!(
        render("{.items[0].status.restarts} {.items[0].status.ready}"),
        "3 true"
    );
    assert_eq!(
        JsonPath::parse("{@}{.}")
            .unwrap()
            .render(&json!({ "a": 1 }))
            .unwrap(),
        r#"{"a":1}{"a":1}"#
    );
}

#[test]
fn malformed_templates_say_what_is_wrong() {
    for (template, problem) in [
        ("{.kind", "a `{` is not closed"),
        ("{.items[0}", "`]` is missing before `}`"),
        ("{.items[x]}", "no index"),
        (
            "{.items[?(@.a==)]}",
            "@.path, a number, true, false or a quoted text is missing before `)]}`",
        ),
        ("{.items[?(@.a==nope)]}", "quoted text"),
        ("{.items[?(@.a]}", "a comparison or `)` is missing"),
        ("{range .items[*]}", "{range} without {end}"),
        ("{end}", "{end} without {range}"),
        ("{\"open}", "a quote is not closed"),
        ("{=}", "a path such as"),
        ("{.n[0:1:0]}", "step of a slice"),
    ] {
        let error = JsonPath::parse(template).unwrap_err().to_string();
        assert!(error.contains(problem), "{template}: {error}");
    }
    assert!(JsonPath::parse(&"{range .a}".repeat(1000)).is_err());
}

#[test]
fn names_may_start_like_keywords() {
    let document = json!({ "endpoints": 1, "ranges": 2 });
    assert_eq!(
        JsonPath::parse("{endpoints}{ranges}")
            .unwrap()
            .render(&document)
            .unwrap(),
        "12"
    );
}

#[test]
fn a_relaxed_expression_needs_no_braces() {
    let find = |expression: &str| {
        let path = JsonPath::parse_relaxed(expression).unwrap();
        path.find(&pods())
            .unwrap()
            .into_iter()
            .map(show)
            .collect::<Vec<_>>()
            .join(" ")
    };
    for expression in ["kind", ".kind", "{.kind}", "$.kind", " {kind} "] {
        assert_eq!(find(expression), "List", "{expression}");
    }
    assert_eq!(find("{range .items[*]}{.metadata.name}{end}"), "a b");
}

#[test]
fn a_template_that_comes_to_too_much_is_refused() {
    let nested = |depth: usize| {
        let template = "{range $..*}".repeat(depth) + "{.name}" + &"{end}".repeat(depth);
        JsonPath::parse(&template).unwrap().render(&pods())
    };
    assert!(nested(1).is_ok());
    let refused = nested(12).unwrap_err();
    assert!(matches!(refused, JsonPathError::TooMuch { .. }), "{refused}");
}
