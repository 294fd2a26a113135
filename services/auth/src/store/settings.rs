//! Settings of the marketplace and its search schemas.

use stoa_db::{Bind as _, Db, DbError, Row, SqlBuilder, Tx, sql};
use stoa_proto::auth as pb;
use stoa_types::id::MarketplaceId;

stoa_db::statements! {
    SETTINGS = "SELECT s.version, i.marketplace_id, s.marketplace_name, s.marketplace_description,
                       s.environment, s.private, s.require_approval_to_join,
                       s.require_permission_to_post_listings,
                       s.require_permission_to_initiate_transactions,
                       s.require_permission_to_read, s.require_approval_to_publish
                  FROM settings s JOIN installation i ON i.only_row = s.only_row";
    PUT_SETTINGS = "INSERT INTO settings
                           (only_row, version, marketplace_name, marketplace_description,
                            environment, private, require_approval_to_join,
                            require_permission_to_post_listings,
                            require_permission_to_initiate_transactions,
                            require_permission_to_read, require_approval_to_publish)
                    VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    /// Locks the row: one change of the settings at a time.
    NEXT_VERSION = "UPDATE settings SET version = version + 1 RETURNING version";
    SCHEMAS = "SELECT schema_for, scope, key, schema_type, default_json, doc
                 FROM search_schemas ORDER BY schema_for, scope, key";
    COUNT_OTHERS = "SELECT COUNT(*) FROM search_schemas
                     WHERE schema_for = $1 AND NOT (scope = $2 AND key = $3)";
    PUT_SCHEMA = "INSERT INTO search_schemas (schema_for, scope, key, schema_type, default_json, doc)
                  VALUES ($1, $2, $3, $4, $5, $6)
                  ON CONFLICT (schema_for, scope, key) DO UPDATE
                     SET schema_type = excluded.schema_type,
                         default_json = excluded.default_json, doc = excluded.doc";
    REMOVE_SCHEMA = "DELETE FROM search_schemas
                      WHERE schema_for = $1 AND scope = $2 AND key = $3
                  RETURNING schema_for, scope, key, schema_type, default_json, doc";
}

/// All settings, with the schemas. `schemas` is read after the row, so it is as new or newer.
pub(crate) async fn settings(db: &Db) -> Result<pb::Settings, DbError> {
    let row = db.one(SETTINGS).await?;
    let schemas = db.all(SCHEMAS).await?;
    read(&row, &schemas)
}

/// All settings, as they stand inside a write.
pub(crate) async fn settings_in(tx: &Tx) -> Result<pb::Settings, DbError> {
    let row = tx.one(SETTINGS).await?;
    let schemas = tx.all(SCHEMAS).await?;
    read(&row, &schemas)
}

/// Name and description of the marketplace.
pub(crate) async fn marketplace(db: &Db) -> Result<pb::Marketplace, DbError> {
    marketplace_of(&db.one(SETTINGS).await?)
}

/// Stores the first settings.
pub(crate) async fn put_settings(tx: &Tx, settings: &pb::Settings) -> Result<(), DbError> {
    let marketplace = settings.marketplace.clone().unwrap_or_default();
    let access = settings.access_control.unwrap_or_default();
    tx.execute(
        sql(PUT_SETTINGS)
            .bind(i64::try_from(settings.version).unwrap_or(i64::MAX))
            .bind(marketplace.name)
            .bind(marketplace.description)
            .bind(settings.environment.as_str())
            .bind(access.private)
            .bind(access.require_approval_to_join)
            .bind(access.require_permission_to_post_listings)
            .bind(access.require_permission_to_initiate_transactions)
            .bind(access.require_permission_to_read)
            .bind(access.require_approval_to_publish),
    )
    .await
    .map(drop)
}

/// Begins a change: the settings get their next version, and other changes wait.
pub(crate) async fn next_version(tx: &Tx) -> Result<(), DbError> {
    tx.one(NEXT_VERSION).await.map(drop)
}

