//! `event`: a snapshot of a resource and of what it was before.

use super::super::fields::Names;
use super::{Resource, Wanted, instant};
use stoa_codec::Writer;
use stoa_proto::event_log::LoggedEvent;
use stoa_proto::events::{EventActor, PublicEvent, Resource as Snapshot, resource};

pub(super) fn attributes(w: &mut Writer, logged: &LoggedEvent, wanted: Wanted<'_>) {
    let nothing = PublicEvent::default();
    let event = logged.event.as_ref().unwrap_or(&nothing);
    let int = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(logged.created_at_ms));
    }
    if wanted.has("sequenceId") {
        w.key_integer("sequenceId", int(logged.sequence_id));
    }
    if wanted.has("marketplaceId") {
        w.key_uuid("marketplaceId", &logged.marketplace_id);
    }
    if wanted.has("eventType") {
        w.key_string("eventType", &event.event_type);
    }
    if wanted.has("source") {
        w.key_string("source", &event.source);
    }
    if wanted.has("resourceId") {
        w.key_uuid("resourceId", &event.resource_id);
    }
    if wanted.has("resourceType") {
        w.key_string("resourceType", &event.resource_type);
    }
    if wanted.has("resource") {
        w.key("resource");
        match snapshot(event.resource.as_ref()) {
            Some(resource) => write_resource(w, &resource, &logged.marketplace_id),
            None => {
                w.null();
            }
        }
    }
    if wanted.has("previousValues") {
        w.key_map("previousValues");
        if let Some(previous) = snapshot(event.previous.as_ref()) {
            write_previous(w, &previous, &event.previous_paths);
        }
        w.end_map();
    }
    if wanted.has("auditData") {
        let nobody = EventActor::default();
        audit_data(w, logged.actor.as_ref().unwrap_or(&nobody));
    }
}

fn snapshot(message: Option<&Snapshot>) -> Option<Resource> {
    Some(match message?.resource.clone()? {
        resource::Resource::User(user) => Resource::User(user),
        resource::Resource::Listing(listing) => Resource::Listing(listing),
        resource::Resource::Transaction(transaction) => Resource::Transaction(transaction),
        resource::Resource::Message(message) => Resource::Message(message),
        resource::Resource::Review(review) => Resource::Review(review),
    })
}

/// The resource in full, with every to-one relationship and the images of a listing.
fn write_resource(w: &mut Writer, resource: &Resource, marketplace: &str) {
    w.map();
    resource.write_id_and_type(w);
    w.key_map("attributes");
    resource.write_attributes(w, Wanted::ALL);
    w.end_map().key_map("relationships");
    let mut one = |name: &str, kind: &str, id: &str| {
        w.key_map(name).key("data");
        if id.is_empty() {
            w.null();
        } else {
            w.map()
                .key_uuid("id", id)
                .key_keyword("type", kind)
                .end_map();
        }
        w.end_map();
    };
    one("marketplace", "marketplace", marketplace);
    match resource {
        Resource::User(_) => {
            one("profileImage", "image", "");
            one("stripeAccount", "stripeAccount", "");
        }
        Resource::Listing(listing) => {
            one("author", "user", &listing.author_id);
            one("currentStock", "stock", "");
            w.key_map("images").key_array("data");
            for id in &listing.image_ids {
                w.map()
                    .key_uuid("id", id)
                    .key_keyword("type", "image")
                    .end_map();
            }
            w.end_array().end_map();
        }
        Resource::Transaction(tx) => {
            one("listing", "listing", &tx.listing_id);
            one("customer", "user", &tx.customer_id);
            one("provider", "user", &tx.provider_id);
            one("booking", "booking", "");
            one("stockReservation", "stockReservation", "");
        }
        Resource::Message(message) => {
            one("sender", "user", &message.sender_id);
            one("transaction", "transaction", &message.transaction_id);
        }
        Resource::Review(review) => {
            one("author", "user", &review.author_id);
            one("subject", "user", &review.subject_id);
            one("listing", "listing", &review.listing_id);
            one(
                "transaction",
                "transaction",
                review.transaction_id.as_deref().unwrap_or(""),
            );
        }
        Resource::Marketplace(_)
        | Resource::PermissionSet(..)
        | Resource::PasswordReset(_)
        | Resource::ProcessTransition(_)
        | Resource::SearchSchema(_)
        | Resource::Application(_)
        | Resource::Settings(_)
        | Resource::BuiltinEmail(_)
        | Resource::Session(_)
        | Resource::Operator(_)
        | Resource::AuditEntry(_)
        | Resource::Event(_) => {}
    }
    w.end_map().end_map();
}

/// Only what changed, with its old values.
fn write_previous(w: &mut Writer, previous: &Resource, paths: &[String]) {
    let attributes: Vec<&str> = paths
        .iter()
        .filter_map(|path| path.strip_prefix("attributes."))
        .collect();
    if !attributes.is_empty() {
        let names = Names::of(attributes);
        w.key_map("attributes");
        previous.write_attributes(w, Wanted::only(&names));
        w.end_map();
    }
    if paths.iter().any(|path| path == "relationships.images")
        && let Resource::Listing(listing) = previous
    {
        w.key_map("relationships")
            .key_map("images")
            .key_array("data");
        for id in &listing.image_ids {
            w.map()
                .key_uuid("id", id)
                .key_keyword("type", "image")
                .end_map();
        }
        w.end_array().end_map().end_map();
    }
}

fn audit_data(w: &mut Writer, actor: &EventActor) {
    w.key_map("auditData");
    for (name, id) in [
        ("userId", &actor.user_id),
        ("adminId", &actor.operator_id),
        ("clientId", &actor.client_id),
        ("requestId", &actor.request_id),
    ] {
        w.key_uuid_or_null(name, (!id.is_empty()).then_some(id.as_str()));
    }
    w.end_map();
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_codec::Format;
    use stoa_proto::listings::{Listing, ListingView};

    // contract: integration I8
    #[test]
    fn previous_values_show_only_what_changed() {
        let before = Listing {
            view: ListingView::Full.into(),
            title: "Old".into(),
            description: Some("same".into()),
            public_data: r#"{"a":1,"b":null}"#.into(),
            ..Listing::default()
        };
        let paths = [
            "attributes.title".to_owned(),
            "attributes.publicData".to_owned(),
        ];
        let mut w = Writer::new(Format::Json);
        w.map();
        write_previous(&mut w, &Resource::Listing(before), &paths);
        w.end_map();
        let json = String::from_utf8(w.finish().unwrap()).unwrap();
        assert_eq!(
            json,
            r#"{"attributes":{"title":"Old","publicData":{"a":1,"b":null}}}"#
        );
    }
}
