//! What one transition leaves in the database, all in one commit.

use crate::context::Context;
use crate::domain::{StoredReview, Transaction};
use crate::error::Error;
use crate::events;
use crate::store::attempts::{self, Outcome};
use crate::store::{reviews, timers, transactions};
use stoa_db::Tx;
use stoa_feed::Origin;
use stoa_process::engine::{Effect, Stepped};
use stoa_types::Timestamp;
use stoa_types::id::{AttemptId, ReviewId};

/// A transition that is about to be stored.
pub(crate) struct Commit<'a> {
    /// The transaction before it; nothing for an initiation.
    pub(crate) before: Option<&'a Transaction>,
    /// The transaction after it.
    pub(crate) after: &'a Transaction,
    /// What the engine gave.
    pub(crate) stepped: &'a Stepped,
    /// The reviews before it, in the order of their posting.
    pub(crate) reviews: &'a [StoredReview],
    /// The instant of everything.
    pub(crate) at: Timestamp,
    /// Who caused it.
    pub(crate) origin: &'a Origin,
    /// The attempt that ends with it.
    pub(crate) attempt: Option<AttemptId>,
}

/// Stores the run, reviews, timers and events of one transition.
///
/// # Errors
/// [`Error::Locked`] when the attempt was aborted meanwhile; those of the statements.
pub(crate) async fn store(tx: &Tx, context: &Context, commit: &Commit<'_>) -> Result<(), Error> {
    let Commit {
        after, stepped, at, ..
    } = *commit;
    if let Some(id) = commit.attempt {
        let now = context.real_clock.now();
        if attempts::end(tx, id, Outcome::Committed, now).await? == Outcome::Aborted {
            return Err(Error::Locked);
        }
    }
    match commit.before {
        None => tx.execute_expecting(1, transactions::insert(after)).await?,
        Some(_) => {
            tx.execute_expecting(1, transactions::update(after)).await?;
            tx.execute(timers::clear(after.id)).await?;
        }
    }
    if !stepped.delayed.is_empty() {
        let statement = timers::insert(after.id, &stepped.delayed, &*context.entropy);
        tx.execute_expecting(stepped.delayed.len() as u64, statement)
            .await?;
    }
    let posted = posted(context, commit);
    if !posted.is_empty() {
        tx.execute_expecting(posted.len() as u64, reviews::insert(&posted))
            .await?;
    }
    let publishes = stepped
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::ReviewsPublished { .. }));
    if publishes && !commit.reviews.is_empty() {
        tx.execute(reviews::publish(after.id)).await?;
    }
    let known: Vec<StoredReview> = commit.reviews.iter().cloned().chain(posted).collect();
    let envelope = events::transitioned(commit.before, after, &stepped.events, &known).build(
        commit.origin,
        at,
        &*context.entropy,
    );
    stoa_feed::emit(tx, [envelope]).await?;
    Ok(())
}

/// The reviews that the transition made, as they are at its end.
fn posted(context: &Context, commit: &Commit<'_>) -> Vec<StoredReview> {
    let Commit {
        after, stepped, at, ..
    } = *commit;
    stepped.run.reviews[commit.reviews.len().min(stepped.run.reviews.len())..]
        .iter()
        .map(|review| StoredReview {
            id: ReviewId::random(&*context.entropy),
            transaction: after.id,
            listing: after.run.listing,
            author: after.run.user(review.author),
            subject: after.run.user(review.author.other()),
            created_at: at,
            review: review.clone(),
        })
        .collect()
}
