//! The language, rule by rule.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn html(source: &str, context: &Json) -> String {
    with_assets(source, context, json!({}))
}

fn with_assets(source: &str, context: &Json, assets: Json) -> String {
    let Json::Object(assets) = assets else {
        panic!("assets are an object");
    };
    let assets: BTreeMap<String, Json> = assets.into_iter().collect();
    let template = Template::parse(source, Part::Html).unwrap_or_else(|f| panic!("{source}: {f}"));
    template.render(context, &assets).unwrap()
}

fn subject(source: &str, context: &Json) -> String {
    let template = Template::parse(source, Part::Subject).unwrap();
    template.render(context, &BTreeMap::new()).unwrap()
}

fn refused(source: &str) -> Fault {
    Template::parse(source, Part::Html).expect_err(source)
}

// contract: operator N6
#[test]
fn a_name_is_looked_up_in_the_enclosing_contexts() {
    let context =
        json!({"b": "root", "c": {"d": 1}, "a": {"x": 1, "list": [{"y": 2}, {"b": null}]}});
    for (source, expected) in [
        ("{{#with a}}{{b}}{{/with}}", "root"),
        (
            "{{#with a}}{{#each list}}{{b}}{{x}}{{y}} {{/each}}{{/with}}",
            "root12 root1 ",
        ),
        (
            "{{#with a}}{{this.b}}{{./b}}{{../b}}{{c.d}}{{@root.b}}{{/with}}",
            "root1root",
        ),
        (
            "{{#each a.list}}{{@index}}{{@first}}{{@last}}{{../b}};{{/each}}",
            "0truefalseroot;1falsetrueroot;",
        ),
        ("{{#each a as |v k|}}{{k}},{{/each}}", "x,list,"),
        (
            "{{#with a as |z|}}{{z.x}}{{/with}}{{a.list.[0].y}}{{a.list.length}}",
            "122",
        ),
    ] {
        assert_eq!(html(source, &context), expected, "{source}");
    }
}

// contract: operator N7
#[test]
fn the_hash_of_a_partial_is_seen_inside_of_a_with() {
    let context = json!({
        "items": [{"price": {"amount": 3}}, {"price": {"amount": 4}}],
        "plan": {"zone": "z"}, "money": "outside",
    });
    let source = "{{#*inline \"p\"}}{{#with plan}}[{{money.amount}} {{zone}}{{../../x}}]{{/with}}{{/inline}}\
                  {{#each items}}{{> p money=price}}{{/each}}";
    assert_eq!(html(source, &context), "[3 z][4 z]");
}

#[test]
fn what_is_missing_renders_nothing() {
    let context =
        json!({"zero": 0, "empty": "", "none": [], "no": false, "nil": null, "yes": "y", "o": {}});
    for (source, expected) in [
        (
            "{{#with a.b}}x{{/with}}{{#with nil}}x{{else}}e{{/with}}",
            "e",
        ),
        ("{{a.b.c}}{{nil}}{{o}}|{{no}}{{zero}}", "|false0"),
        (
            "{{#if zero}}x{{/if}}{{#if empty}}x{{/if}}{{#if none}}x{{/if}}{{#if no}}x{{/if}}{{#if a}}x{{/if}}",
            "",
        ),
        (
            "{{#if o}}o{{/if}}{{#unless zero}}u{{/unless}}{{#if yes}}a{{else}}b{{/if}}",
            "oua",
        ),
        (
            "{{#each none}}x{{else}}e{{/each}}{{#each a}}x{{else}}e{{/each}}",
            "ee",
        ),
        ("{{#if a}}1{{else if yes}}2{{else}}3{{/if}}", "2"),
        (
            "{{#yes}}s{{this}}{{/yes}}{{^a}}n{{/a}}{{#a}}x{{^}}e{{/a}}",
            "syne",
        ),
    ] {
        assert_eq!(html(source, &context), expected, "{source}");
    }
}

// contract: operator N8
#[test]
fn values_are_escaped_in_html_and_not_in_the_subject() {
    let context = json!({"name": "<script>&\"'"});
    assert_eq!(
        html("{{name}}", &context),
        "&lt;script&gt;&amp;&quot;&#x27;"
    );
    assert_eq!(subject("{{name}}", &context), "<script>&\"'");
    let source = "{{t \"K\" \"<b>{n}</b>\" n=name}}";
    assert_eq!(
        html(source, &context),
        "<b>&lt;script&gt;&amp;&quot;&#x27;</b>"
    );
    assert_eq!(subject(source, &context), "<b><script>&\"'</b>");
}

