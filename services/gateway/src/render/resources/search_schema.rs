//! `searchSchema`.

use super::{Wanted, named};
use stoa_codec::Writer;
use stoa_proto::auth::SearchSchema;

/// The id of a schema: it follows from what names it, so it is the same in every answer.
pub(super) fn id(schema: &SearchSchema) -> String {
    named(&format!(
        "{}/{}/{}",
        schema.schema_for, schema.scope, schema.key
    ))
}

pub(super) fn attributes(w: &mut Writer, schema: &SearchSchema, wanted: Wanted<'_>) {
    for (name, value) in [
        ("schemaFor", &schema.schema_for),
        ("scope", &schema.scope),
        ("key", &schema.key),
        ("schemaType", &schema.schema_type),
    ] {
        if wanted.has(name) {
            w.key_string(name, value);
        }
    }
    if wanted.has("default") {
        w.key_json_or_null("default", schema.default_json.as_deref());
    }
    if wanted.has("doc") {
        w.key_string_or_null("doc", schema.doc.as_deref());
    }
}
