//! The RPCs, one file each.

mod change_operator_password;
mod create_application;
mod create_operator;
mod delete_application;
mod disable_operator;
mod exchange_token;
mod get_operator_access;
mod grant_anonymous;
mod grant_integration;
mod grant_operator;
mod grant_password;
mod grant_service;
mod note_clock_advance;
mod query_applications;
mod query_audit;
mod query_builtin_emails;
mod query_operators;
mod query_search_schemas;
mod query_sessions;
mod refresh;
mod reset_operator_password;
mod revoke;
mod revoke_session;
mod rotate_secret;
mod set_search_schema;
mod show_marketplace;
mod show_settings;
mod snapshot;
mod start_operator_password_reset;
mod unset_search_schema;
mod update_builtin_email;
mod update_settings;

use crate::Auth;
use crate::domain::audit::Entry;
use crate::domain::family::Session;
use crate::error::Error;
use crate::store::{audit, sessions};
use std::sync::Arc;
use stoa_credentials::secret;
use stoa_proto::auth as pb;
use stoa_proto::types::{Empty, Page};
use stoa_rpc::unary;
use stoa_types::id::{ClientId, OperatorId};
use stoa_types::{Problem, SourceKind};
use tonic::{Request, Response, Status};

/// The generated service.
pub(crate) struct Rpc(pub(crate) Arc<Auth>);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl pb::auth_server::Auth for Rpc {
    async fn grant_anonymous(&self, r: Request<pb::GrantAnonymousRequest>) -> Answer<pb::TokenSet> {
        unary(r, |c, m| grant_anonymous::grant_anonymous(&self.0, c, m)).await
    }
    async fn grant_password(&self, r: Request<pb::GrantPasswordRequest>) -> Answer<pb::TokenSet> {
        unary(r, |c, m| grant_password::grant_password(&self.0, c, m)).await
    }
    async fn grant_integration(
        &self,
        r: Request<pb::GrantIntegrationRequest>,
    ) -> Answer<pb::TokenSet> {
        unary(r, |c, m| {
            grant_integration::grant_integration(&self.0, c, m)
        })
        .await
    }
    async fn grant_operator(&self, r: Request<pb::GrantOperatorRequest>) -> Answer<pb::TokenSet> {
        unary(r, |c, m| grant_operator::grant_operator(&self.0, c, m)).await
    }
    async fn grant_service(&self, r: Request<pb::GrantServiceRequest>) -> Answer<pb::TokenSet> {
        unary(r, |c, m| grant_service::grant_service(&self.0, c, m)).await
    }
    async fn refresh(&self, r: Request<pb::RefreshRequest>) -> Answer<pb::TokenSet> {
        unary(r, |c, m| refresh::refresh(&self.0, c, m)).await
    }
    async fn exchange_token(&self, r: Request<pb::ExchangeTokenRequest>) -> Answer<pb::TokenSet> {
        unary(r, |c, m| exchange_token::exchange_token(&self.0, c, m)).await
    }
    async fn revoke(&self, r: Request<pb::RevokeRequest>) -> Answer<Empty> {
        unary(r, |c, m| revoke::revoke(&self.0, c, m)).await
    }
    async fn show_marketplace(
        &self,
        r: Request<pb::ShowMarketplaceRequest>,
    ) -> Answer<pb::Marketplace> {
        unary(r, |c, m| show_marketplace::show_marketplace(&self.0, c, m)).await
    }
    async fn query_search_schemas(
        &self,
        r: Request<pb::QuerySearchSchemasRequest>,
    ) -> Answer<pb::QuerySearchSchemasResponse> {
        unary(r, |c, m| {
            query_search_schemas::query_search_schemas(&self.0, c, m)
        })
        .await
    }
    async fn set_search_schema(
        &self,
        r: Request<pb::SetSearchSchemaRequest>,
    ) -> Answer<pb::SearchSchema> {
        unary(r, |c, m| {
            set_search_schema::set_search_schema(&self.0, c, m)
        })
        .await
    }
    async fn unset_search_schema(
        &self,
        r: Request<pb::UnsetSearchSchemaRequest>,
    ) -> Answer<pb::SearchSchema> {
        unary(r, |c, m| {
            unset_search_schema::unset_search_schema(&self.0, c, m)
        })
        .await
    }
    async fn create_application(
        &self,
        r: Request<pb::CreateApplicationRequest>,
    ) -> Answer<pb::Application> {
        unary(r, |c, m| {
            create_application::create_application(&self.0, c, m)
        })
        .await
    }
    async fn query_applications(
        &self,
        r: Request<pb::QueryApplicationsRequest>,
    ) -> Answer<pb::QueryApplicationsResponse> {
        unary(r, |c, m| {
            query_applications::query_applications(&self.0, c, m)
        })
        .await
    }
    async fn delete_application(
        &self,
        r: Request<pb::DeleteApplicationRequest>,
    ) -> Answer<pb::Application> {
        unary(r, |c, m| {
            delete_application::delete_application(&self.0, c, m)
        })
        .await
    }
    async fn rotate_secret(&self, r: Request<pb::RotateSecretRequest>) -> Answer<pb::Application> {
        unary(r, |c, m| rotate_secret::rotate_secret(&self.0, c, m)).await
    }
    async fn show_settings(&self, r: Request<pb::ShowSettingsRequest>) -> Answer<pb::Settings> {
        unary(r, |c, m| show_settings::show_settings(&self.0, c, m)).await
    }
    async fn update_settings(&self, r: Request<pb::UpdateSettingsRequest>) -> Answer<pb::Settings> {
        unary(r, |c, m| update_settings::update_settings(&self.0, c, m)).await
    }
    async fn query_builtin_emails(
        &self,
        r: Request<pb::QueryBuiltinEmailsRequest>,
    ) -> Answer<pb::QueryBuiltinEmailsResponse> {
        unary(r, |c, m| {
            query_builtin_emails::query_builtin_emails(&self.0, c, m)
        })
        .await
    }
    async fn update_builtin_email(
        &self,
        r: Request<pb::UpdateBuiltinEmailRequest>,
    ) -> Answer<pb::BuiltinEmailView> {
        unary(r, |c, m| {
            update_builtin_email::update_builtin_email(&self.0, c, m)
        })
        .await
    }
    async fn query_sessions(
        &self,
        r: Request<pb::QuerySessionsRequest>,
    ) -> Answer<pb::QuerySessionsResponse> {
        unary(r, |c, m| query_sessions::query_sessions(&self.0, c, m)).await
    }
    async fn revoke_session(&self, r: Request<pb::RevokeSessionRequest>) -> Answer<pb::Session> {
        unary(r, |c, m| revoke_session::revoke_session(&self.0, c, m)).await
    }
    async fn query_audit(
        &self,
        r: Request<pb::QueryAuditRequest>,
    ) -> Answer<pb::QueryAuditResponse> {
        unary(r, |c, m| query_audit::query_audit(&self.0, c, m)).await
    }
    async fn note_clock_advance(&self, r: Request<pb::NoteClockAdvanceRequest>) -> Answer<Empty> {
        unary(r, |c, m| {
            note_clock_advance::note_clock_advance(&self.0, c, m)
        })
        .await
    }
    async fn create_operator(&self, r: Request<pb::CreateOperatorRequest>) -> Answer<pb::Operator> {
        unary(r, |c, m| create_operator::create_operator(&self.0, c, m)).await
    }
    async fn query_operators(
        &self,
        r: Request<pb::QueryOperatorsRequest>,
    ) -> Answer<pb::QueryOperatorsResponse> {
        unary(r, |c, m| query_operators::query_operators(&self.0, c, m)).await
    }
    async fn disable_operator(
        &self,
        r: Request<pb::DisableOperatorRequest>,
    ) -> Answer<pb::Operator> {
        unary(r, |c, m| disable_operator::disable_operator(&self.0, c, m)).await
    }
    async fn start_operator_password_reset(
        &self,
        r: Request<pb::StartOperatorPasswordResetRequest>,
    ) -> Answer<pb::Operator> {
        unary(r, |c, m| {
            start_operator_password_reset::start_operator_password_reset(&self.0, c, m)
        })
        .await
    }
    async fn change_operator_password(
        &self,
        r: Request<pb::ChangeOperatorPasswordRequest>,
    ) -> Answer<pb::Operator> {
        unary(r, |c, m| {
            change_operator_password::change_operator_password(&self.0, c, m)
        })
        .await
    }
    async fn reset_operator_password(
        &self,
        r: Request<pb::ResetOperatorPasswordRequest>,
    ) -> Answer<pb::Operator> {
        unary(r, |c, m| {
            reset_operator_password::reset_operator_password(&self.0, c, m)
        })
        .await
    }
    async fn snapshot(&self, r: Request<pb::SnapshotRequest>) -> Answer<pb::SnapshotResponse> {
        unary(r, |c, m| snapshot::snapshot(&self.0, c, m)).await
    }
    async fn get_operator_access(
        &self,
        r: Request<pb::GetOperatorAccessRequest>,
    ) -> Answer<pb::OperatorAccess> {
        unary(r, |c, m| {
            get_operator_access::get_operator_access(&self.0, c, m)
        })
        .await
    }
}

