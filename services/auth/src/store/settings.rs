//! Settings of the marketplace and its search schemas.

use crate::store::builtin_emails;
use stoa_db::{Bind as _, Db, DbError, Row, SqlBuilder, Tx, sql};
use stoa_proto::auth as pb;
use stoa_types::id::MarketplaceId;

stoa_db::statements! {
    SETTINGS = "SELECT s.version, i.marketplace_id, s.marketplace_name, s.marketplace_description,
                       s.environment, s.private, s.require_approval_to_join,
                       s.require_permission_to_post_listings,
                       s.require_permission_to_initiate_transactions,
                       s.require_permission_to_read, s.require_approval_to_publish,
                       s.file_upload_and_download_disabled, s.calls_to_action, s.marketplace_url,
                       s.mail_from, s.erasure_texts, s.password_reset_strict,
                       s.password_min_length
                  FROM settings s JOIN installation i ON i.only_row = s.only_row";
    PUT_SETTINGS = "INSERT INTO settings
                           (only_row, version, marketplace_name, marketplace_description,
                            environment, private, require_approval_to_join,
                            require_permission_to_post_listings,
                            require_permission_to_initiate_transactions,
                            require_permission_to_read, require_approval_to_publish,
                            file_upload_and_download_disabled, calls_to_action, marketplace_url,
                            mail_from, erasure_texts, password_reset_strict, password_min_length)
                    VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
                            $16, $17)
               ON CONFLICT (only_row) DO UPDATE
                       SET version = excluded.version,
                           marketplace_name = excluded.marketplace_name,
                           marketplace_description = excluded.marketplace_description,
                           environment = excluded.environment, private = excluded.private,
                           require_approval_to_join = excluded.require_approval_to_join,
                           require_permission_to_post_listings =
                             excluded.require_permission_to_post_listings,
                           require_permission_to_initiate_transactions =
                             excluded.require_permission_to_initiate_transactions,
                           require_permission_to_read = excluded.require_permission_to_read,
                           require_approval_to_publish = excluded.require_approval_to_publish,
                           file_upload_and_download_disabled =
                             excluded.file_upload_and_download_disabled,
                           calls_to_action = excluded.calls_to_action,
                           marketplace_url = excluded.marketplace_url,
                           mail_from = excluded.mail_from,
                           erasure_texts = excluded.erasure_texts,
                           password_reset_strict = excluded.password_reset_strict,
                           password_min_length = excluded.password_min_length";
    /// One change of the settings at a time.
    LOCK = "UPDATE settings SET version = version";
    /// Locks the row, too.
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

/// All settings, with the schemas and the mails, which are read after the row and so are as new or
/// newer.
pub(crate) async fn settings(db: &Db) -> Result<pb::Settings, DbError> {
    let row = db.one(SETTINGS).await?;
    let schemas = db.all(SCHEMAS).await?;
    read(&row, &schemas, builtin_emails::changed(db).await?)
}

/// The settings without schemas and mails.
pub(crate) async fn own_settings(db: &Db) -> Result<pb::Settings, DbError> {
    read(&db.one(SETTINGS).await?, &[], Vec::new())
}

/// All settings, as they stand inside a write.
pub(crate) async fn settings_in(tx: &Tx) -> Result<pb::Settings, DbError> {
    let row = tx.one(SETTINGS).await?;
    let schemas = tx.all(SCHEMAS).await?;
    read(&row, &schemas, builtin_emails::changed_in(tx).await?)
}

/// Name and description of the marketplace.
pub(crate) async fn marketplace(db: &Db) -> Result<pb::Marketplace, DbError> {
    marketplace_of(&db.one(SETTINGS).await?)
}

/// Stores everything but the schemas and the mails, which have tables of their own.
pub(crate) async fn put_settings(tx: &Tx, settings: &pb::Settings) -> Result<(), DbError> {
    let marketplace = settings.marketplace.clone().unwrap_or_default();
    let access = settings.access_control.unwrap_or_default();
    tx.execute_expecting(
        1,
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
            .bind(access.require_approval_to_publish)
            .bind(access.file_upload_and_download_disabled)
            .bind(links_text(&settings.calls_to_action))
            .bind(settings.marketplace_url.as_str())
            .bind(settings.mail_from.as_str())
            .bind(settings.erasure_texts.as_str())
            .bind(settings.password_reset_strict)
            .bind(i64::from(settings.password_min_length)),
    )
    .await
}

