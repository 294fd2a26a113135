//! `listing` and `ownListing`.

use super::{Kind, Relation, Wanted, data, instant, money, to_one};
use stoa_codec::Writer;
use stoa_proto::listings::{Listing, ListingView};

pub(super) fn attributes(w: &mut Writer, listing: &Listing, wanted: Wanted<'_>) {
    if listing.deleted {
        if wanted.has("deleted") {
            w.key_boolean("deleted", true);
        }
        return;
    }
    if wanted.has("title") {
        w.key_string("title", &listing.title);
    }
    if wanted.has("description") {
        w.key_string_or_null("description", listing.description.as_deref());
    }
    if wanted.has("geolocation") {
        w.key_lat_lng_or_null("geolocation", listing.geolocation.as_ref().map(Into::into));
    }
    if wanted.has("createdAt") {
        w.key_instant("createdAt", instant(listing.created_at_ms));
    }
    if wanted.has("price") {
        w.key_money_or_null("price", money(listing.price.as_ref()));
    }
    if wanted.has("availabilityPlan") {
        w.key_json_or_null("availabilityPlan", listing.availability_plan.as_deref());
    }
    data(w, "publicData", Some(&listing.public_data), wanted);
    if listing.private_data.is_some() {
        data(w, "privateData", listing.private_data.as_deref(), wanted);
    }
    data(w, "metadata", Some(&listing.metadata), wanted);
    if wanted.has("state") {
        w.key_keyword("state", &listing.state);
    }
    if wanted.has("deleted") {
        w.key_boolean("deleted", false);
    }
}

pub(super) fn relation(listing: &Listing, name: &str) -> Option<Relation> {
    let private = matches!(listing.view(), ListingView::Own | ListingView::Full);
    match name {
        "author" => to_one(Kind::User, &listing.author_id),
        // Images, stock and files have no service yet, so no listing has any.
        "images" => Some(Relation::Many(Vec::new())),
        "currentStock" => Some(Relation::One(None)),
        "protectedFileAttachments" if private => Some(Relation::Many(Vec::new())),
        _ => None,
    }
}
