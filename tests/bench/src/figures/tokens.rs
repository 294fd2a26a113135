//! Tokens: the anonymous grant, and sessions that are prolonged.

use super::Stage;
use crate::connection::{Answer, Request};
use crate::load::{self, CONNECTIONS, Script};
use crate::table::Row;
use crate::world::{anonymous_grant, text};
use anyhow::Result;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

/// The anonymous grant.
pub(crate) async fn anonymous(stage: &Stage<'_>) -> Result<Vec<Row>> {
    let grant = anonymous_grant(&stage.world.server).bytes();
    let row = stage
        .beside_hyper("Anonymous token", load::shared(vec![grant]), None)
        .await?;
    Ok(vec![row])
}

/// Refreshing: each connection prolongs a session of its own with the token it got last.
pub(crate) async fn refresh(stage: &mut Stage<'_>) -> Result<Vec<Row>> {
    let mut sessions = Vec::new();
    for _ in 0..CONNECTIONS {
        let person = stage.world.person().await?;
        sessions.push(Arc::new(Mutex::new(person.refresh_token)));
    }
    let client = stage
        .world
        .server
        .credential("marketplaceClientId")
        .to_owned();
    let scripts = || {
        sessions
            .iter()
            .map(|session| prolong(client.clone(), Arc::clone(session)))
            .collect()
    };
    let row = stage
        .beside_commits("Refresh, 32 sessions", scripts, 0.5)
        .await?;
    Ok(vec![row])
}

/// Keeps the newest token in `session`, for the next round.
fn prolong(client: String, session: Arc<Mutex<String>>) -> Script {
    Box::new(move |answer: Option<&Answer<'_>>| -> Result<Bytes> {
        let mut token = session.lock().expect("nobody panics with the lock");
        if let Some(answer) = answer {
            *token = text(&answer.json()?, "refresh_token")?;
        }
        let request = Request::form(
            "/v1/auth/token",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", &client),
                ("refresh_token", &token),
            ],
        );
        Ok(request.bytes())
    })
}
