//! Events by filter, for integrations that poll: ascending, from a number on.

use super::Cx;
use crate::domain::event_types::full_types;
use crate::error::Error;
use crate::store::query::{EventFilter, page};
use stoa_policy::{AccessSettings, Action, Resource, Standing, require};
use stoa_proto::event_log as pb;
use stoa_rpc::Caller;
use stoa_types::id::parse_uuid;
use stoa_types::{Problem, Problems, SourceKind, Timestamp};

/// Events on a page, at most.
const MAX_PER_PAGE: u32 = 100;
/// Items of `eventTypes`, at most.
const MAX_EVENT_TYPES: usize = 20;

pub(crate) async fn query(
    cx: &Cx,
    caller: Caller,
    request: pb::QueryEventsRequest,
) -> Result<pb::QueryEventsResponse, Error> {
    let per_page = request.per_page;
    let filter = filter(request)?;
    // The right depends on the level alone, so no settings are waited for.
    let standing = Standing {
        settings: AccessSettings::default(),
        user: None,
        role: caller.actor.role,
    };
    require(
        &caller.actor,
        Action::QueryEvents,
        &standing,
        &Resource::None,
    )?;
    let (mut events, total_items) = page(&cx.db, &filter, per_page).await?;
    let marketplace = cx.marketplace.to_string();
    for event in &mut events {
        event.marketplace_id.clone_from(&marketplace);
    }
    Ok(pb::QueryEventsResponse {
        events,
        total_items,
        per_page,
    })
}

fn filter(request: pb::QueryEventsRequest) -> Result<EventFilter, Problems> {
    let mut problems = Vec::new();
    let mut invalid = |field: &'static str, why: String| {
        problems.push(Problem::invalid_value(
            SourceKind::Query,
            vec![field.into()],
            why,
        ));
    };
    if !(1..=MAX_PER_PAGE).contains(&request.per_page) {
        invalid("perPage", format!("must be 1 to {MAX_PER_PAGE}"));
    }
    let mut instant = |field, ms: Option<i64>| {
        let read = Timestamp::checked_from_ms(ms?);
        read.map_err(|why| invalid(field, why.to_string())).ok()
    };
    let created_from = instant("createdAtStart", request.created_at_start_ms);
    let created_before = instant("createdAtEnd", request.created_at_end_ms);
    let mut id = |field, text: Option<&String>| {
        let read = parse_uuid(text?).map(|id| id.to_string());
        read.map_err(|why| invalid(field, why.to_string())).ok()
    };
    let resource_id = id("resourceId", request.resource_id.as_ref());
    let related_id = id("relatedResourceId", request.related_resource_id.as_ref());
    let user_id = id("userId", request.user_id.as_ref());
    let event_types = match request.event_types.as_slice() {
        [] => None,
        many if many.len() > MAX_EVENT_TYPES => {
            invalid("eventTypes", format!("at most {MAX_EVENT_TYPES}"));
            None
        }
        names => full_types(names)
            .map_err(|why| invalid("eventTypes", why.to_string()))
            .ok(),
    };
    if request.resource_id.is_some() && request.related_resource_id.is_some() {
        let why = "resourceId and relatedResourceId exclude each other";
        problems.push(Problem::invalid_params(why));
    }
    Problems::check(problems)?;
    let (from, before) = numbers(&request);
    Ok(EventFilter {
        from,
        before,
        created_from,
        created_before,
        resource_id,
        related_id,
        event_types,
        user_id,
    })
}

