//! States of authors in the index of every replica.
//!
//! One replica consumes the users feed into the store; the index of each one follows the feed
//! itself, so a banned author's listings leave every replica's results as soon as the feed tells.

use crate::core::Core;
use crate::store;
use std::sync::Arc;
use stoa_feed::projections::actors;
use stoa_feed::{Consumer, Error, Follow};
use stoa_policy::UserState;
use stoa_proto::events::{Envelope, envelope::Payload};

/// Follows the users feed.
pub(crate) struct Authors {
    pub(crate) core: Arc<Core>,
    /// Writes the states into the store, here or on another replica.
    pub(crate) states: Consumer,
}

#[tonic::async_trait]
impl Follow for Authors {
    fn owner(&self) -> &'static str {
        "users"
    }

    async fn load(&self, _head: u64) -> Result<u64, Error> {
        // What is read after the position may be newer; the feed then tells it once more.
        let position = self.states.stored_position().await?;
        let Core { db, index, .. } = &*self.core;
        for (author, version) in store::hidden_authors(db).await? {
            index.hide_author(author, version, true);
        }
        // Those who came out of hiding while nothing was heard.
        let believed = index.hidden_authors();
        for (author, version, hidden) in store::author_states(db, &believed).await? {
            index.hide_author(author, version, hidden);
        }
        Ok(position)
    }

    fn apply(&self, envelope: &Envelope) {
        if let Some(Payload::User(access)) = &envelope.payload
            && let Ok((user, state)) = actors::decode(access)
        {
            let hidden = state.state != UserState::Active;
            self.core.index.hide_author(user, access.version, hidden);
        }
    }
}