// contract: operator N12
#[test]
fn eq_and_contains_choose_a_branch_and_keep_the_context() {
    let context =
        json!({"x": {"for": ["provider"], "code": "line-item/night", "n": 2, "m": 2.0}, "y": 1});
    for (source, expected) in [
        (
            "{{#with x}}{{#contains for \"provider\"}}{{code}}{{else}}no{{/contains}}{{/with}}",
            "line-item/night",
        ),
        (
            "{{#with x}}{{#eq \"line-item/night\" code}}a{{else}}b{{/ eq}}{{/with}}",
            "a",
        ),
        (
            "{{#eq x.n x.m}}a{{/eq}}{{#eq \"2\" x.n}}b{{else}}c{{/eq}}{{#eq q r}}d{{/eq}}",
            "acd",
        ),
        (
            "{{#contains q \"x\"}}a{{else}}b{{/contains}}{{#if (eq y 1)}}c{{/if}}",
            "bc",
        ),
    ] {
        assert_eq!(html(source, &context), expected, "{source}");
    }
}

// contract: operator N9
#[test]
fn a_message_has_links() {
    let source = "{{t \"K\" \"See <l>{n}</l>.\" n=name l=(html-tag \"a\" href=(concat url \"/?a=1&b=\" name) target=(concat \"_blank\"))}}";
    let context = json!({"name": "<x>", "url": "https://m"});
    assert_eq!(
        html(source, &context),
        "See <a href=\"https://m/?a&#x3D;1&amp;b&#x3D;&lt;x&gt;\" target=\"_blank\">&lt;x&gt;</a>."
    );
    assert_eq!(subject(source, &context), "See <x>.");
}

// contract: operator N3 (the language)
#[test]
fn a_translation_replaces_its_fallback() {
    let assets = json!({
        "texts": {"A.B": "Hei {n}", "Bad": "{oops"},
        "more": {"A.B": "x", "C": "third {n}"},
    });
    let context = json!({"n": "Ada"});
    let source = "{{t \"A.B\" \"Hi {n}\" n=n}}{{set-translations (asset \"texts\") (asset \"more\")}} \
                  {{t \"A.B\" \"Hi\" n=n}} {{t \"C\" \"f\" n=n}} {{t \"Bad\" \"good\"}} {{t \"None\" n}}";
    assert_eq!(
        with_assets(source, &context, assets),
        "Hi Ada Hei Ada third Ada good Ada"
    );
}

// contract: operator N13
#[test]
fn an_asset_has_keys_and_a_default() {
    let assets = json!({"b.json": {"colors": {"button": "#123456"}}});
    let source = "{{asset \"b.json\" \"colors.button\" \"#fff\"}} {{asset \"b.json\" \"colors.x\" \"#fff\"}} \
                  {{asset \"c.json\" \"x\" \"#000\"}}[{{asset \"c.json\"}}]{{{asset \"c\" \"x\" \"<i>\"}}}";
    assert_eq!(
        with_assets(source, &json!({}), assets),
        "#123456 #fff #000[]<i>"
    );
}

// contract: operator N4
#[test]
fn locale_and_zone_hold_until_they_are_set_again() {
    let context = json!({
        "at": {"year": 2017, "month": 12, "day": 1, "hours": 18, "minutes": 30},
        "tz": "Europe/Helsinki", "n": 1234.5,
    });
    let source = "{{set-locale \"fi_FI\"}}{{set-timezone tz}}{{format-text \"{at,date,::jmm} {at,date,::YYYYMMMd} {n,number,::.00}\" at=at n=n}}\
                  {{set-timezone nothing}}{{set-locale \"en\"}} {{format-text \"{at,date,::jmm}\" at=at}}";
    let text = html(source, &context).replace(['\u{a0}', '\u{202f}'], " ");
    assert_eq!(text, "20.30 1.12.2017 1 234,50 6:30 PM");
}

