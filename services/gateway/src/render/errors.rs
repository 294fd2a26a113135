//! The error envelope.

use stoa_codec::{Format, Writer};
use stoa_types::{PathItem, Problem, Problems, SourceKind};
use uuid::Uuid;

/// The body of a refusal. The first error has the id of the request, which names it in the log;
/// the others have ids next to it.
pub(crate) fn body(problems: &Problems, id: Uuid, format: Format) -> Vec<u8> {
    let mut w = Writer::with_capacity(format, 256);
    w.map().key_array("errors");
    for (problem, nth) in problems.as_slice().iter().zip(0_u128..) {
        write(&mut w, problem, Uuid::from_u128(id.as_u128() ^ nth));
    }
    w.end_array().end_map();
    // Nothing in it is stored JSON, which alone could be damaged.
    w.finish().unwrap_or_default()
}

fn write(w: &mut Writer, problem: &Problem, id: Uuid) {
    w.map()
        .key_uuid("id", &id.to_string())
        .key_integer("status", i64::from(problem.status))
        .key_keyword("code", &problem.code)
        .key_string("title", &problem.title);
    if let Some(details) = &problem.details {
        w.key_string("details", details);
    }
    if let Some(source) = &problem.source {
        w.key_map("source").key_array("path");
        for item in &source.path {
            match item {
                PathItem::Key(key) => w.string(key),
                PathItem::Index(index) => w.integer(i64::try_from(*index).unwrap_or(i64::MAX)),
            };
        }
        w.end_array();
        let kind = match source.kind {
            SourceKind::Body => "body",
            SourceKind::Query => "query",
        };
        w.key_keyword("type", kind).end_map();
    }
    if !problem.meta.is_empty() {
        w.key_map("meta");
        for (key, value) in &problem.meta {
            w.key_string(key, value);
        }
        w.end_map();
    }
    w.end_map();
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: wire 1.6 row 15, wire 3.6
    #[test]
    fn a_validation_error_names_the_place() {
        let problem = Problem::missing_key(SourceKind::Body, vec!["price".into(), 0.into()]);
        let id = Uuid::nil();
        let json = String::from_utf8(body(&problem.into(), id, Format::Json)).unwrap();
        assert_eq!(
            json,
            r#"{"errors":[{"id":"00000000-0000-0000-0000-000000000000","status":400,"code":"validation-missing-key","title":"A required parameter is missing","source":{"path":["price",0],"type":"body"}}]}"#
        );
    }

    // contract: wire 3.6 (`id` is unique per occurrence)
    #[test]
    fn every_error_of_an_answer_has_an_id_of_its_own() {
        let found = vec![
            Problem::not_found(),
            Problem::forbidden(),
            Problem::internal(),
        ];
        let problems = Problems::check(found).unwrap_err();
        let json = body(&problems, Uuid::from_u128(42), Format::Json);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        let ids: std::collections::HashSet<_> = json["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|e| e["id"].as_str().unwrap())
            .collect();
        assert_eq!(ids.len(), 3);
    }
}