/// How many schemas of this kind there are besides the named one.
pub(crate) async fn other_schemas(tx: &Tx, schema: &pb::SearchSchema) -> Result<i64, DbError> {
    let (count,): (i64,) = tx
        .one_as(
            sql(COUNT_OTHERS)
                .bind(schema.schema_for.as_str())
                .bind(schema.scope.as_str())
                .bind(schema.key.as_str()),
        )
        .await?;
    Ok(count)
}

/// Makes or replaces a schema.
pub(crate) async fn put_schema(tx: &Tx, schema: &pb::SearchSchema) -> Result<(), DbError> {
    tx.execute_expecting(
        1,
        sql(PUT_SCHEMA)
            .bind(schema.schema_for.as_str())
            .bind(schema.scope.as_str())
            .bind(schema.key.as_str())
            .bind(schema.schema_type.as_str())
            .bind(schema.default_json.clone())
            .bind(schema.doc.clone()),
    )
    .await
}

/// Removes a schema and gives it back.
pub(crate) async fn remove_schema(
    tx: &Tx,
    schema_for: &str,
    scope: &str,
    key: &str,
) -> Result<Option<pb::SearchSchema>, DbError> {
    let removed = sql(REMOVE_SCHEMA).bind(schema_for).bind(scope).bind(key);
    tx.opt(removed).await?.as_ref().map(schema_of).transpose()
}

/// One page of schemas in the order of kind, scope and key, and how many there are. An empty list
/// of kinds means all.
pub(crate) async fn schemas(
    db: &Db,
    kinds: &[String],
    page: u32,
    per_page: u32,
) -> Result<(Vec<pb::SearchSchema>, u64), DbError> {
    let filter = |mut q: SqlBuilder| {
        if !kinds.is_empty() {
            q.push(" WHERE schema_for IN ").push_list(kinds);
        }
        q
    };
    let count = filter(SqlBuilder::new("SELECT COUNT(*) FROM search_schemas"));
    let (total,): (i64,) = db.one_as(count).await?;
    let mut rows = filter(SqlBuilder::new(
        "SELECT schema_for, scope, key, schema_type, default_json, doc FROM search_schemas",
    ));
    let offset = i64::from(page.saturating_sub(1)) * i64::from(per_page);
    rows.push(" ORDER BY schema_for, scope, key LIMIT ");
    rows.push_bind(per_page.value());
    rows.push(" OFFSET ").push_bind(offset);
    let rows = db.all(rows).await?;
    let schemas = rows.iter().map(schema_of).collect::<Result<_, _>>()?;
    Ok((schemas, u64::try_from(total).unwrap_or(0)))
}

fn read(row: &Row, schemas: &[Row]) -> Result<pb::Settings, DbError> {
    Ok(pb::Settings {
        version: u64::try_from(row.get::<i64>("version")?)
            .map_err(|e| DbError::corrupt("settings.version", e))?,
        marketplace: Some(marketplace_of(row)?),
        environment: row.get("environment")?,
        access_control: Some(pb::AccessControl {
            private: row.get("private")?,
            require_approval_to_join: row.get("require_approval_to_join")?,
            require_permission_to_post_listings: row.get("require_permission_to_post_listings")?,
            require_permission_to_initiate_transactions: row
                .get("require_permission_to_initiate_transactions")?,
            require_permission_to_read: row.get("require_permission_to_read")?,
            require_approval_to_publish: row.get("require_approval_to_publish")?,
        }),
        search_schemas: schemas.iter().map(schema_of).collect::<Result<_, _>>()?,
    })
}

fn marketplace_of(row: &Row) -> Result<pb::Marketplace, DbError> {
    Ok(pb::Marketplace {
        id: row.get::<MarketplaceId>("marketplace_id")?.to_string(),
        name: row.get("marketplace_name")?,
        description: row.get("marketplace_description")?,
    })
}

fn schema_of(row: &Row) -> Result<pb::SearchSchema, DbError> {
    Ok(pb::SearchSchema {
        schema_for: row.get("schema_for")?,
        scope: row.get("scope")?,
        key: row.get("key")?,
        schema_type: row.get("schema_type")?,
        default_json: row.get("default_json")?,
        doc: row.get("doc")?,
    })
}
