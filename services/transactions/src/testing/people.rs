//! Callers of every level, what they send and what they are told.

use stoa_policy::{Actor, Level, Role};
use stoa_types::Problems;
use stoa_types::id::{ClientId, ListingId, OperatorId, SessionId, UserId};
use uuid::Uuid;

/// Parameters of the shipped process's request.
pub(crate) fn request_params(listing: ListingId) -> String {
    format!(
        r#"{{"listingId":"{listing}","lineItems":[{{"code":"line-item/request","unitPrice":{{"amount":5000,"currency":"EUR"}},"quantity":1}}]}}"#
    )
}

/// Parameters of a review.
pub(crate) const REVIEW: &str = r#"{"reviewRating":5,"reviewContent":"Fine"}"#;

fn client() -> ClientId {
    ClientId::new(Uuid::from_u128(0xcc))
}

pub(crate) fn user(id: UserId) -> Actor {
    Actor::user(
        Level::User,
        id,
        client(),
        SessionId::new(Uuid::from_u128(0x5e)),
    )
}

pub(crate) fn trusted(id: UserId) -> Actor {
    Actor::user(
        Level::TrustedUser,
        id,
        client(),
        SessionId::new(Uuid::from_u128(0x5e)),
    )
}

pub(crate) fn integration() -> Actor {
    Actor::integration(client())
}

pub(crate) fn operator() -> Actor {
    Actor::operator(OperatorId::new(Uuid::from_u128(0x0b)), Role::Staff)
}

pub(crate) fn anonymous() -> Actor {
    Actor::anonymous(Some(client()))
}

/// Status and code of the first problem.
pub(crate) fn refusal<T: std::fmt::Debug>(answer: Result<T, Problems>) -> (u16, String) {
    let problems = answer.unwrap_err();
    (problems.status(), problems.as_slice()[0].code.to_string())
}

/// A refusal with a code of its own.
pub(crate) fn conflict(code: &str) -> (u16, String) {
    (409, code.to_owned())
}

/// 403 `forbidden`.
pub(crate) fn forbidden() -> (u16, String) {
    (403, "forbidden".to_owned())
}
