//! Changes a built-in mail; the settings get their next version, and who sends mails hears of it.

use crate::Auth;
use crate::access;
use crate::audit;
use crate::domain::builtin_email::{check, merge, try_templates, unchanged, view};
use crate::error::Error;
use crate::events;
use crate::store::{builtin_emails, settings};
use serde_json::json;
use stoa_feed::Origin;
use stoa_policy::Action;
use stoa_proto::auth::{BuiltinEmail, BuiltinEmailView, UpdateBuiltinEmailRequest};
use stoa_rpc::Caller;

pub(super) async fn update_builtin_email(
    auth: &Auth,
    caller: Caller,
    request: UpdateBuiltinEmailRequest,
) -> Result<BuiltinEmailView, Error> {
    let mail = check(&request).map_err(Error::Invalid)?;
    access::may_read(auth, &caller, Action::UpdateBuiltinEmail).await?;
    let (subject, html) = (request.subject.clone(), request.html.clone());
    // A template is a program: it does not run on the threads that serve everybody.
    let tried = tokio::task::spawn_blocking(move || {
        let (subject, html) = (subject.and_then(|s| s.text), html.and_then(|h| h.text));
        try_templates(mail, subject.as_deref(), html.as_deref())
    });
    tried
        .await
        .map_err(|_| Error::Interrupted)?
        .map_err(Error::Invalid)?;
    let now = auth.clock.now();
    let (caller, origin, request) = (&caller, &Origin::of(&caller), &request);
    let changed = auth
        .db
        .write(|tx| async move {
            let action = Action::UpdateBuiltinEmail;
            access::may_write(&tx, &caller.actor, action).await?;
            settings::lock(&tx).await?;
            let mut all = settings::settings_in(&tx).await?;
            let at = all
                .builtin_emails
                .iter()
                .position(|known| known.name == request.name);
            let present = at.map(|at| all.builtin_emails.remove(at));
            let changed = merge(present.as_ref(), request);
            audit::command(&tx, auth, caller, action.name(), |entry| {
                let was = present.as_ref();
                let texts = |mail: &BuiltinEmail| {
                    json!({ "enabled": mail.enabled, "subject": mail.subject, "html": mail.html })
                };
                entry
                    .target("builtinEmail", mail.name())
                    .changed(None, &[("mail", was.map(texts), Some(texts(&changed)))])
            })
            .await?;
            if changed == present.unwrap_or_else(|| unchanged(mail.name())) {
                return Ok(changed);
            }
            all.version = settings::next_version(&tx).await?;
            if builtin_emails::put(&tx, &changed).await? {
                all.builtin_emails.push(changed.clone());
                all.builtin_emails.sort_by(|a, b| a.name.cmp(&b.name));
            }
            let told = events::settings_changed(&all, origin, now, &*auth.entropy);
            stoa_feed::emit(&tx, [told]).await?;
            Ok::<_, Error>(changed)
        })
        .await?;
    Ok(view(mail, Some(&changed)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::query_builtin_emails::tests::query;
    use crate::store::MIGRATIONS;
    use crate::testing::*;
    use stoa_db::{Db, accounting};
    use stoa_policy::{Actor, Role};
    use stoa_proto::auth::{BuiltinEmail, TextPatch};
    use stoa_proto::events::envelope::Payload;

    async fn update(
        world: &World,
        caller: &Caller,
        request: &UpdateBuiltinEmailRequest,
    ) -> Told<BuiltinEmailView> {
        told(update_builtin_email(&world.auth, caller.clone(), request.clone()).await)
    }

    fn text(text: Option<&str>) -> Option<TextPatch> {
        let text = text.map(str::to_owned);
        Some(TextPatch { text })
    }

    fn named(name: &str) -> UpdateBuiltinEmailRequest {
        UpdateBuiltinEmailRequest {
            name: name.into(),
            ..UpdateBuiltinEmailRequest::default()
        }
    }

    /// The mails that each version of the settings told of.
    async fn told_mails(world: &World) -> Vec<Vec<BuiltinEmail>> {
        let told = world.envelopes().await.into_iter();
        told.filter_map(|envelope| match envelope.payload {
            Some(Payload::Settings(settings)) => Some(settings.builtin_emails),
            _ => None,
        })
        .collect()
    }

    stoa_testkit::on_every_engine! { MIGRATIONS;
        // contract: operator builtin_emails/update
        async fn a_changed_mail_is_told_and_goes_back_to_our_own(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let words = UpdateBuiltinEmailRequest {
                subject: text(Some("Hi {{recipient.first-name}}")),
                ..named("user-joined")
            };
            let (shown, statements) = accounting::scope(update(&world, &owner, &words)).await;
            let shown = shown.unwrap().email.unwrap();
            assert_eq!(statements.count, 10);
            assert_eq!(shown.subject.as_deref(), Some("Hi {{recipient.first-name}}"));
            let off = UpdateBuiltinEmailRequest { enabled: Some(false), ..named("new-message") };
            let off = update(&world, &owner, &off).await.unwrap().email.unwrap();
            let listed = query(&world, &owner, 1, 100).await.unwrap().emails;
            let stored: Vec<_> = listed.iter().map(|mail| mail.email.as_ref().unwrap()).collect();
            assert!(stored.contains(&&shown) && stored.contains(&&off));
            let back = UpdateBuiltinEmailRequest { subject: text(None), ..named("user-joined") };
            for _ in 0..2 {
                update(&world, &owner, &back).await.unwrap();
            }
            assert_eq!(
                told_mails(&world).await,
                [vec![], vec![shown.clone()], vec![off.clone(), shown], vec![off]]
            );
            let rows = world.row::<(i64,)>("SELECT COUNT(*) FROM builtin_emails").await;
            assert_eq!(rows, (1,), "a mail that is as it was delivered leaves no row");
        }

        async fn a_template_at_fault_is_400_and_changes_nothing(db: Db) {
            let world = World::new(db).await;
            let owner = world.operator(Role::Owner).await;
            let broken = UpdateBuiltinEmailRequest {
                html: text(Some("{{#if a}}")),
                ..named("reset-password")
            };
            let refused = refusal(update(&world, &owner, &broken).await);
            assert_eq!(refused, (400, "invalid-template".into()));
            for bad in [
                named("nothing"),
                UpdateBuiltinEmailRequest { enabled: Some(false), ..named("reset-password") },
            ] {
                let refused = refusal(update(&world, &owner, &bad).await);
                assert_eq!(refused, (400, "validation-invalid-value".into()));
            }
            assert_eq!(told_mails(&world).await.len(), 1);
        }

        // contract: security S28 (mail settings)
        async fn only_an_owner_changes_mails(db: Db) {
            let world = World::new(db).await;
            let off = UpdateBuiltinEmailRequest { enabled: Some(false), ..named("new-message") };
            for role in [Role::ReadOnly, Role::Staff] {
                let mut caller = world.operator(role).await;
                caller.actor.role = Some(Role::Owner);
                let refused = refusal(update(&world, &caller, &off).await);
                assert_eq!(refused, (403, "forbidden".into()));
            }
            let client = world.born.integration_client_id;
            let integration = world.caller(Actor::integration(client));
            assert_eq!(refusal(update(&world, &integration, &off).await).0, 403);
            assert_eq!(told_mails(&world).await.len(), 1);
        }
    }
}
