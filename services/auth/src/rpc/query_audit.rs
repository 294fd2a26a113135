//! A page of the audit log, newest first. What was written before the call is in it.

use super::{FIRST_PAGE, check_page};
use crate::Auth;
use crate::access;
use crate::domain::audit::{Detail, HOST};
use crate::error::Error;
use crate::jobs;
use crate::store::audit::{self, Filter, Stored};
use stoa_policy::Action;
use stoa_proto::auth::{AuditEntry, QueryAuditRequest, QueryAuditResponse};
use stoa_proto::types::PageMeta;
use stoa_rpc::Caller;
use stoa_types::id::OperatorId;
use stoa_types::{Problem, Problems, SourceKind, Timestamp};

pub(super) async fn query_audit(
    auth: &Auth,
    caller: Caller,
    request: QueryAuditRequest,
) -> Result<QueryAuditResponse, Error> {
    let page = request.page.unwrap_or(FIRST_PAGE);
    let mut found = check_page(&page);
    if let Some(operator) = request.operator_id.as_deref().filter(|id| *id != HOST)
        && let Err(why) = OperatorId::parse(operator)
    {
        let path = vec!["operatorId".into()];
        let why = format!("{why}, and is not `host`");
        found.push(Problem::invalid_value(SourceKind::Query, path, why));
    }
    Problems::check(found).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::QueryAudit).await?;
    jobs::chain::chain(auth).await?;
    let filter = Filter {
        operator: request.operator_id,
        target: request.target_id,
        action: request.action,
        from: request.created_at_start_ms.map(Timestamp::from_ms),
        to: request.created_at_end_ms.map(Timestamp::from_ms),
    };
    let (entries, total_items) = audit::page(&auth.db, &filter, page.page, page.per_page).await?;
    Ok(QueryAuditResponse {
        entries: entries.into_iter().map(shown).collect(),
        meta: Some(PageMeta {
            total_items,
            page: page.page,
            per_page: page.per_page,
        }),
    })
}

