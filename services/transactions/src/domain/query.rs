//! Which transactions a query asks for, and in which order.

use super::{PageRequest, bad_query};
use stoa_policy::{Actor, Level};
use stoa_proto::transactions as pb;
use stoa_types::id::{ListingId, TransactionId, UserId, parse_uuid};
use stoa_types::{Problem, Problems, SourceKind, Timestamp};

/// Most ids in one query.
const MAX_IDS: usize = 100;

/// Whose transactions are searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everybody's.
    All,
    /// Those with this user as a party.
    Of(UserId),
    /// Those that this user buys in.
    OrdersOf(UserId),
    /// Those that this user sells in.
    SalesOf(UserId),
}

/// What transactions are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SortKey {
    /// When they were initiated.
    Created,
    /// When they last moved.
    LastTransition,
    /// Their newest message; those without come last either way.
    LastMessage,
}

/// A query of transactions; all parts must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionFilter {
    /// Whose.
    pub(crate) scope: Scope,
    /// Last transition is one of these; empty: any. The same for the next two.
    pub(crate) last_transitions: Vec<String>,
    /// State is one of these.
    pub(crate) states: Vec<String>,
    /// Process is one of these.
    pub(crate) process_names: Vec<String>,
    /// Created at or after.
    pub(crate) created_from: Option<Timestamp>,
    /// Created before.
    pub(crate) created_before: Option<Timestamp>,
    /// Last moved at or after.
    pub(crate) transitioned_from: Option<Timestamp>,
    /// Last moved before.
    pub(crate) transitioned_before: Option<Timestamp>,
    /// About this listing.
    pub(crate) listing: Option<ListingId>,
    /// With this user as a party.
    pub(crate) user: Option<UserId>,
    /// With this customer.
    pub(crate) customer: Option<UserId>,
    /// With this provider.
    pub(crate) provider: Option<UserId>,
    /// One of these; an empty list matches nothing.
    pub(crate) ids: Option<Vec<TransactionId>>,
    /// Priced or not.
    pub(crate) has_payin: Option<bool>,
    /// With or without messages.
    pub(crate) has_message: Option<bool>,
    /// Sort keys with true for ascending, the most important first.
    pub(crate) sort: Vec<(SortKey, bool)>,
    /// Which page.
    pub(crate) page: PageRequest,
}

impl TransactionFilter {
    /// Reads a query of `actor`: users search their own transactions.
    ///
    /// # Errors
    /// 400 for each value that is wrong or that this caller may not give.
    pub(crate) fn read(
        request: &pb::QueryTransactionsRequest,
        actor: &Actor,
    ) -> Result<Self, Problems> {
        let mut found = Vec::new();
        let page = PageRequest::read(request.page.as_ref(), &mut found);
        let scope = scope(request, actor, &mut found);
        let sort = sort(&request.sort, &mut found);
        let ids = request
            .ids
            .as_ref()
            .and_then(|list| ids(&list.ids, &mut found));
        let mut id = |text: &Option<String>, key| {
            let parsed = text.as_deref().map(parse_uuid)?;
            parsed
                .map_err(|_| found.push(bad_query(key, "must be a UUID")))
                .ok()
        };
        let listing = id(&request.listing_id, "listingId").map(ListingId::new);
        let user = id(&request.user_id, "userId").map(UserId::new);
        let customer = id(&request.customer_id, "customerId").map(UserId::new);
        let provider = id(&request.provider_id, "providerId").map(UserId::new);
        Problems::check(found)?;
        let at = |ms: Option<i64>| ms.map(Timestamp::from_ms);
        Ok(Self {
            scope,
            last_transitions: request.last_transitions.clone(),
            states: request.states.clone(),
            process_names: request.process_names.clone(),
            created_from: at(request.created_at_start_ms),
            created_before: at(request.created_at_end_ms),
            transitioned_from: at(request.last_transitioned_at_start_ms),
            transitioned_before: at(request.last_transitioned_at_end_ms),
            listing,
            user,
            customer,
            provider,
            ids,
            has_payin: request.has_payin,
            has_message: request.has_message,
            sort,
            page,
        })
    }
}

