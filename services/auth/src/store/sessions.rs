//! Sessions and their refresh tokens.

use crate::domain::application::Grant;
use crate::domain::family::{Session, SessionKind, Surroundings, Token, UserStanding};
use crate::store::dialect;
use stoa_db::{Db, DbError, Engine, Row, Tx, sql};
use stoa_policy::UserState;
use stoa_types::Timestamp;
use stoa_types::id::{ClientId, OperatorId, SessionId, UserId};
use uuid::Uuid;

stoa_db::statements! {
    PUT_SESSION = "INSERT INTO sessions
                          (id, kind, user_id, client_id, operator_id, secret_id, user_epoch,
                           application_epoch, operator_epoch, head_generation, started_at,
                           refreshed_at, absolute_end)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 1, $10, $11, $12)
                RETURNING (SELECT kid FROM signing_keys WHERE state = 'active')";
    END_ALL = "UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE ended_at IS NULL";
    END_SESSIONS_OF_CLIENT = "UPDATE sessions SET ended_at = $1, end_reason = $2
                               WHERE client_id = $3 AND ended_at IS NULL";
    PUT_TOKEN = "INSERT INTO refresh_tokens (hash, session_id, generation, issued_at, answers)
                 VALUES ($1, $2, $3, $4, 0)";
    USE_TOKEN = "UPDATE refresh_tokens
                    SET first_used_at = COALESCE(first_used_at, $1), answers = answers + 1
                  WHERE hash = $2";
    MOVE_HEAD = "UPDATE sessions SET head_generation = $1, refreshed_at = $2 WHERE id = $3";
    END_SESSION = "UPDATE sessions SET ended_at = $1, end_reason = $2
                    WHERE id = $3 AND ended_at IS NULL";
    END_SESSIONS_OF_USER = "UPDATE sessions SET ended_at = $1, end_reason = $2
                             WHERE user_id = $3 AND ended_at IS NULL AND id <> $4";
    /// The spared session goes on with the new epoch, and so do the tokens it will make.
    STAMP_EPOCH = "UPDATE sessions SET user_epoch = $1
                    WHERE id = $2 AND user_id = $3 AND user_epoch < $1";
    /// A session and what is known of its user and application.
    SESSION = "SELECT s.id, s.kind, s.user_id, s.client_id, s.operator_id, s.secret_id,
                      s.user_epoch, s.application_epoch, s.operator_epoch, s.started_at,
                      s.refreshed_at, s.absolute_end, s.ended_at,
                      u.state AS user_state, u.epoch AS known_user_epoch, u.except_sid
                 FROM sessions s
            LEFT JOIN actors u ON u.user_id = s.user_id
                WHERE s.id = $1";
    /// Sessions of a user that are not over, by themselves or by what surrounds them.
    LIVING = "SELECT s.id, s.user_id, s.client_id, s.operator_id, s.started_at, s.refreshed_at
                FROM sessions s
           LEFT JOIN applications a ON a.id = s.client_id
           LEFT JOIN actors u ON u.user_id = s.user_id
               WHERE s.user_id = $1 AND s.ended_at IS NULL
                 AND s.absolute_end > $2 AND s.refreshed_at > $3
                 AND a.deleted_at IS NULL
                 AND (a.epoch IS NULL OR a.epoch <= s.application_epoch)
                 AND (u.epoch IS NULL OR u.epoch <= s.user_epoch OR u.except_sid = s.id)
               ORDER BY s.started_at DESC, s.id DESC LIMIT $4 OFFSET $5";
    COUNT_LIVING = "SELECT COUNT(*)
                      FROM sessions s
                 LEFT JOIN applications a ON a.id = s.client_id
                 LEFT JOIN actors u ON u.user_id = s.user_id
                     WHERE s.user_id = $1 AND s.ended_at IS NULL
                       AND s.absolute_end > $2 AND s.refreshed_at > $3
                       AND a.deleted_at IS NULL
                       AND (a.epoch IS NULL OR a.epoch <= s.application_epoch)
                       AND (u.epoch IS NULL OR u.epoch <= s.user_epoch OR u.except_sid = s.id)";
    /// A session of a user, which may be over.
    OF_USER = "SELECT id, user_id, client_id, operator_id, started_at, refreshed_at
                 FROM sessions WHERE id = $1 AND user_id IS NOT NULL";
    OF_TOKEN = "SELECT s.id, s.kind, s.user_id, s.client_id, s.operator_id, s.secret_id,
                       s.user_epoch, s.application_epoch, s.operator_epoch, s.started_at,
                       s.refreshed_at, s.absolute_end, s.ended_at
                  FROM refresh_tokens t JOIN sessions s ON s.id = t.session_id
                 WHERE t.hash = $1";
    /// Sessions that nobody can come back to, some at a time.
    PRUNABLE = "SELECT id FROM sessions
                 WHERE absolute_end <= $1 OR ended_at <= $1 OR refreshed_at <= $2
                 ORDER BY absolute_end LIMIT 200";
    PRUNE_TOKENS_OF = "DELETE FROM refresh_tokens WHERE session_id = $1";
    PRUNE_SESSION = "DELETE FROM sessions WHERE id = $1";
    PRUNE_USED_TOKENS = "DELETE FROM refresh_tokens WHERE first_used_at <= $1";
    /// Families with more used tokens than are kept, and the generation up to which they go.
    CROWDED = "SELECT s.id, s.head_generation FROM sessions s
                WHERE s.head_generation > $1
                  AND EXISTS (SELECT 1 FROM refresh_tokens t
                               WHERE t.session_id = s.id
                                 AND t.generation <= s.head_generation - $1)
                LIMIT 200";
    PRUNE_CROWD = "DELETE FROM refresh_tokens WHERE session_id = $1 AND generation <= $2";
}

