//! An example: a program of the owner that calls the services over gRPC. See `README.md`.

mod token;

use anyhow::Context as _;
use clap::Parser;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;
use stoa_proto::event_log::QueryEventsRequest;
use stoa_proto::event_log::event_log_client::EventLogClient;
use stoa_proto::listings::QueryListingsRequest;
use stoa_proto::listings::listings_client::ListingsClient;
use stoa_proto::types::Page;
use stoa_proto::users::QueryUsersRequest;
use stoa_proto::users::users_client::UsersClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

/// Counts users and listings and reads the newest events, as a program of the owner.
#[derive(Parser)]
struct Options {
    /// Where the gateway listens: `http://host:port`.
    #[arg(long, env = "STOA_GATEWAY")]
    gateway: String,
    /// Client id of an application of the kind `internal`.
    #[arg(long, env = "STOA_CLIENT_ID")]
    client_id: String,
    /// Its secret.
    #[arg(long, env = "STOA_CLIENT_SECRET", hide_env_values = true)]
    client_secret: String,
    /// gRPC address of `users`: `host:port`.
    #[arg(long, env = "STOA_USERS")]
    users: String,
    /// gRPC address of `listings`.
    #[arg(long, env = "STOA_LISTINGS")]
    listings: String,
    /// gRPC address of `event-log`.
    #[arg(long, env = "STOA_EVENT_LOG")]
    event_log: String,
    /// Certificate of the deployment's authority (PEM); without it, plain HTTP/2.
    #[arg(long, env = "STOA_CA", requires_all = ["certificate", "key"])]
    ca: Option<PathBuf>,
    /// This program's certificate (PEM).
    #[arg(long, env = "STOA_CERTIFICATE")]
    certificate: Option<PathBuf>,
    /// Its private key (PEM).
    #[arg(long, env = "STOA_KEY")]
    key: Option<PathBuf>,
    /// Only events behind this sequence id.
    #[arg(long, default_value_t = 0)]
    after: u64,
}

impl Options {
    /// What the connections are made with; nothing for plain ones.
    fn tls(&self) -> anyhow::Result<Option<ClientTlsConfig>> {
        let (Some(ca), Some(certificate), Some(key)) = (&self.ca, &self.certificate, &self.key)
        else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()))
        };
        Ok(Some(
            ClientTlsConfig::new()
                .ca_certificate(Certificate::from_pem(read(ca)?))
                .identity(Identity::from_pem(read(certificate)?, read(key)?)),
        ))
    }
}

/// A connection to a service. Its certificate must be that of `service`, whatever the address.
async fn connect(
    service: &str,
    address: &str,
    tls: Option<&ClientTlsConfig>,
) -> anyhow::Result<Channel> {
    let scheme = if tls.is_some() { "https" } else { "http" };
    let mut endpoint = Endpoint::from_shared(format!("{scheme}://{address}"))?
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(10));
    if let Some(tls) = tls {
        endpoint = endpoint.tls_config(tls.clone().domain_name(service))?;
    }
    endpoint
        .connect()
        .await
        .with_context(|| format!("{service} cannot be reached at {address}"))
}

/// A message with the token in its metadata. A command would carry a request id, too:
/// `metadata.insert("stoa-request", <a fresh UUID>)`.
fn authorized<M>(message: M, token: &MetadataValue<Ascii>) -> Request<M> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("authorization", token.clone());
    request
}

/// Says which call was refused, and how.
fn refused(what: &'static str) -> impl FnOnce(Status) -> anyhow::Error {
    move |status| anyhow::anyhow!("{what}: {:?}: {}", status.code(), status.message())
}

async fn run(options: Options) -> anyhow::Result<()> {
    let token = token::fetch(&options.gateway, &options.client_id, &options.client_secret)
        .await
        .context("the gateway gives no token")?;
    let token = MetadataValue::try_from(format!("Bearer {token}"))?;
    let tls = options.tls()?;
    let page = Some(Page {
        page: 1,
        per_page: 10,
    });
    let mut out = std::io::stdout().lock();

    let channel = connect("users", &options.users, tls.as_ref()).await?;
    let query = QueryUsersRequest {
        page,
        ..QueryUsersRequest::default()
    };
    let users = UsersClient::new(channel)
        .query(authorized(query, &token))
        .await
        .map_err(refused("users"))?
        .into_inner();
    let total = users.meta.map_or(0, |meta| meta.total_items);
    writeln!(out, "users: {total}")?;

    let channel = connect("listings", &options.listings, tls.as_ref()).await?;
    let query = QueryListingsRequest {
        page,
        ..QueryListingsRequest::default()
    };
    let listings = ListingsClient::new(channel)
        .query(authorized(query, &token))
        .await
        .map_err(refused("listings"))?
        .into_inner();
    let total = listings.meta.map_or(0, |meta| meta.total_items);
    writeln!(out, "listings: {total}")?;

    let channel = connect("event-log", &options.event_log, tls.as_ref()).await?;
    let query = QueryEventsRequest {
        start_after_sequence_id: Some(options.after),
        per_page: 10,
        ..QueryEventsRequest::default()
    };
    let events = EventLogClient::new(channel)
        .query(authorized(query, &token))
        .await
        .map_err(refused("event-log"))?
        .into_inner();
    writeln!(out, "events: {}", events.total_items)?;
    for logged in events.events {
        let event = logged.event.unwrap_or_default();
        writeln!(
            out,
            "  {} {} {}",
            logged.sequence_id, event.event_type, event.resource_id
        )?;
    }
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}