fn scope(request: &pb::QueryTransactionsRequest, actor: &Actor, found: &mut Vec<Problem>) -> Scope {
    let disallowed =
        |key: &'static str| Problem::disallowed_key(SourceKind::Query, vec![key.into()]);
    let for_the_marketplace = matches!(
        actor.level,
        Level::Integration | Level::Operator | Level::Service | Level::System
    );
    match (actor.user, for_the_marketplace) {
        (Some(me), false) => {
            if request.customer_id.is_some() {
                found.push(disallowed("customerId"));
            }
            if request.provider_id.is_some() {
                found.push(disallowed("providerId"));
            }
            match request.only.as_deref() {
                None => Scope::Of(me),
                Some("order") => Scope::OrdersOf(me),
                Some("sale") => Scope::SalesOf(me),
                Some(_) => {
                    found.push(bad_query("only", "must be sale or order"));
                    Scope::Of(me)
                }
            }
        }
        _ => {
            if request.only.is_some() {
                found.push(disallowed("only"));
            }
            Scope::All
        }
    }
}

fn ids(texts: &[String], found: &mut Vec<Problem>) -> Option<Vec<TransactionId>> {
    if texts.len() > MAX_IDS {
        found.push(bad_query("ids", "must not name more than 100"));
        return None;
    }
    let ids: Result<Vec<_>, _> = texts
        .iter()
        .map(|text| TransactionId::parse(text))
        .collect();
    ids.map_err(|_| found.push(bad_query("ids", "must be UUIDs")))
        .ok()
}

/// Without a prefix the newest comes first; `-` turns that around.
fn sort(keys: &[String], found: &mut Vec<Problem>) -> Vec<(SortKey, bool)> {
    let mut sort = Vec::new();
    for key in keys {
        let (name, ascending) = match key.strip_prefix('-') {
            Some(name) => (name, true),
            None => (key.as_str(), false),
        };
        match name {
            "createdAt" => sort.push((SortKey::Created, ascending)),
            "lastTransitionedAt" => sort.push((SortKey::LastTransition, ascending)),
            "lastMessageAt" => sort.push((SortKey::LastMessage, ascending)),
            _ => found.push(bad_query(
                "sort",
                "must be createdAt, lastTransitionedAt or lastMessageAt, with - for ascending",
            )),
        }
    }
    if sort.is_empty() {
        sort.push((SortKey::Created, false));
    }
    sort
}

#[cfg(test)]
mod tests {
    use super::*;
    use stoa_types::id::{ClientId, SessionId};
    use stoa_types::{Entropy, SeededEntropy};

    fn me() -> Actor {
        let entropy = SeededEntropy::new(3);
        Actor::user(
            Level::User,
            UserId::new(entropy.uuid()),
            ClientId::new(entropy.uuid()),
            SessionId::new(entropy.uuid()),
        )
    }

    fn integration() -> Actor {
        Actor::integration(ClientId::new(SeededEntropy::new(4).uuid()))
    }

    fn codes(request: &pb::QueryTransactionsRequest, actor: &Actor) -> Vec<String> {
        let problems = TransactionFilter::read(request, actor).unwrap_err();
        problems
            .as_slice()
            .iter()
            .map(|problem| problem.code.to_string())
            .collect()
    }

    #[test]
    fn users_search_their_own_transactions_and_integrations_all() {
        let request = pb::QueryTransactionsRequest::default();
        let user = me();
        let scope = |actor: &Actor| TransactionFilter::read(&request, actor).unwrap().scope;
        assert_eq!(scope(&user), Scope::Of(user.user.unwrap()));
        assert_eq!(scope(&integration()), Scope::All);
    }

    #[test]
    fn a_bare_sort_key_is_the_newest_first() {
        let request = pb::QueryTransactionsRequest {
            sort: vec!["lastMessageAt".into(), "-createdAt".into()],
            ..Default::default()
        };
        assert_eq!(
            TransactionFilter::read(&request, &me()).unwrap().sort,
            [(SortKey::LastMessage, false), (SortKey::Created, true)]
        );
        let default = TransactionFilter::read(&Default::default(), &me()).unwrap();
        assert_eq!(default.sort, [(SortKey::Created, false)]);
    }

    #[test]
    fn every_wrong_value_is_named() {
        let id = "3c073fae-6172-4e75-8b92-f560d58cd47c".to_owned();
        let request = pb::QueryTransactionsRequest {
            only: Some("mine".into()),
            sort: vec!["price".into()],
            listing_id: Some("x".into()),
            customer_id: Some(id.clone()),
            ids: Some(pb::IdList { ids: vec![id; 101] }),
            ..Default::default()
        };
        assert_eq!(
            codes(&request, &me()),
            [
                "validation-disallowed-key",
                "validation-invalid-value",
                "validation-invalid-value",
                "validation-invalid-value",
                "validation-invalid-value",
            ]
        );
        let request = pb::QueryTransactionsRequest {
            only: Some("sale".into()),
            ..Default::default()
        };
        assert_eq!(
            codes(&request, &integration()),
            ["validation-disallowed-key"]
        );
    }
}
