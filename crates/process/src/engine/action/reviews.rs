//! Actions that write and publish reviews.

use super::Work;
use crate::definition::Party;
use crate::engine::{Effect, StepError};
use crate::run::Review;
use stoa_types::{Problem, SourceKind};

/// `post-review-by-…`: writes a party's one review, which waits unpublished.
pub(super) fn post(work: &mut Work<'_>, author: Party) -> Result<(), StepError> {
    // The check of the parameters has seen both.
    let rating = work
        .params
        .integer("reviewRating")
        .and_then(|rating| u8::try_from(rating).ok());
    let rating = rating.ok_or_else(|| missing("reviewRating"))?;
    let content = work
        .params
        .string("reviewContent")
        .ok_or_else(|| missing("reviewContent"))?;
    if work
        .run
        .reviews
        .iter()
        .any(|review| review.author == author)
    {
        return Err(StepError::AlreadyReviewed(author));
    }
    work.run.reviews.push(Review {
        author,
        rating,
        content: content.clone(),
        public: false,
    });
    work.effects.push(Effect::ReviewPosted {
        author,
        rating,
        content,
    });
    Ok(())
}

fn missing(key: &'static str) -> StepError {
    let path = vec!["params".into(), key.into()];
    StepError::Params(Problem::missing_key(SourceKind::Body, path).into())
}

/// `publish-reviews`: all that wait become public; none is no error.
pub(super) fn publish(work: &mut Work<'_>) {
    let mut authors = Vec::new();
    for review in work.run.reviews.iter_mut().filter(|review| !review.public) {
        review.public = true;
        authors.push(review.author);
    }
    if !authors.is_empty() {
        work.effects.push(Effect::ReviewsPublished { authors });
    }
}
