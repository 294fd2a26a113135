//! Removes what a deleted user left: the keys of protected data that this person brought in, what
//! is scheduled in this person's transactions, and the same values in the own outbox.
//!
//! It goes by batches, each a transaction that notes how far it came, so a restart goes on there.

use crate::context::Context;
use crate::error::Error;
use crate::store::{dialect, erasures, timers, transactions};
use stoa_db::{Tx, sql};
use stoa_feed::erase::{Erasure, erase_outbox};
use stoa_feed::erased;
use stoa_types::id::{TransactionId, UserId};

/// Envelopes of the outbox that one transaction rewrites.
const ENVELOPES: u32 = 50;

/// Erases all who wait for it; true when there was anybody.
///
/// # Errors
/// Those of the statements; what was done stays done.
pub(crate) async fn run_all(context: &Context) -> Result<bool, Error> {
    let mut any = false;
    while let Some((user, texts, after)) = context.db.opt_as(erasures::next()).await? {
        any = true;
        erase(context, Erasure { user, texts }, after).await?;
    }
    Ok(any)
}

async fn erase(context: &Context, gone: Erasure, mut after: String) -> Result<(), Error> {
    let user = gone.user;
    loop {
        let from = after.as_str();
        let reached = context
            .db
            .write(move |tx| async move { batch(&tx, context, gone, from).await })
            .await?;
        match reached {
            Some(id) => after = id.to_string(),
            None => break,
        }
    }
    let now = context.real_clock.now();
    while context
        .db
        .write(|tx| async move { erase_outbox(&tx, gone, ENVELOPES, now).await })
        .await?
        > 0
    {}
    context.db.purge_deleted().await?;
    context
        .db
        .write(|tx| async move {
            erased::note(&tx, user, erased::DISK, 1, now).await?;
            tx.execute(erasures::finish(user)).await
        })
        .await?;
    tracing::info!(%user, "What a deleted user left was removed");
    Ok(())
}

/// Cleans the next transactions of a user; nothing when there are no more.
async fn batch(
    tx: &Tx,
    context: &Context,
    gone: Erasure,
    after: &str,
) -> Result<Option<TransactionId>, Error> {
    let user = gone.user;
    let ids: Vec<(TransactionId,)> = tx
        .all_as(sql(transactions::IDS_OF_USER).bind(user).bind(after))
        .await?;
    let Some((last,)) = ids.last().copied() else {
        return Ok(None);
    };
    tx.execute_expecting(1, erasures::advance(user, after, last))
        .await?;
    for (id,) in ids {
        clean(tx, context, user, id).await?;
        if gone.texts {
            let blanked = erasures::blank_texts(tx, id, user).await?;
            erased::note(tx, user, "texts", blanked, context.real_clock.now()).await?;
        }
    }
    Ok(Some(last))
}

