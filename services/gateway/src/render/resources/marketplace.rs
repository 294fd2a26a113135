//! `marketplace`.

use super::Wanted;
use stoa_codec::Writer;
use stoa_proto::auth::Marketplace;

pub(super) fn attributes(w: &mut Writer, marketplace: &Marketplace, wanted: Wanted<'_>) {
    if wanted.has("name") {
        w.key_string("name", &marketplace.name);
    }
    if wanted.has("description") {
        w.key_string_or_null("description", marketplace.description.as_deref());
    }
}
