//! `builtin_emails/*`: what operators make of the mails that services send by themselves.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::params::{Body, Given, Name};
use stoa_proto::auth::{QueryBuiltinEmailsRequest, TextPatch, UpdateBuiltinEmailRequest};
use stoa_rpc::Problems;

/// The mails with their texts.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = QueryBuiltinEmailsRequest {
        page: Some(call.page()),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let found = Call::ask(auth.query_builtin_emails(call.credentials.request(message))).await?;
    Ok(Answer::many(
        found
            .emails
            .into_iter()
            .map(|email| Resource::BuiltinEmail(Box::new(email))),
        found.meta,
        show,
    ))
}

/// A mail is switched, gets texts of the operator's, or our own again.
pub(crate) async fn update(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let body = &mut call.body;
    let message = UpdateBuiltinEmailRequest {
        name: body
            .required::<Name>("name")
            .map(|name| name.0)
            .unwrap_or_default(),
        enabled: body.optional("enabled"),
        subject: text(body, "subject"),
        html: text(body, "html"),
    };
    call.finish()?;
    let mut auth = call.gateway.peers().auth();
    let email = Call::ask(auth.update_builtin_email(call.credentials.request(message))).await?;
    Ok(Answer::command(
        Resource::BuiltinEmail(Box::new(email)),
        show,
    ))
}

fn text(body: &mut Body, key: &'static str) -> Option<TextPatch> {
    match body.nullable(key) {
        Given::Absent => None,
        Given::Null => Some(TextPatch { text: None }),
        Given::Value(text) => Some(TextPatch { text: Some(text) }),
    }
}