// contract: operator N11, N14
#[test]
fn money_numbers_and_dates() {
    let context = json!({
        "eur": {"amount": 1810, "currency": "EUR"}, "jpy": {"amount": 810, "currency": "JPY"},
        "c": {"amount": 32.13, "currency": "USD"},
        "first": {"year": 2020, "month": 3, "day": 1}, "n": 2.0, "s": "a b/ü&é~*",
    });
    for (source, expected) in [
        (
            "{{money-amount eur}} {{money-amount jpy}} {{money-amount c}}[{{money-amount x}}]",
            "1,810.00 810 32.13[]",
        ),
        (
            "{{money-amount eur lang=\"de-DE\"}} {{number n}} {{number n min-fraction-digits=2}}",
            "1.810,00 2 2.00",
        ),
        (
            "{{number 1.23456 max-fraction-digits=1}} {{n}} {{inflect n \"night\" \"nights\"}} {{inflect 1 \"a\" \"b\"}}",
            "1.2 2 nights a",
        ),
        (
            "{{date (date-transform first days=-1) format=\"d MMM YYYY\"}} {{date-day-before first format=\"M/d\"}}",
            "29 Feb 2020 2/29",
        ),
        (
            "{{date first format=\"EEEE\" lang=\"fi-FI\" tz=\"Etc/UTC\"}}[{{date x format=\"d\"}}]",
            "sunnuntaina[]",
        ),
        (
            "{{url-encode s}} {{form-encode s}}",
            "a%20b%2F%C3%BC%26%C3%A9~%2A a+b%2F%C3%BC%26%C3%A9%7E*",
        ),
        ("{{concat \"a\" x 1 true}}", "a1true"),
    ] {
        assert_eq!(html(source, &context), expected, "{source}");
    }
}

#[test]
fn whitespace_is_kept_or_taken_as_in_handlebars() {
    let context = json!({"a": 1, "l": [1, 2]});
    for (source, expected) in [
        ("x {{~ a ~}} y", "x1y"),
        ("x\n{{#if a}}\n  in\n{{/if}}\ny", "x\n  in\ny"),
        ("{{#each l}}\n- {{this}}\n{{/each}}\n", "- 1\n- 2\n"),
        ("a\n  {{! alone }}\nb {{!-- x }} --}} c", "a\nb  c"),
        (
            "{{#*inline \"p\"}}\nl1\nl2\n{{/inline}}\n  {{> p}}\nend",
            "  l1\n  l2\nend",
        ),
        ("{{#if a}}\nyes\n{{else}}\nno\n{{/if}}\n", "yes\n"),
        ("\\{{a}} \\\\{{a}} {{a}}", "{{a}} \\1 1"),
        ("{{~#*inline \"p\"~}} x {{~/inline~}} <{{> p}}>", "<x>"),
    ] {
        assert_eq!(html(source, &context), expected, "{source}");
    }
}

// contract: operator N15 (the language)
#[test]
fn a_fault_says_what_and_where() {
    let fault = refused("line one\n  {{bogus x}}");
    assert_eq!(fault.reason, "unknown helper: bogus");
    assert_eq!((fault.line, fault.column), (2, 5));
    assert_eq!(fault.evidence, "  {{bogus x}}\n    ^");
    for (source, reason) in [
        ("{{#if a}}x", "#if is not closed"),
        ("{{#if a}}x{{/with}}", "/with does not close #if"),
        ("{{/if}}", "/if closes nothing"),
        ("{{else}}", "else stands outside of any block"),
        ("{{#if}}{{/if}}", "if needs 1 parameters"),
        ("{{#bogus a}}{{/bogus}}", "unknown helper: bogus"),
        ("{{> nowhere}}", "unknown partial: nowhere"),
        ("{{(lookup a b)}}", "unknown helper: lookup"),
        ("{{t \"K\" \"{oops\"}}", "t: the message cannot be read"),
        ("{{t \"K", "the string has no end"),
        ("{{{name}}}", "only t, format-text and asset"),
        ("{{&name}}", "only t, format-text and asset"),
        ("{{#*deco \"x\"}}{{/deco}}", "unknown decorator: deco"),
        ("{{{{raw}}}}{{{{/raw}}}}", "raw blocks"),
        ("{{#> p}}{{/p}}", "partials with a body"),
        ("{{> (concat \"a\")}}", "the name of a partial"),
        ("{{a", "the tag has no end"),
        ("{{!-- x", "the comment has no end"),
        ("{{if a}}", "if needs a body"),
        ("{{t}}", "t needs 1 parameters"),
        ("{{a b=1 c}}", "a parameter must come before"),
        ("{{}}", "expected a name"),
    ] {
        let fault = refused(source);
        assert!(
            fault.reason.starts_with(reason),
            "{source}: {}",
            fault.reason
        );
    }
    assert!(refused(&"{{#if a}}".repeat(100)).reason.contains("nested"));
    assert!(
        refused(&format!("{{{{concat {}", "(concat ".repeat(100)))
            .reason
            .contains("nested")
    );
}