/// A presented refresh token and everything it is judged by.
pub(crate) struct Presented {
    pub(crate) token: Token,
    pub(crate) session: Session,
    pub(crate) head: i64,
    pub(crate) around: Surroundings,
    /// The key that signs now.
    pub(crate) active_kid: String,
}

/// A user's session as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) id: SessionId,
    pub(crate) user: UserId,
    pub(crate) client: Option<ClientId>,
    /// Who looks through the user's eyes.
    pub(crate) operator: Option<OperatorId>,
    pub(crate) started_at: Timestamp,
    pub(crate) refreshed_at: Timestamp,
}

/// A session and what is known of its user.
pub(crate) struct Known {
    pub(crate) session: Session,
    pub(crate) user: Option<UserStanding>,
}

/// Stores a new session with its first refresh token, of generation 1. Returns the id of the key
/// that signs now.
pub(crate) async fn put_session(
    tx: &Tx,
    session: &Session,
    token_hash: &[u8; 32],
) -> Result<String, DbError> {
    let (active_kid,): (String,) = tx
        .one_as(
            sql(PUT_SESSION)
                .bind(session.id)
                .bind(session.kind.name())
                .bind(session.user)
                .bind(session.client)
                .bind(session.operator)
                .bind(session.secret)
                .bind(session.user_epoch)
                .bind(session.application_epoch)
                .bind(session.operator_epoch)
                .bind(session.started_at)
                .bind(session.refreshed_at)
                .bind(session.absolute_end),
        )
        .await?;
    put_token(tx, session.id, 1, token_hash, session.started_at).await?;
    Ok(active_kid)
}