fn shown(stored: Stored) -> AuditEntry {
    let link = stored.link;
    let entry = link.entry;
    let detail = entry.detail.as_deref().and_then(Detail::from_json);
    let erased = detail.is_none() && !link.detail_hash.is_empty();
    let detail = detail.unwrap_or_default();
    AuditEntry {
        id: entry.id,
        sequence_id: u64::try_from(link.seq).unwrap_or(0),
        created_at_ms: entry.at.as_ms(),
        action: entry.action,
        code: entry.code,
        service: entry.service,
        level: entry.level,
        operator_id: entry.operator,
        user_id: entry.user,
        client_id: entry.client,
        request_id: entry.request,
        target_kind: entry.target_kind,
        target_id: entry.target_id,
        reason: detail.reason,
        changes: detail.changes,
        erased,
        hash: link.hash,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::create_operator::tests::create;
    use crate::rpc::exchange_token;
    use crate::rpc::grant_integration::tests::grant as grant_integration;
    use crate::rpc::grant_operator::tests::log_in as log_in_operator;
    use crate::rpc::grant_password::tests::{log_in, log_in_at};
    use crate::rpc::refresh::tests::refresh_of;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use crate::verify_audit;
    use stoa_db::Db;
    use stoa_policy::{Actor, Role};
    use stoa_proto::audit::{AuditChange, AuditRecord};
    use stoa_proto::auth as pb;
    use stoa_proto::events::{Envelope, EventActor};
    use stoa_proto::types::Page;
    use stoa_types::id::ClientId;

    async fn query(world: &World, request: QueryAuditRequest) -> Told<QueryAuditResponse> {
        let reader = world.operator(Role::ReadOnly).await;
        told(query_audit(&world.auth, reader, request).await)
    }

    fn codes(entries: &[AuditEntry]) -> Vec<&str> {
        entries.iter().map(|entry| entry.code.as_str()).collect()
    }

    /// An operator's command in another service, about the played user.
    fn record(world: &World, reason: &str) -> Envelope {
        let user = world.users.alice.to_string();
        Envelope {
            id: world.auth.entropy.uuid().to_string(),
            r#type: "listing.updated".into(),
            schema_version: 1,
            aggregate_id: "l1".into(),
            aggregate_version: 2,
            occurred_at_ms: world.auth.real_clock.now().as_ms(),
            actor: Some(EventActor {
                level: "operator".into(),
                operator_id: "b7d7ad15-84b0-4a1c-bd55-7a4a0f3f1a9e".into(),
                request_id: world.auth.entropy.uuid().to_string(),
                ..EventActor::default()
            }),
            audit: Some(AuditRecord {
                action: "listings.close".into(),
                target_kind: "listing".into(),
                target_id: "l1".into(),
                reason: Some(reason.into()),
                changes: vec![AuditChange {
                    field: "title".into(),
                    before: Some(format!("\"{reason}\"")),
                    after: None,
                }],
                personal_of: vec![user],
            }),
            ..Envelope::default()
        }
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: security S69, operator 14, auth 42
        async fn every_refused_grant_is_one_entry_with_its_reason(db: Db) {
            let world = World::new(db).await;
            let born = world.born.clone();
            let client = born.marketplace_client_id;
            assert!(log_in_at(&world, &client.to_string(), EMAIL, "wrong").await.is_err());
            let nobody = ClientId::random(&*world.entropy).to_string();
            assert!(log_in_at(&world, &nobody, EMAIL, PASSWORD).await.is_err());
            let refused = world.audited("grant.password").await;
            assert_eq!(codes(&refused), ["unknown-client", "wrong-password"]);
            assert_eq!(refused[1].client_id, client.to_string());
            assert!(!refused[1].request_id.is_empty());
            assert!(refused.iter().all(|e| !format!("{e:?}").contains(EMAIL)));

            let robot = born.integration_client_id;
            assert!(grant_integration(&world, robot, "scs_wrong").await.is_err());
            assert!(grant_integration(&world, &nobody, "scs_wrong").await.is_err());
            let refused = world.audited("grant.integration").await;
            assert_eq!(codes(&refused), ["unknown-client", "bad-secret"]);

            assert!(log_in_operator(&world, "owner@example.com", "wrong").await.is_err());
            assert!(log_in_operator(&world, "no@example.com", "wrong").await.is_err());
            let refused = world.audited("grant.operator").await;
            assert_eq!(codes(&refused), ["wrong-password", "wrong-password"]);
            assert_eq!(refused[0].target_id, "");
            assert_eq!(refused[1].target_kind, "operator");
        }

        // contract: security S69 (sign-in of an operator)
        async fn every_sign_in_of_an_operator_is_one_entry(db: Db) {
            let world = World::new(db).await;
            let password = world.born.operator_password.clone();
            let tokens = log_in_operator(&world, "owner@example.com", &password).await.unwrap();
            let entries = world.audited("grant.operator").await;
            assert_eq!(codes(&entries), ["ok"]);
            let sub = world.claims(&tokens.access_token).sub;
            assert_eq!(sub, format!("op:{}", entries[0].operator_id));
            assert_eq!(entries[0].target_id, world.sid(&tokens).to_string());
        }

        // contract: security S10 (rows 1 to 8), security S69 (reuse, exchange)
        async fn refused_refreshes_and_every_exchange_are_entries(db: Db) {
            let world = World::new(db).await;
            let born = world.born.clone();
            let client = Some(born.marketplace_client_id);
            let (other, _) = world.another_application(true).await;
            let tokens = log_in(&world).await;
            let refresh = |client, token| refresh_of(&world, client, Some(token));
            assert!(refresh(client, "srt_unknown".into()).await.is_err());
            let first = tokens.refresh_token.clone().unwrap();
            assert!(refresh(Some(other), first.clone()).await.is_err());
            refresh(client, first.clone()).await.unwrap();
            world.pass_s(61);
            assert!(refresh(client, first.clone()).await.is_err());
            assert!(refresh(client, first).await.is_err());
            let refused = world.audited("grant.refresh").await;
            assert_eq!(
                codes(&refused),
                ["session-over", "reused-token", "wrong-client", "unknown-token"]
            );
            let alice = world.users.alice.to_string();
            assert!(refused[..3].iter().all(|entry| entry.user_id == alice));
            assert_eq!(refused[1].target_id, world.sid(&tokens).to_string());

            let user = log_in(&world).await.access_token;
            let exchange = async |secret: &str, subject: &str| {
                let request = pb::ExchangeTokenRequest {
                    client_id: born.marketplace_client_id.to_string(),
                    client_secret: secret.into(),
                    subject_token: subject.into(),
                    source: String::new(),
                };
                exchange_token::exchange_token(&world.auth, world.nobody(), request).await.is_ok()
            };
            assert!(exchange(&born.marketplace_client_secret, &user).await);
            assert!(!exchange("scs_wrong", &user).await);
            assert!(!exchange(&born.marketplace_client_secret, "x").await);
            let entries = world.audited("grant.exchange").await;
            assert_eq!(codes(&entries), ["bad-subject", "bad-secret", "ok"]);
            assert_eq!(entries[2].user_id, alice);
        }

        // contract: operator audit/query, security S28
        async fn entries_are_found_by_operator_target_action_and_time(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let id = owner.actor.operator.unwrap().to_string();
            let start = world.auth.real_clock.now().as_ms();
            let mut made = Vec::new();
            for n in 0..3 {
                world.pass_s(1);
                made.push(create(&world, &owner, &format!("o{n}@market.example"), "staff").await.unwrap());
            }
            world.application(&owner).await;
            let by = |change: fn(&mut QueryAuditRequest, &str, i64)| {
                let mut request = QueryAuditRequest::default();
                change(&mut request, &id, start);
                request
            };
            let mine = query(&world, by(|r, id, _| r.operator_id = Some(id.into()))).await.unwrap();
            let places: Vec<u64> = mine.entries.iter().map(|e| e.sequence_id).collect();
            assert!(places.is_sorted_by(|a, b| a > b), "newest first: {places:?}");
            assert_eq!((mine.entries.len(), mine.meta.unwrap().total_items), (4, 4));
            let made_one = QueryAuditRequest {
                target_id: Some(made[1].id.clone()),
                ..QueryAuditRequest::default()
            };
            let one = query(&world, made_one).await.unwrap().entries;
            assert_eq!(one.len(), 1);
            assert_eq!(one[0].action, "operators.create");
            assert_eq!(one[0].operator_id, id);
            assert!(one[0].changes[0].after.as_ref().unwrap().contains("o1@market.example"));
            let between = by(|r, _, start| {
                r.action = Some("operators.create".into());
                r.created_at_start_ms = Some(start + 1000);
                r.created_at_end_ms = Some(start + 3000);
            });
            assert_eq!(query(&world, between).await.unwrap().entries.len(), 2);
            let second = by(|r, id, _| {
                r.operator_id = Some(id.into());
                r.page = Some(Page { page: 2, per_page: 3 });
            });
            assert_eq!(query(&world, second).await.unwrap().entries.len(), 1);
            let host = by(|r, _, _| r.operator_id = Some("host".into()));
            let host = query(&world, host).await.unwrap().entries;
            assert_eq!(host[0].action, "installation.create");
            let bad = by(|r, _, _| r.operator_id = Some("x".into()));
            assert_eq!(refusal(query(&world, bad).await).0, 400);
            let integration = world.caller(Actor::integration(world.born.integration_client_id));
            let refused = query_audit(&world.auth, integration, QueryAuditRequest::default()).await;
            assert_eq!(refusal(told(refused)).0, 403);
        }

        // contract: operator 10, security S48 (erasure), security S46 (audit detail)
        async fn what_others_tell_is_kept_and_goes_with_the_person_but_not_from_the_chain(db: Db) {
            let world = World::new(db).await;
            world.listings.tell(record(&world, "zebra")).await;
            world.transactions.tell(record(&world, "giraffe")).await;
            world.service.drain().await.unwrap();
            let entries = world.audited("listings.close").await;
            // The feed of transactions told of a listing, which is none of its business.
            assert_eq!(entries.len(), 1);
            let entry = &entries[0];
            assert_eq!((entry.service.as_str(), entry.reason.as_deref()), ("listings", Some("zebra")));
            assert_eq!((entry.target_kind.as_str(), entry.target_id.as_str()), ("listing", "l1"));
            assert_eq!(entry.changes.len(), 1);
            let whole = verify_audit(&world.auth.db, &[]).await.unwrap();

            world.users.say("user.deleted", |access| access.state = "deleted".into()).await;
            world.service.drain().await.unwrap();
            // One that comes late.
            world.listings.tell(record(&world, "zebra late")).await;
            world.service.drain().await.unwrap();
            let entries = world.audited("listings.close").await;
            assert_eq!(entries.len(), 2);
            for entry in &entries {
                assert_eq!((entry.reason.as_ref(), entry.changes.len()), (None, 0));
                assert!(entry.erased && !entry.operator_id.is_empty());
            }
            let after = verify_audit(&world.auth.db, &[]).await.unwrap();
            assert_eq!(after.entries, whole.entries + 1);
            assert!(after.details < whole.details);
            let (left,): (i64,) = world
                .row("SELECT COUNT(*) FROM audit_details WHERE detail LIKE '%zebra%'")
                .await;
            assert_eq!(left, 0);
            let (open,): (i64,) = world
                .row("SELECT COUNT(*) FROM audit_erasures WHERE done_at IS NULL")
                .await;
            assert_eq!(open, 0);
        }

        async fn every_shape_of_the_query_fits_the_schema(db: Db) {
            let world = World::new(db).await;
            for statement in audit::built() {
                world.auth.db.all(statement).await.unwrap();
            }
        }
    }
}
