//! What this service tells: one envelope for each command, with its public events in their order.

use crate::domain::{Message, StoredReview, Transaction};
use stoa_feed::EnvelopeBuilder;
use stoa_process::Party;
use stoa_process::engine::StepEvent;
use stoa_proto::events::envelope::Payload;
use stoa_proto::events::resource::Resource as Kind;
use stoa_proto::events::{PublicEvent, Resource};
use stoa_proto::transactions as pb;

/// `transaction.initiated` or `transaction.transitioned`. `reviews` are those of the transaction
/// after the step.
pub(crate) fn transitioned(
    before: Option<&Transaction>,
    after: &Transaction,
    events: &[StepEvent],
    reviews: &[StoredReview],
) -> EnvelopeBuilder {
    let kind = match before {
        None => "transaction.initiated",
        Some(_) => "transaction.transitioned",
    };
    let of = |author: &Party| {
        reviews
            .iter()
            .find(|stored| stored.review.author == *author)
    };
    let mut envelope = EnvelopeBuilder::new(kind, after.id, after.version)
        .payload(Payload::Transaction(after.full()));
    for event in events {
        let public = match event {
            StepEvent::ReviewCreated(author) => of(author).map(review_created),
            StepEvent::ReviewUpdated(author) => of(author).map(review_published),
            StepEvent::TransactionInitiated | StepEvent::TransactionTransitioned => {
                Some(transaction_event(event.name(), before, after))
            }
        };
        if let Some(public) = public {
            envelope = envelope.public_event(public);
        }
    }
    envelope
}

/// `transaction.updated`: a change without a transition.
pub(crate) fn updated(before: &Transaction, after: &Transaction) -> EnvelopeBuilder {
    EnvelopeBuilder::new("transaction.updated", after.id, after.version)
        .payload(Payload::Transaction(after.full()))
        .public_event(transaction_event(
            "transaction/updated",
            Some(before),
            after,
        ))
}

/// `message.created`.
pub(crate) fn message_created(message: &Message) -> EnvelopeBuilder {
    let shown = message.to_proto();
    EnvelopeBuilder::new("message.created", message.id, 1).public_event(PublicEvent {
        event_type: "message/created".into(),
        resource_type: "message".into(),
        resource_id: shown.id.clone(),
        related_ids: vec![shown.transaction_id.clone(), shown.sender_id.clone()],
        resource: Some(Resource {
            resource: Some(Kind::Message(shown)),
        }),
        ..PublicEvent::default()
    })
}

fn transaction_event(name: &str, before: Option<&Transaction>, after: &Transaction) -> PublicEvent {
    let shown = after.full();
    let (previous, previous_paths) = before.map(|before| previous(before, after)).unzip();
    PublicEvent {
        event_type: name.to_owned(),
        resource_type: "transaction".into(),
        resource_id: shown.id.clone(),
        related_ids: vec![
            shown.listing_id.clone(),
            shown.customer_id.clone(),
            shown.provider_id.clone(),
        ],
        resource: Some(Resource {
            resource: Some(Kind::Transaction(shown)),
        }),
        previous: previous.map(|previous| Resource {
            resource: Some(Kind::Transaction(previous)),
        }),
        previous_paths: previous_paths.unwrap_or_default(),
        ..PublicEvent::default()
    }
}

/// The transaction before, cut to what changed, and the paths of that.
fn previous(before: &Transaction, after: &Transaction) -> (pb::Transaction, Vec<String>) {
    let (old, new) = (before.full(), after.full());
    let protected = before
        .run
        .protected_data
        .data()
        .previous_of(after.run.protected_data.data());
    let metadata = before.run.metadata.previous_of(&after.run.metadata);
    let mut paths = Vec::new();
    let mut changed = |is: bool, path: &str| {
        if is {
            paths.push(format!("attributes.{path}"));
        }
    };
    changed(old.last_transition != new.last_transition, "lastTransition");
    changed(
        old.last_transitioned_at_ms != new.last_transitioned_at_ms,
        "lastTransitionedAt",
    );
    changed(old.state != new.state, "state");
    changed(old.transitions != new.transitions, "transitions");
    changed(old.payin_total != new.payin_total, "payinTotal");
    changed(old.payout_total != new.payout_total, "payoutTotal");
    changed(old.line_items != new.line_items, "lineItems");
    changed(!protected.is_empty(), "protectedData");
    changed(!metadata.is_empty(), "metadata");
    let previous = pb::Transaction {
        protected_data_writers: before.writers(protected.iter()),
        protected_data: protected.to_json(),
        metadata: metadata.to_json(),
        ..old
    };
    (previous, paths)
}

fn review_event(name: &str, shown: pb::Review) -> PublicEvent {
    PublicEvent {
        event_type: name.to_owned(),
        resource_type: "review".into(),
        resource_id: shown.id.clone(),
        related_ids: vec![
            shown.transaction_id.clone().unwrap_or_default(),
            shown.listing_id.clone(),
            shown.author_id.clone(),
            shown.subject_id.clone(),
        ],
        resource: Some(Resource {
            resource: Some(Kind::Review(shown)),
        }),
        ..PublicEvent::default()
    }
}

/// A new review waits, also when the same transition publishes it afterwards.
fn review_created(review: &StoredReview) -> PublicEvent {
    review_event("review/created", waiting(review).full())
}

fn review_published(review: &StoredReview) -> PublicEvent {
    let before = waiting(review).full();
    let mut after = review.clone();
    after.review.public = true;
    PublicEvent {
        previous: Some(Resource {
            resource: Some(Kind::Review(before)),
        }),
        previous_paths: vec!["attributes.state".into()],
        ..review_event("review/updated", after.full())
    }
}

fn waiting(review: &StoredReview) -> StoredReview {
    let mut waiting = review.clone();
    waiting.review.public = false;
    waiting
}