/// What all bounds of sequence ids together leave: from (inclusive) and before (exclusive).
fn numbers(request: &pb::QueryEventsRequest) -> (i64, Option<i64>) {
    let number = |id: u64| i64::try_from(id).unwrap_or(i64::MAX);
    let next = |id: u64| number(id.saturating_add(1));
    let from = [
        request.start_after_sequence_id.map(next),
        request.sequence_id.map(number),
        request.sequence_id_start.map(number),
    ];
    let before = [
        request.sequence_id.map(next),
        request.sequence_id_end.map(number),
    ];
    (
        from.into_iter().flatten().max().unwrap_or(0),
        before.into_iter().flatten().min(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{apply, envelope, id, listing_event, user_deleted};
    use stoa_db::Db;
    use stoa_db::accounting;
    use stoa_policy::{Actor, Level, Role};
    use stoa_proto::Class;
    use stoa_proto::events::{EventActor, PublicEvent};
    use stoa_types::id::{ClientId, MarketplaceId, OperatorId, SessionId, UserId};
    use uuid::Uuid;

    fn request() -> pb::QueryEventsRequest {
        pb::QueryEventsRequest {
            per_page: 100,
            ..pb::QueryEventsRequest::default()
        }
    }

    fn cx(db: &Db) -> Cx {
        Cx {
            db: db.clone(),
            marketplace: MarketplaceId::new(Uuid::from_u128(77)),
        }
    }

    fn integration() -> Caller {
        let actor = Actor::integration(ClientId::new(Uuid::from_u128(100)));
        Caller::for_test(actor, Class::Read, None)
    }

    async fn ask(db: &Db, request: pb::QueryEventsRequest) -> pb::QueryEventsResponse {
        query(&cx(db), integration(), request).await.unwrap()
    }

    /// Sequence ids of the answer.
    async fn numbers_of(db: &Db, request: pb::QueryEventsRequest) -> Vec<u64> {
        let answer = ask(db, request).await;
        assert_eq!(answer.total_items, answer.events.len() as u64);
        answer.events.iter().map(|e| e.sequence_id).collect()
    }

    /// What was refused: code and path.
    fn refused(request: pb::QueryEventsRequest) -> Vec<(String, String)> {
        let problems = filter(request).unwrap_err();
        let told = problems.as_slice().iter();
        told.map(|problem| {
            let path = problem.source.as_ref().map(|source| {
                assert_eq!(source.kind, SourceKind::Query);
                format!("{:?}", source.path)
            });
            (problem.code.to_string(), path.unwrap_or_default())
        })
        .collect()
    }

    fn invalid(field: &str) -> (String, String) {
        (
            "validation-invalid-value".into(),
            format!("[Key({field:?})]"),
        )
    }

    // contract: integration I13
    #[test]
    fn a_page_has_1_to_100_events() {
        for per_page in [0, 101, u32::MAX] {
            let request = pb::QueryEventsRequest {
                per_page,
                ..request()
            };
            assert_eq!(refused(request), [invalid("perPage")]);
        }
        assert!(filter(request()).is_ok());
    }

    #[test]
    fn every_bad_parameter_is_named() {
        let bad = pb::QueryEventsRequest {
            created_at_start_ms: Some(i64::MAX),
            created_at_end_ms: Some(i64::MIN),
            resource_id: Some("x".into()),
            related_resource_id: Some(String::new()),
            user_id: Some("{}".into()),
            event_types: vec!["listing/".into()],
            per_page: 0,
            ..request()
        };
        let fields = [
            "perPage",
            "createdAtStart",
            "createdAtEnd",
            "resourceId",
            "relatedResourceId",
            "userId",
            "eventTypes",
        ];
        let found = refused(bad);
        assert_eq!(found[..7], fields.map(invalid));
        assert_eq!(found[7].0, "validation-invalid-params");
        assert_eq!(found.len(), 8);
    }

    #[test]
    fn at_most_20_event_types_are_taken() {
        let types = |n: usize| pb::QueryEventsRequest {
            event_types: vec!["user".into(); n],
            ..request()
        };
        assert!(filter(types(20)).is_ok());
        assert_eq!(refused(types(21)), [invalid("eventTypes")]);
    }

    #[test]
    fn all_bounds_of_numbers_count_together_and_ends_are_exclusive() {
        let bounds = |after, exact, start, end| {
            numbers(&pb::QueryEventsRequest {
                start_after_sequence_id: after,
                sequence_id: exact,
                sequence_id_start: start,
                sequence_id_end: end,
                ..request()
            })
        };
        assert_eq!(bounds(None, None, None, None), (0, None));
        assert_eq!(bounds(Some(4), None, Some(3), Some(9)), (5, Some(9)));
        assert_eq!(bounds(None, Some(4), None, Some(9)), (4, Some(5)));
        assert_eq!(
            bounds(Some(u64::MAX), None, None, Some(u64::MAX)),
            (i64::MAX, Some(i64::MAX))
        );
    }

    /// Six events: 1, 2 one listing by an application; 3 another one by a user behind whom an
    /// operator sits; 4, 5 one envelope; 6 a deletion of a user.
    async fn fill(db: &Db) {
        let listing = |n, kind, of| listing_event(n, kind, of, 30);
        apply(
            db,
            &envelope("listing.created", [listing(1, "listing/created", 20)]),
        )
        .await
        .unwrap();
        let mut later = envelope("listing.updated", [listing(2, "listing/updated", 20)]);
        later.occurred_at_ms = 2000;
        apply(db, &later).await.unwrap();
        let mut by_user = envelope("listing.created", [listing(3, "listing/created", 21)]);
        by_user.occurred_at_ms = 3000;
        by_user.actor = Some(EventActor {
            level: "limited".into(),
            user_id: id(30),
            operator_id: id(40),
            client_id: id(100),
            request_id: id(102),
            cause: String::new(),
        });
        apply(db, &by_user).await.unwrap();
        let event = |n, event_type: &str, resource| PublicEvent {
            id: id(n),
            event_type: event_type.into(),
            source: "source/transaction".into(),
            resource_id: id(resource),
            related_ids: vec![id(20), id(31)],
            ..PublicEvent::default()
        };
        let transition = envelope(
            "transaction.transitioned",
            [
                event(4, "review/created", 50),
                event(5, "transaction/transitioned", 51),
            ],
        );
        apply(db, &transition).await.unwrap();
        apply(db, &user_deleted(6, 31)).await.unwrap();
    }

    stoa_testkit::on_every_engine! { crate::MIGRATIONS;
        // contract: integration I7 (the log), I12
        async fn every_filter_finds_its_events_in_ascending_order(db: Db) {
            assert_eq!(ask(&db, request()).await, pb::QueryEventsResponse {
                per_page: 100,
                ..pb::QueryEventsResponse::default()
            });
            fill(&db).await;
            let types = |names: &[&str]| pb::QueryEventsRequest {
                event_types: names.iter().map(|name| (*name).to_owned()).collect(),
                ..request()
            };
            let cases = [
                (request(), vec![1, 2, 3, 4, 5, 6]),
                (pb::QueryEventsRequest { start_after_sequence_id: Some(4), ..request() }, vec![5, 6]),
                (pb::QueryEventsRequest { start_after_sequence_id: Some(6), ..request() }, vec![]),
                (pb::QueryEventsRequest { sequence_id: Some(2), ..request() }, vec![2]),
                (pb::QueryEventsRequest {
                    sequence_id_start: Some(2), sequence_id_end: Some(4), ..request()
                }, vec![2, 3]),
                (pb::QueryEventsRequest {
                    created_at_start_ms: Some(2000), created_at_end_ms: Some(3000), ..request()
                }, vec![2]),
                (pb::QueryEventsRequest { resource_id: Some(id(20)), ..request() }, vec![1, 2]),
                // Its own, and those that refer to it.
                (pb::QueryEventsRequest {
                    related_resource_id: Some(id(20)), ..request()
                }, vec![1, 2, 4, 5]),
                (pb::QueryEventsRequest {
                    related_resource_id: Some(id(51).to_uppercase()), ..request()
                }, vec![5]),
                (pb::QueryEventsRequest {
                    related_resource_id: Some(id(31)),
                    start_after_sequence_id: Some(4),
                    event_types: vec!["user".into()],
                    ..request()
                }, vec![6]),
                (pb::QueryEventsRequest { user_id: Some(id(30)), ..request() }, vec![3]),
                (types(&["listing/created", "user"]), vec![1, 3, 6]),
                (types(&["review"]), vec![4]),
                (types(&["file"]), vec![]),
                (pb::QueryEventsRequest {
                    event_types: vec!["listing".into()],
                    created_at_start_ms: Some(2000),
                    user_id: Some(id(30)),
                    resource_id: Some(id(21)),
                    ..request()
                }, vec![3]),
            ];
            for (request, expected) in cases {
                assert_eq!(numbers_of(&db, request.clone()).await, expected, "{request:?}");
            }
            let all = ask(&db, request()).await.events;
            let first = &all[0];
            assert_eq!(first.created_at_ms, 1000);
            assert_eq!(first.marketplace_id, id(77));
            let actor = first.actor.clone().unwrap();
            assert_eq!((actor.level.as_str(), actor.client_id), ("integration", id(100)));
            assert_eq!((actor.user_id, actor.operator_id), (String::new(), String::new()));
            let event = first.event.clone().unwrap();
            assert_eq!(event, listing_event(1, "listing/created", 20, 30));
            let actor = all[2].actor.clone().unwrap();
            assert_eq!((actor.user_id, actor.operator_id), (id(30), id(40)));
            // contract: integration I10 (the log)
            assert_eq!(all[5].event.clone().unwrap().resource, None);
        }

        // contract: integration I13
        async fn a_full_page_knows_how_many_there_are(db: Db) {
            fill(&db).await;
            let cases = [
                (pb::QueryEventsRequest { per_page: 2, ..request() }, 2, 6, 2),
                (pb::QueryEventsRequest {
                    per_page: 2, start_after_sequence_id: Some(1), sequence_id_end: Some(6), ..request()
                }, 2, 4, 2),
                (pb::QueryEventsRequest {
                    per_page: 1, event_types: vec!["listing".into()], ..request()
                }, 1, 3, 2),
                (pb::QueryEventsRequest {
                    per_page: 3, related_resource_id: Some(id(20)), ..request()
                }, 3, 4, 2),
                (pb::QueryEventsRequest { per_page: 6, ..request() }, 6, 6, 1),
                (request(), 6, 6, 1),
            ];
            for (request, events, total, statements) in cases {
                let (answer, asked) = accounting::scope(ask(&db, request.clone())).await;
                assert_eq!(answer.events.len(), events, "{request:?}");
                assert_eq!(answer.total_items, total, "{request:?}");
                assert_eq!(answer.per_page, request.per_page);
                assert_eq!(asked.count, statements, "{request:?}");
            }
        }

        async fn only_an_integration_reads_the_log(db: Db) {
            let user = UserId::new(Uuid::from_u128(1));
            let client = ClientId::new(Uuid::from_u128(2));
            let session = SessionId::new(Uuid::from_u128(3));
            for actor in [
                Actor::anonymous(Some(client)),
                Actor::user(Level::User, user, client, session),
                Actor::user(Level::TrustedUser, user, client, session),
                Actor::user(Level::LimitedUser, user, client, session),
                Actor::operator(OperatorId::new(Uuid::from_u128(4)), Role::Owner),
                Actor::system("x"),
            ] {
                let caller = Caller::for_test(actor, Class::Read, None);
                let refused = query(&cx(&db), caller, request()).await.unwrap_err();
                assert_eq!(Problems::from(refused).status(), 403);
            }
        }
    }
}
