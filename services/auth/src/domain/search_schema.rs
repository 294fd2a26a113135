//! Search schemas: which top-level keys of extended data queries can filter and sort by.

use serde_json::Value;
use stoa_proto::auth as pb;
use stoa_types::{Problem, Problems, SourceKind};

/// Most schemas of one kind of resource.
pub(crate) const MAX_PER_KIND: i64 = 100;
/// Longest key, in characters.
const MAX_KEY: usize = 100;
/// Longest description, in characters.
const MAX_DOC: usize = 1000;

/// Kinds of resources and the scopes of their extended data.
const SCOPES: &[(&str, &[&str])] = &[
    ("listing", &["public", "metadata"]),
    (
        "userProfile",
        &["public", "private", "protected", "metadata"],
    ),
    ("transaction", &["protected", "metadata"]),
];

const TYPES: &[&str] = &["enum", "multi-enum", "boolean", "long", "text"];

/// Checks a schema whole.
///
/// # Errors
/// Everything that is wrong with it, 400 each, with the path of the operator API.
pub(crate) fn check(schema: &pb::SearchSchema) -> Result<(), Problems> {
    let mut found = check_name(&schema.schema_for, &schema.scope, &schema.key);
    let kind = schema.schema_type.as_str();
    if !TYPES.contains(&kind) {
        found.push(invalid("schemaType", format!("must be one of {TYPES:?}")));
    } else if kind == "text" && schema.schema_for == "userProfile" {
        found.push(invalid("schemaType", "user profiles have no text schemas"));
    }
    if let Some(json) = &schema.default_json
        && let Err(why) = check_default(kind, json)
    {
        found.push(invalid("default", why));
    }
    if let Some(doc) = &schema.doc
        && (doc.chars().count() > MAX_DOC || doc.contains('\0'))
    {
        found.push(invalid("doc", "must have at most 1000 characters"));
    }
    Problems::check(found)
}

/// Whether this is a kind of resource that has schemas.
pub(crate) fn is_kind(kind: &str) -> bool {
    SCOPES.iter().any(|(known, _)| *known == kind)
}

/// Checks what names a schema.
pub(crate) fn check_name(schema_for: &str, scope: &str, key: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    match SCOPES.iter().find(|(kind, _)| *kind == schema_for) {
        None => found.push(invalid(
            "schemaFor",
            "must be listing, userProfile or transaction",
        )),
        Some((_, scopes)) if !scopes.contains(&scope) => {
            found.push(invalid("scope", format!("must be one of {scopes:?}")));
        }
        Some(_) => {}
    }
    if key.is_empty() || key.chars().count() > MAX_KEY {
        found.push(invalid("key", "must have 1 to 100 characters"));
    } else if key.contains('.') {
        found.push(invalid("key", "only top-level keys can have a schema"));
    } else if key.chars().any(char::is_control) {
        found.push(invalid("key", "must not contain control characters"));
    }
    found
}

fn check_default(kind: &str, json: &str) -> Result<(), &'static str> {
    let value: Value = serde_json::from_str(json).map_err(|_| "must be a JSON value")?;
    let text = |value: &Value| {
        value
            .as_str()
            .is_some_and(|text| !text.is_empty() && !text.contains('\0'))
    };
    let (fits, why) = match kind {
        "boolean" => (value.is_boolean(), "must be true or false"),
        // The official CLI sends what it parsed as a number; a fraction is an error there too.
        "long" => (value.is_i64(), "must be an integer"),
        "multi-enum" => (
            value
                .as_array()
                .is_some_and(|list| !list.is_empty() && list.iter().all(text)),
            "must be a list of strings",
        ),
        "enum" | "text" => (text(&value), "must be a string"),
        // The type itself is reported.
        _ => (true, ""),
    };
    if fits { Ok(()) } else { Err(why) }
}

fn invalid(field: &'static str, why: impl Into<String>) -> Problem {
    Problem::invalid_value(SourceKind::Body, vec![field.into()], why)
}

/// Name of a schema: `listing.public.category`.
pub(crate) fn path(schema: &pb::SearchSchema) -> String {
    format!("{}.{}.{}", schema.schema_for, schema.scope, schema.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::PathItem;

    fn schema(
        schema_for: &str,
        scope: &str,
        schema_type: &str,
        default: Option<&str>,
    ) -> pb::SearchSchema {
        pb::SearchSchema {
            schema_for: schema_for.into(),
            scope: scope.into(),
            key: "accessories".into(),
            schema_type: schema_type.into(),
            default_json: default.map(str::to_owned),
            doc: None,
        }
    }

    fn paths(schema: &pb::SearchSchema) -> Vec<PathItem> {
        let problems = match check(schema) {
            Ok(()) => return Vec::new(),
            Err(problems) => problems,
        };
        problems
            .as_slice()
            .iter()
            .map(|p| {
                assert_eq!(p.status, 400);
                p.source.as_ref().unwrap().path[0].clone()
            })
            .collect()
    }

    // contract: search S42
    #[test]
    fn every_type_and_scope_of_the_table_is_accepted() {
        for (kind, scopes) in SCOPES {
            for scope in *scopes {
                for schema_type in TYPES {
                    let refused = *kind == "userProfile" && *schema_type == "text";
                    let found = paths(&schema(kind, scope, schema_type, None));
                    assert_eq!(found.is_empty(), !refused, "{kind} {scope} {schema_type}");
                }
            }
        }
    }

    #[test]
    fn scopes_belong_to_their_kind() {
        for (kind, scope) in [
            ("listing", "private"),
            ("listing", "protected"),
            ("transaction", "public"),
            ("userProfile", ""),
        ] {
            assert_eq!(paths(&schema(kind, scope, "enum", None)), ["scope".into()]);
        }
        assert_eq!(
            paths(&schema("review", "public", "enum", None)),
            ["schemaFor".into()]
        );
    }

    // contract: search S11
    #[test]
    fn a_key_with_a_dot_is_refused() {
        let mut nested = schema("listing", "public", "long", None);
        for bad in ["a.b", ".", "", "a\0", &"k".repeat(101)] {
            nested.key = bad.to_owned();
            assert_eq!(paths(&nested), ["key".into()], "{bad:?}");
        }
    }

    #[test]
    fn a_default_has_the_type_of_its_schema() {
        for (schema_type, good, bad) in [
            ("boolean", "false", r#""false""#),
            ("long", "-3", "3.5"),
            ("long", "0", "1e3"),
            ("enum", r#""a""#, r#"["a"]"#),
            ("multi-enum", r#"["a","b"]"#, r#"["a",1]"#),
            ("text", r#""t""#, "{"),
        ] {
            let of = |json| schema("listing", "public", schema_type, Some(json));
            assert_eq!(paths(&of(good)), [], "{schema_type} {good}");
            assert_eq!(paths(&of(bad)), ["default".into()], "{schema_type} {bad}");
        }
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let mut bad = schema("listing", "private", "float", Some("{"));
        bad.key = "a.b".into();
        let expected: [PathItem; 4] = [
            "scope".into(),
            "key".into(),
            "schemaType".into(),
            "default".into(),
        ];
        assert_eq!(paths(&bad), expected);
    }
}
