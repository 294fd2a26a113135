//! `user`, `currentUser` and `permissionSet`.

use super::{Relation, Resource, Target, Wanted, data, instant};
use stoa_codec::Writer;
use stoa_proto::users::{Permissions, Profile, User, UserView};

pub(super) fn attributes(w: &mut Writer, user: &User, wanted: Wanted<'_>) {
    if wanted.has("banned") {
        w.key_boolean("banned", user.banned);
    }
    if wanted.has("deleted") {
        w.key_boolean("deleted", user.deleted);
    }
    let full = match user.view() {
        UserView::Current | UserView::Full => true,
        UserView::Public | UserView::Unspecified => false,
    };
    if full && wanted.has("state") {
        w.key_keyword_or_null("state", user.state.as_deref());
    }
    if wanted.has("createdAt") {
        w.key_instant_or_null("createdAt", user.created_at_ms.map(instant));
    }
    if full {
        account(w, user, wanted);
    }
    if let Some(below) = wanted.get("profile") {
        w.key_map("profile");
        let nothing = Profile::default();
        profile(w, user.profile.as_ref().unwrap_or(&nothing), full, below);
        w.end_map();
    }
}

fn account(w: &mut Writer, user: &User, wanted: Wanted<'_>) {
    if wanted.has("email") {
        w.key_string_or_null("email", user.email.as_deref());
    }
    if wanted.has("emailVerified") {
        w.key_boolean("emailVerified", user.email_verified);
    }
    if wanted.has("pendingEmail") {
        w.key_string_or_null("pendingEmail", user.pending_email.as_deref());
    }
    if let Some(below) = wanted.get("permissions") {
        match &user.permissions {
            Some(own) => {
                w.key_map("permissions");
                permissions(w, own, below);
                w.end_map();
            }
            None => {
                w.key_null("permissions");
            }
        }
    }
    for (name, value) in [
        ("stripeConnected", user.stripe_connected),
        ("stripePayoutsEnabled", user.stripe_payouts_enabled),
        ("stripeChargesEnabled", user.stripe_charges_enabled),
    ] {
        if wanted.has(name) {
            w.key_boolean(name, value);
        }
    }
    if wanted.has("identityProviders") {
        w.key_array("identityProviders");
        for provider in &user.identity_providers {
            w.map()
                .key_string("idpId", &provider.idp_id)
                .key_string("userId", &provider.user_id)
                .end_map();
        }
        w.end_array();
    }
}

fn profile(w: &mut Writer, profile: &Profile, full: bool, wanted: Wanted<'_>) {
    let private = [
        ("firstName", &profile.first_name),
        ("lastName", &profile.last_name),
    ];
    let public = [
        ("displayName", &profile.display_name),
        ("abbreviatedName", &profile.abbreviated_name),
        ("bio", &profile.bio),
    ];
    for (name, value) in private.into_iter().filter(|_| full).chain(public) {
        if wanted.has(name) {
            w.key_string_or_null(name, value.as_deref());
        }
    }
    data(w, "publicData", profile.public_data.as_deref(), wanted);
    if full {
        data(
            w,
            "protectedData",
            profile.protected_data.as_deref(),
            wanted,
        );
        data(w, "privateData", profile.private_data.as_deref(), wanted);
    }
    data(w, "metadata", profile.metadata.as_deref(), wanted);
}

/// `permission/allow` or `permission/deny` for each.
pub(super) fn permissions(w: &mut Writer, set: &Permissions, wanted: Wanted<'_>) {
    for (name, allowed) in [
        ("postListings", set.post_listings),
        ("initiateTransactions", set.initiate_transactions),
        ("read", set.read),
    ] {
        if wanted.has(name) {
            w.key_keyword(
                name,
                if allowed {
                    "permission/allow"
                } else {
                    "permission/deny"
                },
            );
        }
    }
}

pub(super) fn relation(user: &User, name: &str) -> Option<Relation> {
    let full = matches!(user.view(), UserView::Current | UserView::Full);
    match name {
        // Images and payment accounts have no service yet, so nobody has one.
        "profileImage" => Some(Relation::One(None)),
        "stripeAccount" | "stripeCustomer" if full => Some(Relation::One(None)),
        "privateFileAttachments" if full => Some(Relation::Many(Vec::new())),
        "effectivePermissionSet" if full => {
            let target = user
                .effective_permissions
                .map(|set| Target::Here(Box::new(Resource::PermissionSet(user.id.clone(), set))));
            Some(Relation::One(target))
        }
        _ => None,
    }
}
