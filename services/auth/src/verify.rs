//! Walks the audit log from its first entry (security.md S48): for `stoa audit verify`.

use crate::domain::audit::{Broken, Walk};
use crate::jobs::anchor::Claims;
use crate::store::{audit, keys};
use stoa_db::{Db, DbError};
use stoa_rpc::keys::{VerifyingKey, header};
use stoa_types::Timestamp;

/// Entries read at once.
const PAGE: u32 = 1000;

/// The audit log is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Number of entries.
    pub entries: i64,
    /// Of them, those whose detail is there and is what was written.
    pub details: i64,
    /// Hash of the last entry.
    pub hash: String,
    /// Anchors that were met.
    pub anchors: usize,
}

/// The audit log is not whole, or could not be read.
#[derive(Debug, thiserror::Error)]
pub enum NotWhole {
    /// The first thing that is wrong.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The database.
    #[error("storage failed: {0}")]
    Db(#[from] DbError),
}

/// Walks the whole chain, and compares it with its stored end, with the anchors of the store, and
/// with `said`: places and hashes from lines of the log that were kept elsewhere. It may run beside
/// a service.
///
/// # Errors
/// [`NotWhole::Broken`] with the first entry that was changed, dropped, swapped or cut off.
pub async fn verify_audit(db: &Db, said: &[(i64, String)]) -> Result<Whole, NotWhole> {
    // Both before the walk: the log may grow meanwhile.
    let (end, end_hash) = audit::head(db).await?;
    let mut marks = anchors(db).await?;
    let met = marks.len() + said.len();
    let unknown = Timestamp::from_ms(0);
    marks.extend(said.iter().map(|(seq, hash)| (*seq, hash.clone(), unknown)));
    if end > 0 {
        marks.push((end, end_hash, unknown));
    }
    marks.sort_by_key(|(seq, ..)| *seq);
    let mut walk = Walk::default();
    let mut details = 0;
    loop {
        let page = audit::steps(db, walk.seq, PAGE).await?;
        if page.is_empty() {
            break;
        }
        for stored in &page {
            let detail = stored.detail();
            details += i64::from(detail.is_some());
            walk.step(&stored.link, detail)?;
            for (seq, hash, at) in &marks {
                if *seq == walk.seq && *hash != walk.hash {
                    return Err(Broken::Anchor { seq: *seq, at: *at }.into());
                }
            }
        }
    }
    if let Some((known, ..)) = marks.last()
        && *known > walk.seq
    {
        return Err(Broken::Truncated {
            last: walk.seq,
            known: *known,
        }
        .into());
    }
    Ok(Whole {
        entries: walk.seq,
        details,
        hash: walk.hash,
        anchors: met,
    })
}

/// The anchors of the store: an anchor that is not what was signed is as good as a changed entry.
async fn anchors(db: &Db) -> Result<Vec<(i64, String, Timestamp)>, NotWhole> {
    let public = keys::public_halves(db).await?;
    let mut found = Vec::new();
    for (at, seq, hash, signed) in audit::anchors(db).await? {
        let key = header(&signed)
            .ok()
            .and_then(|header| public.iter().find(|(kid, _)| *kid == header.kid));
        let claims = key.and_then(|(kid, public)| {
            let key = VerifyingKey::new(kid.as_str(), public).ok()?;
            key.verify::<Claims>(&signed).ok()
        });
        let is_good = claims.is_some_and(|claims| {
            claims.seq == seq && claims.hash == hash && claims.at == at.as_ms()
        });
        if !is_good {
            return Err(Broken::Anchor { seq, at }.into());
        }
        found.push((seq, hash, at));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs;
    use crate::store::MIGRATIONS;
    use crate::testing::World;
    use stoa_db::{Engine, Sql, sql};
    use stoa_policy::Role;

    /// A log with operators' commands and refusals, anchored in the middle.
    async fn world(db: Db) -> World {
        let world = World::new(db).await;
        let owner = world.operator(Role::Owner).await;
        for _ in 0..3 {
            world.application(&owner).await;
        }
        jobs::chain::chain(&world.auth).await.unwrap();
        jobs::anchor::anchor(&world.auth).await.unwrap();
        world.application(&owner).await;
        jobs::chain::chain(&world.auth).await.unwrap();
        world
    }

    /// As somebody with all rights on the database could.
    async fn tamper(world: &World, statements: &[&'static str]) {
        if world.auth.db.engine() == Engine::Sqlite {
            for trigger in [
                "DROP TRIGGER IF EXISTS audit_log_never_changes",
                "DROP TRIGGER IF EXISTS audit_log_never_shrinks",
                "DROP TRIGGER IF EXISTS audit_anchors_never_change",
                "DROP TRIGGER IF EXISTS audit_anchors_never_go",
            ] {
                world.run(sql(trigger)).await;
            }
        }
        for statement in statements {
            world.run(sql(statement)).await;
        }
    }

    async fn broken(world: &World, said: &[(i64, String)]) -> Broken {
        match verify_audit(&world.auth.db, said).await {
            Err(NotWhole::Broken(broken)) => broken,
            other => panic!("{other:?}"),
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S48, operator `audit verify`
        async fn a_whole_log_is_walked_to_its_end(db: Db) {
            let world = world(db).await;
            let whole = verify_audit(&world.auth.db, &[]).await.unwrap();
            let (count, hash): (i64, String) =
                world.row("SELECT seq, hash FROM audit_head").await;
            // The installation's own entry is the first.
            assert_eq!((whole.entries, whole.anchors), (count, 1));
            assert_eq!(count, 5);
            assert_eq!(whole.hash, hash);
            assert!(whole.details >= 4);
            assert!(verify_audit(&world.auth.db, &[(count, hash)]).await.is_ok());
        }

        // contract: security S48
        async fn a_changed_entry_is_found(db: Db) {
            let world = world(db).await;
            tamper(&world, &["UPDATE audit_log SET operator_id = 'x' WHERE seq = 2"]).await;
            assert!(matches!(broken(&world, &[]).await, Broken::Changed { seq: 2, .. }));
        }

        // contract: security S48
        async fn a_changed_detail_is_found(db: Db) {
            let world = world(db).await;
            tamper(
                &world,
                &["UPDATE audit_details SET detail = '{}'
                    WHERE entry_id = (SELECT id FROM audit_log WHERE seq = 3)"],
            )
            .await;
            assert!(matches!(broken(&world, &[]).await, Broken::Detail { seq: 3, .. }));
        }

        // contract: security S48
        async fn a_dropped_entry_is_found(db: Db) {
            let world = world(db).await;
            tamper(&world, &["DELETE FROM audit_log WHERE seq = 3"]).await;
            assert_eq!(broken(&world, &[]).await, Broken::Missing { seq: 3 });
            // Also when the others close the gap.
            tamper(
                &world,
                &[
                    "UPDATE audit_log SET seq = 3 WHERE seq = 4",
                    "UPDATE audit_log SET seq = 4 WHERE seq = 5",
                ],
            )
            .await;
            assert!(matches!(broken(&world, &[]).await, Broken::Changed { seq: 3, .. }));
        }

        // contract: security S48
        async fn swapped_entries_are_found(db: Db) {
            let world = world(db).await;
            tamper(
                &world,
                &[
                    "UPDATE audit_log SET seq = 99 WHERE seq = 2",
                    "UPDATE audit_log SET seq = 2 WHERE seq = 3",
                    "UPDATE audit_log SET seq = 3 WHERE seq = 99",
                ],
            )
            .await;
            assert!(matches!(broken(&world, &[]).await, Broken::Changed { seq: 2, .. }));
        }

        // contract: security S48
        async fn a_truncated_log_is_found_by_its_end_its_anchors_and_what_was_said(db: Db) {
            let world = world(db).await;
            let said: (i64, String) = world.row("SELECT seq, hash FROM audit_head").await;
            tamper(&world, &["DELETE FROM audit_log WHERE seq > 2"]).await;
            assert_eq!(broken(&world, &[]).await, Broken::Truncated { last: 2, known: 5 });
            let head = "UPDATE audit_head SET seq = 2,
                               hash = (SELECT hash FROM audit_log WHERE seq = 2)";
            tamper(&world, &[head]).await;
            assert_eq!(broken(&world, &[]).await, Broken::Truncated { last: 2, known: 4 });
            tamper(&world, &["DELETE FROM audit_anchors"]).await;
            assert!(verify_audit(&world.auth.db, &[]).await.is_ok(), "nobody else knows");
            assert_eq!(
                broken(&world, &[said]).await,
                Broken::Truncated { last: 2, known: 5 }
            );
        }

        // contract: security S48
        async fn a_forged_anchor_is_found(db: Db) {
            let world = world(db).await;
            tamper(&world, &["UPDATE audit_anchors SET hash = 'x'"]).await;
            assert!(matches!(broken(&world, &[]).await, Broken::Anchor { seq: 4, .. }));
        }

        // contract: security S48 (append-only)
        async fn rows_of_the_log_neither_change_nor_go(db: Db) {
            let world = world(db).await;
            if world.auth.db.engine() == Engine::Postgres {
                // The rights of a service's own role: tests/it of crates/db and of this service.
                return;
            }
            for statement in [
                "UPDATE audit_log SET code = 'x'",
                "DELETE FROM audit_log",
                "UPDATE audit_anchors SET hash = 'x'",
                "DELETE FROM audit_anchors",
            ] {
                let statement: &Sql = &sql(statement);
                let done = world.auth.db
                    .write(|tx| async move { tx.execute(statement.clone()).await })
                    .await;
                assert!(done.is_err(), "{statement:?}");
            }
            assert!(verify_audit(&world.auth.db, &[]).await.is_ok());
        }
    }
}