/// Other changes wait from here on.
pub(crate) async fn lock(tx: &Tx) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(LOCK)).await
}

/// Begins a change: the settings get their next version, which is given, and other changes wait.
pub(crate) async fn next_version(tx: &Tx) -> Result<u64, DbError> {
    let (version,): (i64,) = tx.one_as(NEXT_VERSION).await?;
    u64::try_from(version).map_err(|e| DbError::corrupt("settings.version", e))
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

fn read(
    row: &Row,
    schemas: &[Row],
    builtin_emails: Vec<pb::BuiltinEmail>,
) -> Result<pb::Settings, DbError> {
    let whole = |column, n: i64| u64::try_from(n).map_err(|e| DbError::corrupt(column, e));
    let length = row.get::<i64>("password_min_length")?;
    Ok(pb::Settings {
        version: whole("settings.version", row.get("version")?)?,
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
            file_upload_and_download_disabled: row.get("file_upload_and_download_disabled")?,
        }),
        search_schemas: schemas.iter().map(schema_of).collect::<Result<_, _>>()?,
        marketplace_url: row.get("marketplace_url")?,
        mail_from: row.get("mail_from")?,
        erasure_texts: row.get("erasure_texts")?,
        password_reset_strict: row.get("password_reset_strict")?,
        password_min_length: u32::try_from(length)
            .map_err(|e| DbError::corrupt("settings.password_min_length", e))?,
        builtin_emails,
        calls_to_action: links_of(&row.get::<String>("calls_to_action")?)?,
    })
}

/// Links as they are stored: an array of `[switch, type, text, href]`.
fn links_text(links: &[pb::CallToAction]) -> String {
    let rows = links
        .iter()
        .map(|link| serde_json::json!([link.switch, link.r#type, link.text, link.href]));
    serde_json::Value::from_iter(rows).to_string()
}

fn links_of(text: &str) -> Result<Vec<pb::CallToAction>, DbError> {
    type Link = (String, String, Option<String>, Option<String>);
    let rows: Vec<Link> =
        serde_json::from_str(text).map_err(|e| DbError::corrupt("settings.calls_to_action", e))?;
    let links = rows
        .into_iter()
        .map(|(switch, r#type, text, href)| pb::CallToAction {
            switch,
            r#type,
            text,
            href,
        });
    Ok(links.collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MIGRATIONS;
    use crate::testing::World;

    stoa_testkit::on_every_engine! { MIGRATIONS;
        async fn what_is_stored_is_read(db: Db) {
            let world = World::new(db).await;
            let first = settings(&world.auth.db).await.unwrap();
            let link = |switch: &str, href: Option<&str>| pb::CallToAction {
                switch: switch.into(),
                r#type: "internal".into(),
                text: Some("Ask \"us\"".into()),
                href: href.map(str::to_owned),
            };
            let changed = pb::Settings {
                version: 2,
                marketplace: Some(pb::Marketplace {
                    name: "Agora".into(),
                    description: Some("Greek".into()),
                    ..first.marketplace.clone().unwrap()
                }),
                environment: "test".into(),
                access_control: Some(pb::AccessControl {
                    private: true,
                    require_approval_to_join: true,
                    require_permission_to_post_listings: true,
                    require_permission_to_initiate_transactions: true,
                    require_permission_to_read: true,
                    require_approval_to_publish: true,
                    file_upload_and_download_disabled: true,
                }),
                search_schemas: Vec::new(),
                marketplace_url: "https://market.example".into(),
                mail_from: "hello@market.example".into(),
                erasure_texts: "blank".into(),
                password_reset_strict: true,
                password_min_length: 15,
                builtin_emails: Vec::new(),
                calls_to_action: vec![link("private", Some("/p")), link("requireApprovalToJoin", None)],
            };
            for stored in [&changed, &first] {
                world
                    .auth
                    .db
                    .write(|tx| async move { put_settings(&tx, stored).await })
                    .await
                    .unwrap();
                assert_eq!(settings(&world.auth.db).await.unwrap(), *stored);
            }
        }
    }
}