/// Prefix of refresh tokens, by which scanners find leaks.
const REFRESH_PREFIX: &str = "srt_";

/// Prefix of client secrets.
const SECRET_PREFIX: &str = "scs_";

/// The page that is shown when none is named.
const FIRST_PAGE: Page = Page {
    page: 1,
    per_page: 100,
};

/// What is wrong with a page.
fn check_page(page: &Page) -> Vec<Problem> {
    let invalid = |field: &'static str, why| {
        Problem::invalid_value(SourceKind::Query, vec![field.into()], why)
    };
    let mut found = Vec::new();
    if page.page < 1 {
        found.push(invalid("page", "must be 1 or more"));
    }
    if !(1..=100).contains(&page.per_page) {
        found.push(invalid("perPage", "must be 1 to 100"));
    }
    found
}

/// The application that a command names.
fn application_id(text: &str) -> Result<ClientId, Error> {
    ClientId::parse(text).map_err(|why| {
        let path = vec!["id".into()];
        Error::Invalid(Problem::invalid_value(SourceKind::Body, path, why.to_string()).into())
    })
}

/// The operator that a command names.
fn operator_id(text: &str) -> Result<OperatorId, Error> {
    OperatorId::parse(text).map_err(|why| {
        let path = vec!["id".into()];
        Error::Invalid(Problem::invalid_value(SourceKind::Body, path, why.to_string()).into())
    })
}

/// Mandatory parameters: one that was sent without a value counts as left out (RFC 6749 3.2).
fn given(parameters: &[(&'static str, &str)]) -> Result<(), Error> {
    match parameters.iter().find(|(_, value)| value.is_empty()) {
        Some((name, _)) => Err(Error::Missing(name)),
        None => Ok(()),
    }
}

/// Stores a session with its first refresh token, and with its audit entry where it has one, in one
/// transaction, and makes its token set.
async fn open(auth: &Auth, session: &Session, entry: Option<Entry>) -> Result<pb::TokenSet, Error> {
    let token = secret::generate(REFRESH_PREFIX, &*auth.entropy);
    let (hash, entry) = (secret::hash(&token), entry.as_ref());
    let active = auth
        .db
        .write(|tx| async move {
            if let Some(entry) = entry {
                audit::append(&tx, entry).await?;
            }
            sessions::put_session(&tx, session, &hash).await
        })
        .await?;
    let ring = auth.tokens.keys.with_active(&active).await?;
    auth.tokens
        .of_session(session, token, &ring, session.started_at, &*auth.entropy)
}