/// The presented token, its family locked until the transaction ends.
pub(crate) async fn presented(
    tx: &Tx,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Presented>, DbError> {
    let text = match tx.engine() {
        Engine::Sqlite => dialect::PRESENTED_SQLITE,
        Engine::Postgres => dialect::PRESENTED_POSTGRES,
    };
    let Some(row) = tx.opt(sql(text).bind(hash.as_slice())).await? else {
        return Ok(None);
    };
    let session = session_of(&row)?;
    Ok(Some(Presented {
        token: Token {
            generation: row.get("generation")?,
            first_used_at: row.get("first_used_at")?,
            answers: row.get("answers")?,
        },
        head: row.get("head_generation")?,
        around: surroundings(&row, &session, now)?,
        active_kid: row.get("active_kid")?,
        session,
    }))
}

/// Notes the use of a token, moves the head of its family and stores the successor.
pub(crate) async fn succeed(
    tx: &Tx,
    presented_hash: &[u8; 32],
    session: SessionId,
    generation: i64,
    successor_hash: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute_expecting(1, sql(USE_TOKEN).bind(now).bind(presented_hash.as_slice()))
        .await?;
    tx.execute_expecting(1, sql(MOVE_HEAD).bind(generation).bind(now).bind(session))
        .await?;
    put_token(tx, session, generation, successor_hash, now).await
}

/// Ends a session; false when it was over already.
pub(crate) async fn end(
    tx: &Tx,
    session: SessionId,
    reason: &str,
    now: Timestamp,
) -> Result<bool, DbError> {
    let ended = tx
        .execute(sql(END_SESSION).bind(now).bind(reason).bind(session))
        .await?;
    Ok(ended == 1)
}

/// Ends all sessions of a user but one, and gives that one the user's epoch. How many ended.
pub(crate) async fn end_of_user(
    tx: &Tx,
    user: UserId,
    spared: Option<(SessionId, i64)>,
    reason: &str,
    now: Timestamp,
) -> Result<u64, DbError> {
    let but = spared.map_or_else(Uuid::nil, |(session, _)| session.uuid());
    let ended = tx
        .execute(
            sql(END_SESSIONS_OF_USER)
                .bind(now)
                .bind(reason)
                .bind(user)
                .bind(but),
        )
        .await?;
    if let Some((session, epoch)) = spared {
        tx.execute(sql(STAMP_EPOCH).bind(epoch).bind(session).bind(user))
            .await?;
    }
    Ok(ended)
}

/// Ends every session there is.
pub(crate) async fn end_all(tx: &Tx, reason: &str, now: Timestamp) -> Result<(), DbError> {
    tx.execute(sql(END_ALL).bind(now).bind(reason))
        .await
        .map(drop)
}

/// Ends all sessions that were opened through an application.
pub(crate) async fn end_of_client(
    tx: &Tx,
    client: ClientId,
    reason: &str,
    now: Timestamp,
) -> Result<(), DbError> {
    let end = sql(END_SESSIONS_OF_CLIENT)
        .bind(now)
        .bind(reason)
        .bind(client);
    tx.execute(end).await.map(drop)
}

/// A session by its id.
pub(crate) async fn session(db: &Db, id: SessionId) -> Result<Option<Known>, DbError> {
    let Some(row) = db.opt(sql(SESSION).bind(id)).await? else {
        return Ok(None);
    };
    Ok(Some(Known {
        session: session_of(&row)?,
        user: user_of(&row)?,
    }))
}

/// Living sessions of a user, newest first, and how many there are. Neither over nor idle since
/// before `idle_since`, and nothing that surrounds them ended them.
pub(crate) async fn living_of_user(
    db: &Db,
    user: UserId,
    idle_since: Timestamp,
    now: Timestamp,
    (page, per_page): (u32, u32),
) -> Result<(Vec<Login>, u64), DbError> {
    let offset = i64::from(page.saturating_sub(1)) * i64::from(per_page);
    let living = |text| sql(text).bind(user).bind(now).bind(idle_since);
    let (total,): (i64,) = db.one_as(living(COUNT_LIVING)).await?;
    let rows = db
        .all(living(LIVING).bind(i64::from(per_page)).bind(offset))
        .await?;
    let found = rows.iter().map(login_of).collect::<Result<_, _>>()?;
    Ok((found, u64::try_from(total).unwrap_or(0)))
}

/// A user's session by its id, also when it is over.
pub(crate) async fn of_user(tx: &Tx, id: SessionId) -> Result<Option<Login>, DbError> {
    let row = tx.opt(sql(OF_USER).bind(id)).await?;
    row.as_ref().map(login_of).transpose()
}

fn login_of(row: &Row) -> Result<Login, DbError> {
    Ok(Login {
        id: row.get("id")?,
        user: row.get("user_id")?,
        client: row.get("client_id")?,
        operator: row.get("operator_id")?,
        started_at: row.get("started_at")?,
        refreshed_at: row.get("refreshed_at")?,
    })
}

/// The session that a refresh token belongs to.
pub(crate) async fn session_of_token(tx: &Tx, hash: &[u8; 32]) -> Result<Option<Session>, DbError> {
    let row = tx.opt(sql(OF_TOKEN).bind(hash.as_slice())).await?;
    row.as_ref().map(session_of).transpose()
}

/// Removes up to 200 sessions that were over, or not refreshed, before these instants, with their
/// tokens. Returns how many.
pub(crate) async fn prune(
    tx: &Tx,
    over_before: Timestamp,
    idle_since: Timestamp,
) -> Result<u64, DbError> {
    let ids: Vec<(SessionId,)> = tx
        .all_as(sql(PRUNABLE).bind(over_before).bind(idle_since))
        .await?;
    for (id,) in &ids {
        tx.execute(sql(PRUNE_TOKENS_OF).bind(id)).await?;
        tx.execute(sql(PRUNE_SESSION).bind(id)).await?;
    }
    Ok(ids.len() as u64)
}

/// Removes tokens used before this instant, and those of families that hold more than `most`
/// generations. Returns how many.
pub(crate) async fn prune_tokens(
    tx: &Tx,
    used_before: Timestamp,
    most: i64,
) -> Result<u64, DbError> {
    let mut removed = tx.execute(sql(PRUNE_USED_TOKENS).bind(used_before)).await?;
    let crowded: Vec<(SessionId, i64)> = tx.all_as(sql(CROWDED).bind(most)).await?;
    for (id, head) in crowded {
        removed += tx
            .execute(sql(PRUNE_CROWD).bind(id).bind(head - most))
            .await?;
    }
    Ok(removed)
}

async fn put_token(
    tx: &Tx,
    session: SessionId,
    generation: i64,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        sql(PUT_TOKEN)
            .bind(hash.as_slice())
            .bind(session)
            .bind(generation)
            .bind(now),
    )
    .await
    .map(drop)
}

