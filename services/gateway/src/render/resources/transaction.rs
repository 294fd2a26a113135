//! `transaction`, `message`, `review` and `processTransition`.

use super::super::include::Part;
use super::{Kind, Relation, Wanted, data, instant, money, to_one};
use stoa_codec::Writer;
use stoa_proto::transactions::{LineItem, Message, ProcessTransition, Review, Transaction};

pub(super) fn attributes(w: &mut Writer, tx: &Transaction, wanted: Wanted<'_>) {
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(tx.created_at_ms));
    }
    if wanted.has("processName") {
        w.key_string("processName", &tx.process_name);
    }
    if wanted.has("processVersion") {
        w.key_integer("processVersion", i64::from(tx.process_version));
    }
    if wanted.has("lastTransition") {
        w.key_keyword("lastTransition", &tx.last_transition);
    }
    if wanted.has("lastTransitionedAt") {
        w.key_instant("lastTransitionedAt", instant(tx.last_transitioned_at_ms));
    }
    if wanted.has("state") {
        w.key_keyword("state", &tx.state);
    }
    if wanted.has("payinTotal") {
        w.key_money_or_null("payinTotal", money(tx.payin_total.as_ref()));
    }
    if wanted.has("payoutTotal") {
        w.key_money_or_null("payoutTotal", money(tx.payout_total.as_ref()));
    }
    if wanted.has("lineItems") {
        w.key_array("lineItems");
        for item in &tx.line_items {
            line_item(w, item);
        }
        w.end_array();
    }
    data(w, "protectedData", Some(&tx.protected_data), wanted);
    data(w, "metadata", Some(&tx.metadata), wanted);
    if wanted.has("transitions") {
        w.key_array("transitions");
        for entry in &tx.transitions {
            w.map()
                .key_keyword("transition", &entry.transition)
                .key_instant("createdAt", instant(entry.created_at_ms))
                .key_keyword("by", &entry.by)
                .end_map();
        }
        w.end_array();
    }
}

fn line_item(w: &mut Writer, item: &LineItem) {
    w.map().key_string("code", &item.code);
    w.key_money_or_null("unitPrice", money(item.unit_price.as_ref()));
    w.key_money_or_null("lineTotal", money(item.line_total.as_ref()));
    w.key_array("includeFor");
    for party in &item.include_for {
        w.keyword(party);
    }
    w.end_array().key_boolean("reversal", item.reversal);
    for (name, decimal) in [
        ("quantity", &item.quantity),
        ("percentage", &item.percentage),
        ("units", &item.units),
    ] {
        if let Some(decimal) = decimal {
            w.key_decimal(name, decimal);
        }
    }
    if let Some(seats) = item.seats {
        w.key_integer("seats", seats);
    }
    w.end_map();
}

pub(super) fn relation(tx: &Transaction, name: &str) -> Option<Relation> {
    match name {
        "listing" => to_one(Kind::Listing, &tx.listing_id),
        "customer" => to_one(Kind::User, &tx.customer_id),
        "provider" => to_one(Kind::User, &tx.provider_id),
        "reviews" => Some(Relation::Parts(Part::Reviews)),
        "messages" => Some(Relation::Parts(Part::Messages)),
        // No process that runs yet makes one of these.
        "booking" | "stockReservation" => Some(Relation::One(None)),
        "protectedFileAttachments" => Some(Relation::Many(Vec::new())),
        _ => None,
    }
}

pub(super) fn message_attributes(w: &mut Writer, message: &Message, wanted: Wanted<'_>) {
    if wanted.has("content") {
        w.key_string_or_null("content", message.content.as_deref());
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(message.created_at_ms));
    }
    if wanted.has("deleted") {
        w.key_boolean("deleted", message.deleted);
    }
}

pub(super) fn message_relation(message: &Message, name: &str) -> Option<Relation> {
    match name {
        "sender" => to_one(Kind::User, &message.sender_id),
        "transaction" => to_one(Kind::Transaction, &message.transaction_id),
        "publicFileAttachments" => Some(Relation::Many(Vec::new())),
        _ => None,
    }
}

pub(super) fn review_attributes(w: &mut Writer, review: &Review, wanted: Wanted<'_>) {
    if wanted.has("type") {
        w.key_keyword("type", &review.r#type);
    }
    if wanted.has("state") {
        w.key_keyword("state", &review.state);
    }
    if wanted.has("rating") {
        w.key_integer_or_null("rating", review.rating);
    }
    if wanted.has("content") {
        w.key_string_or_null("content", review.content.as_deref());
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(review.created_at_ms));
    }
    if wanted.has("deleted") {
        w.key_boolean("deleted", review.deleted);
    }
}

pub(super) fn review_relation(review: &Review, name: &str) -> Option<Relation> {
    match name {
        "author" => to_one(Kind::User, &review.author_id),
        "subject" => to_one(Kind::User, &review.subject_id),
        "listing" => to_one(Kind::Listing, &review.listing_id),
        "transaction" => {
            let id = review.transaction_id.as_ref()?;
            to_one(Kind::Transaction, id)
        }
        _ => None,
    }
}

pub(super) fn process_transition(w: &mut Writer, next: &ProcessTransition, wanted: Wanted<'_>) {
    if wanted.has("name") {
        w.key_keyword("name", &next.name);
    }
    if wanted.has("params") {
        w.key_array("params");
        for param in &next.params {
            w.map()
                .key_string("name", &param.name)
                .key_string("type", &param.r#type)
                .key_boolean("required", param.required)
                .end_map();
        }
        w.end_array();
    }
}