async fn clean(tx: &Tx, context: &Context, user: UserId, id: TransactionId) -> Result<(), Error> {
    tx.execute(timers::cancel_scheduled(id)).await?;
    let locked = dialect::locked(tx, id, None, context.real_clock.now()).await?;
    let Some(before) = locked.map(|locked| locked.transaction) else {
        return Ok(());
    };
    let Some(party) = before.run.party_of(user) else {
        return Ok(());
    };
    let protected_data = before.run.protected_data.without(party);
    if protected_data == before.run.protected_data {
        return Ok(());
    }
    let mut run = before.run.clone();
    run.protected_data = protected_data;
    tx.execute_expecting(1, transactions::update(&before.moved_to(run)))
        .await?;
    erased::note(tx, user, "protected data", 1, context.real_clock.now()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use futures::future::{join, join_all};
    use stoa_db::Db;
    use stoa_types::id::UserId;
    use uuid::Uuid;

    /// Both parties bring keys in.
    const SHARED: &str = "{:format :v3 :transitions [
      {:name :transition/begin :actor :actor.role/customer :to :state/open
       :actions [{:name :action/update-protected-data}]}
      {:name :transition/add :actor :actor.role/provider :from :state/open :to :state/open
       :actions [{:name :action/update-protected-data}]}
      {:name :transition/expire :from :state/open :to :state/over
       :at {:fn/plus [{:fn/timepoint [:time/tx-initiated]} {:fn/period [\"P1D\"]}]}}]}";

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: engine E66, users 35
        async fn a_deleted_person_leaves_no_data_and_no_timers_behind(db: Db) {
            let world = World::new(db).await;
            world.install("shared", SHARED).await;
            let params = format!(
                r#"{{"listingId":"{LISTING}","protectedData":{{"phone":"+358-hidden","note":1}}}}"#
            );
            let begun = world
                .initiate(&user(CUSTOMER), "shared/release-1", "transition/begin", &params)
                .await;
            let id = begun.unwrap().id;
            let patch = r#"{"protectedData":{"note":2,"place":"here"}}"#;
            world.transition(&user(PROVIDER), &id, "transition/add", patch).await.unwrap();
            world.send(&user(CUSTOMER), &id, "my message").await.unwrap();

            let other = world.requested().await.id;
            world.becomes(STRANGER, "deleted").await;
            assert_eq!(world.tx(&id).await.version, 2, "somebody else's deletion");
            world.becomes(CUSTOMER, "deleted").await;

            let tx = world.show(&user(PROVIDER), &id).await.unwrap();
            assert_eq!(tx.protected_data, r#"{"note":2,"place":"here"}"#);
            assert_eq!(tx.version, 3);
            // What is the other party's record too stays.
            assert_eq!((tx.customer_id, tx.transitions.len()), (CUSTOMER.to_string(), 2));
            let messages = world.parts(&user(PROVIDER), &id).await.messages;
            assert_eq!(messages[0].content.as_deref(), Some("my message"));

            let told = format!("{:?}", world.envelopes().await);
            assert!(!told.contains("hidden"), "{told}");
            assert!(told.contains("here"));
            assert_eq!(world.count("SELECT count(*) FROM erasures").await, 0);
            assert_eq!(
                world.count("SELECT count(*) FROM timers WHERE status = 'scheduled'").await,
                0
            );
            world.pass(30 * DAY).await;
            assert_eq!(world.tx(&id).await.state, "state/open");
            assert_eq!(world.tx(&other).await.state, "state/requested");
        }

        // contract: users section 8 (`erasure.texts`)
        async fn texts_go_with_their_writer_where_the_marketplace_says_so(db: Db) {
            let world = World::new(db).await;
            let id = world.requested().await.id;
            world.transition(&user(PROVIDER), &id, "transition/accept", "").await.unwrap();
            world.pass(7 * DAY).await;
            world.send(&user(CUSTOMER), &id, "hidden words").await.unwrap();
            world.send(&user(PROVIDER), &id, "words that stay").await.unwrap();
            for (writer, transition) in [
                (PROVIDER, "transition/review-1-by-provider"),
                (CUSTOMER, "transition/review-2-by-customer"),
            ] {
                let review = format!(r#"{{"reviewRating":4,"reviewContent":"hidden by {writer}"}}"#);
                world.transition(&user(writer), &id, transition, &review).await.unwrap();
            }
            world.erase_with_texts(CUSTOMER).await;

            let parts = world.parts(&user(PROVIDER), &id).await;
            let said: Vec<_> = parts.messages.iter().map(|m| m.content.as_deref()).collect();
            assert_eq!(said, [Some("words that stay"), Some("")]);
            let of = |writer: UserId| {
                let reviews = parts.reviews.iter();
                let mut by = reviews.filter(move |review| review.author_id == writer.to_string());
                by.next().map(|review| (review.rating, review.content.clone().unwrap()))
            };
            assert_eq!(of(CUSTOMER), Some((Some(4), String::new())));
            assert_eq!(of(PROVIDER), Some((Some(4), format!("hidden by {PROVIDER}"))));
            let told = format!("{:?}", world.envelopes().await);
            assert!(!told.contains("hidden words"), "{told}");
            assert!(!told.contains(&format!("hidden by {CUSTOMER}")), "{told}");
            assert!(told.contains("words that stay"));
            let noted = stoa_feed::erased::of_user(&world.cx().db, CUSTOMER).await.unwrap();
            let texts = noted.iter().find(|erased| erased.place == "texts").unwrap();
            assert_eq!(texts.items, 2);
        }

        async fn an_erasure_goes_on_over_many_batches(db: Db) {
            let world = World::new(db).await;
            world.install("shared", SHARED).await;
            let params = format!(
                r#"{{"listingId":"{LISTING}","protectedData":{{"phone":"+358-hidden"}}}}"#
            );
            let many = 2 * i64::from(super::ENVELOPES) + 1;
            for _ in 0..many {
                let begun = world
                    .initiate(&user(CUSTOMER), "shared/release-1", "transition/begin", &params)
                    .await;
                begun.unwrap();
            }
            world.becomes(CUSTOMER, "deleted").await;
            let clean = "SELECT count(*) FROM transactions WHERE protected_data = '{}'";
            assert_eq!(world.count(clean).await, many);
            assert!(!format!("{:?}", world.envelopes().await).contains("hidden"));
            assert_eq!(world.count("SELECT count(*) FROM erasures").await, 0);
        }

        // contract: security S44 (part)
        async fn nothing_slips_in_between_a_deletion_and_its_cleaning(db: Db) {
            let world = World::new(db).await;
            world.install("shared", SHARED).await;
            for round in 0..4_u128 {
                let writer = UserId::new(Uuid::from_u128(0x1000 + round));
                world.becomes(writer, "active").await;
                let params = format!(
                    r#"{{"listingId":"{LISTING}","protectedData":{{"phone":"+358-hidden"}}}}"#
                );
                let calls = (0..12).map(|_| async {
                    let begun = world
                        .initiate(&user(writer), "shared/release-1", "transition/begin", &params)
                        .await;
                    begun.err().map(|refused| refused.status())
                });
                let (answers, ()) = join(join_all(calls), world.becomes(writer, "deleted")).await;
                // Before the deletion, or refused.
                assert!(answers.iter().all(|status| matches!(status, None | Some(401 | 409))));
                world.drain().await;
                let begun = answers.iter().filter(|status| status.is_none()).count();
                assert_eq!(world.envelopes_of(writer).await, begun);
            }
            let kept = "SELECT count(*) FROM transactions WHERE protected_data LIKE '%hidden%'";
            assert_eq!(world.count(kept).await, 0);
            let told = format!("{:?}", world.envelopes().await);
            assert!(!told.contains("hidden"));
            let waiting = "SELECT count(*) FROM timers WHERE status = 'scheduled'";
            assert_eq!(world.count(waiting).await, 0);
        }
    }
}