fn session_of(row: &Row) -> Result<Session, DbError> {
    let kind: String = row.get("kind")?;
    Ok(Session {
        id: row.get("id")?,
        kind: SessionKind::from_name(&kind)
            .ok_or_else(|| DbError::corrupt("sessions.kind", "unknown"))?,
        user: row.get("user_id")?,
        client: row.get("client_id")?,
        operator: row.get("operator_id")?,
        secret: row.get("secret_id")?,
        user_epoch: row.get("user_epoch")?,
        application_epoch: row.get("application_epoch")?,
        operator_epoch: row.get("operator_epoch")?,
        started_at: row.get("started_at")?,
        refreshed_at: row.get("refreshed_at")?,
        absolute_end: row.get("absolute_end")?,
        ended: row.get::<Option<Timestamp>>("ended_at")?.is_some(),
    })
}

fn user_of(row: &Row) -> Result<Option<UserStanding>, DbError> {
    let Some(state) = row.get::<Option<String>>("user_state")? else {
        return Ok(None);
    };
    Ok(Some(UserStanding {
        state: UserState::from_name(&state)
            .ok_or_else(|| DbError::corrupt("actors.state", "unknown"))?,
        epoch: row.get("known_user_epoch")?,
        except: row.get("except_sid")?,
    }))
}

fn surroundings(row: &Row, session: &Session, now: Timestamp) -> Result<Surroundings, DbError> {
    let application_stands = match row.get::<Option<String>>("grants")? {
        None => session.client.is_none(),
        Some(grants) => {
            Grant::RefreshToken.is_in(&grants)
                && row.get::<Option<Timestamp>>("deleted_at")?.is_none()
                && row.get::<i64>("known_application_epoch")? <= session.application_epoch
        }
    };
    let secret_stands = match row.get::<Option<Uuid>>("known_secret")? {
        None => session.secret.is_none(),
        Some(_) => row
            .get::<Option<Timestamp>>("secret_ends_at")?
            .is_none_or(|end| now < end),
    };
    let operator_stands = match row.get::<Option<i64>>("known_operator_epoch")? {
        None => session.operator.is_none(),
        Some(epoch) => {
            row.get::<Option<Timestamp>>("disabled_at")?.is_none()
                && epoch <= session.operator_epoch
        }
    };
    Ok(Surroundings {
        user: user_of(row)?,
        application_stands,
        secret_stands,
        operator_stands,
    })
}
