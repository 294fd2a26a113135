//! `search_schemas/*`: which keys of extended data can be searched.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::Value;
use stoa_codec::params::{Body, Name};
use stoa_proto::auth::{
    QuerySearchSchemasRequest, SearchSchema, SetSearchSchemaRequest, UnsetSearchSchemaRequest,
};
use stoa_rpc::Problems;

/// The schemas, by kind.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QuerySearchSchemasRequest {
        page: Some(call.page()),
        schema_for: call.words("schemaFor"),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let found = Call::ask(auth.query_search_schemas(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found.schemas.into_iter().map(Resource::SearchSchema),
        found.meta,
        show,
    ))
}

/// A schema is made or replaced.
pub(crate) async fn set(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let body = &mut call.body;
    let schema = Some(SearchSchema {
        schema_for: schema_for(body),
        scope: name(body, "scope"),
        key: name(body, "key"),
        schema_type: name(body, "schemaType"),
        default_json: body
            .nullable::<Value>("default")
            .value()
            .map(|value| value.to_json_text()),
        doc: body.nullable("doc").value(),
    });
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let request = call.credentials.request(SetSearchSchemaRequest { schema });
    let schema = Call::ask(auth.set_search_schema(request)).await?;
    Ok(Answer::command(Resource::SearchSchema(schema), show))
}

/// A schema is removed; the data stays.
pub(crate) async fn unset(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let body = &mut call.body;
    let message = UnsetSearchSchemaRequest {
        schema_for: schema_for(body),
        scope: name(body, "scope"),
        key: name(body, "key"),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let schema = Call::ask(auth.unset_search_schema(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::SearchSchema(schema), show))
}

fn name(body: &mut Body, key: &'static str) -> String {
    body.required::<Name>(key)
        .map(|name| name.0)
        .unwrap_or_default()
}

/// Listings, unless said otherwise.
fn schema_for(body: &mut Body) -> String {
    body.nullable::<Name>("schemaFor")
        .value()
        .map_or_else(|| "listing".to_owned(), |name| name.0)
}
