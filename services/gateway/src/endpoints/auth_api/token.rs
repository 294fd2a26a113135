//! `POST /v1/auth/token`: every grant.

use crate::call::{AuthCall, Call};
use serde_json::{Value, json};
use stoa_proto::Class;
use stoa_proto::auth::{
    ExchangeTokenRequest, GrantAnonymousRequest, GrantIntegrationRequest, GrantOperatorRequest,
    GrantPasswordRequest, GrantServiceRequest, RefreshRequest, TokenSet,
};
use stoa_rpc::{Problem, Problems};

/// Gives tokens for a grant; unknown parameters are ignored.
pub(crate) async fn token(call: AuthCall) -> Result<Value, Problems> {
    let form = &call.form;
    let owned = |name: &str| form.required(name).map(str::to_owned);
    let optional = |name: &str| form.get(name).map(str::to_owned);
    let scope = form.get("scope");
    let source = call.source.clone();
    let command = || call.own(Class::Command);
    let mut auth = call.gateway.peers().auth();
    let tokens = match (form.required("grant_type")?, scope) {
        ("client_credentials", Some("integ")) => {
            let message = GrantIntegrationRequest {
                client_id: owned("client_id")?,
                client_secret: owned("client_secret")?,
                source,
            };
            Call::ask(auth.grant_integration(command().request(message))).await?
        }
        ("client_credentials", Some("service")) => {
            let message = GrantServiceRequest {
                client_id: owned("client_id")?,
                client_secret: owned("client_secret")?,
                source,
            };
            Call::ask(auth.grant_service(command().request(message))).await?
        }
        ("client_credentials", Some("public-read")) => {
            let message = GrantAnonymousRequest {
                client_id: owned("client_id")?,
                client_secret: optional("client_secret"),
            };
            // Shared by all callers of a minute, so it takes the gateway's own read credentials.
            let own = call.gateway.own_read();
            Call::ask(auth.grant_anonymous(own.request(message))).await?
        }
        ("password", Some("operator")) => {
            let message = GrantOperatorRequest {
                username: owned("username")?,
                password: owned("password")?,
                otp: optional("otp"),
                source,
            };
            Call::ask(auth.grant_operator(command().request(message))).await?
        }
        ("password", Some("user") | None) => {
            let message = GrantPasswordRequest {
                client_id: owned("client_id")?,
                username: owned("username")?,
                password: owned("password")?,
                source,
            };
            Call::ask(auth.grant_password(command().request(message))).await?
        }
        ("refresh_token", _) => {
            let message = RefreshRequest {
                client_id: optional("client_id"),
                refresh_token: owned("refresh_token")?,
                source,
            };
            Call::ask(auth.refresh(command().request(message))).await?
        }
        ("token_exchange", Some("trusted:user") | None) => {
            let message = ExchangeTokenRequest {
                client_id: owned("client_id")?,
                client_secret: owned("client_secret")?,
                subject_token: owned("subject_token")?,
                source,
            };
            Call::ask(auth.exchange_token(command().request(message))).await?
        }
        ("client_credentials" | "password" | "token_exchange", _) => {
            return Err(Problem::bad_request("The scope is not known for this grant").into());
        }
        _ => return Err(Problem::bad_request("The grant type is not known").into()),
    };
    Ok(body(tokens))
}

/// The success body of every grant.
fn body(tokens: TokenSet) -> Value {
    let mut body = json!({
        "access_token": tokens.access_token,
        "scope": tokens.scope,
        "token_type": "bearer",
        "expires_in": tokens.expires_in,
    });
    if let Some(refresh_token) = tokens.refresh_token {
        body["refresh_token"] = refresh_token.into();
    }
    body
}