// contract: security S62
#[test]
fn a_template_without_end_is_stopped() {
    let many: Vec<u32> = (0..200).collect();
    let too_many: Vec<u32> = (0..10_001).collect();
    let context = json!({"many": many, "tooMany": too_many});
    let nested = "{{#each many}}{{#each @root.many}}{{#each @root.many}}{{concat \"x\"}}{{/each}}{{/each}}{{/each}}";
    let big = format!("{{{{#each many}}}}{}{{{{/each}}}}", "x".repeat(10_000));
    for (source, reason) in [
        (
            "{{#*inline \"a\"}}{{> a}}{{/inline}}{{> a}}",
            "nested too deep",
        ),
        (
            "{{#*inline \"a\"}}{{> b}}{{/inline}}{{#*inline \"b\"}}{{> a}}{{/inline}}{{> a}}",
            "nested too deep",
        ),
        (nested, "too"),
        (&big, "longer than 1 MB"),
        ("{{#each tooMany}}x{{/each}}", "10000 elements"),
    ] {
        let template = Template::parse(source, Part::Html).unwrap();
        let fault = template.render(&context, &BTreeMap::new()).unwrap_err();
        assert!(fault.reason.contains(reason), "{}", fault.reason);
    }
    assert!(Template::parse(&"x".repeat(SOURCE_MAX + 1), Part::Html).is_err());
}

fn pieces() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        Just("a"),
        Just("b.c"),
        Just("../x"),
        Just("@index"),
        Just("this"),
        Just("\"s{n}\""),
        Just("'q'"),
        Just("12"),
        Just("-1"),
        Just("k=a"),
        Just("(concat a b)"),
        Just("(html-tag \"a\" href=a)"),
        Just("[x y]"),
        Just("as |z|"),
        Just("null"),
    ];
    let tag = (
        prop_oneof![
            Just("{{"),
            Just("{{~"),
            Just("{{{"),
            Just("{{#if "),
            Just("{{#each "),
            Just("{{#with "),
            Just("{{> p "),
            Just("{{/if"),
            Just("{{/each"),
            Just("{{else"),
            Just("{{^"),
            Just("{{!"),
            Just("{{#*inline "),
            Just("{{/inline"),
            Just("{{t "),
            Just("{{date "),
            Just("{{number "),
            Just("{{eq "),
            Just("{{#eq "),
            Just("{{date-transform "),
            Just("{{asset "),
            Just("{{format-text "),
            Just("\\{{"),
        ],
        prop::collection::vec(word, 0..4),
        prop_oneof![Just("}}"), Just("~}}"), Just("}}}"), Just("")],
    );
    let tag = tag.prop_map(|(open, words, close)| format!("{open}{}{close}", words.join(" ")));
    let text = prop_oneof![
        Just("text\n".to_owned()),
        Just(" \n".to_owned()),
        Just("é".to_owned())
    ];
    prop::collection::vec(prop_oneof![3 => tag, 1 => text], 0..12).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn no_template_makes_it_panic(source in pieces()) {
        let context = json!({"a": [1, {"x": "y"}], "b": {"c": {"year": 2020}}, "x": -1e300, "n": null});
        if let Ok(template) = Template::parse(&source, Part::Html) {
            let _ = template.render(&context, &BTreeMap::new());
        }
    }

    #[test]
    fn no_text_makes_it_panic(source in "\\PC{0,80}") {
        if let Ok(template) = Template::parse(&source, Part::Subject) {
            let _ = template.render(&json!({}), &BTreeMap::new());
        }
    }

    #[test]
    fn text_without_tags_stays(source in "[^{}\\\\]{0,200}") {
        prop_assert_eq!(html(&source, &json!({})), source);
    }

    #[test]
    fn an_escaped_value_has_no_angle_or_quote(value in "\\PC{0,60}") {
        let out = html("{{v}}", &json!({ "v": value }));
        prop_assert!(!out.contains(['<', '>', '"', '\'']));
    }
}
