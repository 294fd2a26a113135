//! Copies of what other services own and every decision needs: users' states and the settings.

pub mod actors;
pub mod settings;
mod standings;

pub use actors::{Actors, ActorsConsumer, UserChange, UserReaction};
pub use settings::{Settings, SettingsConsumer};
pub use standings::{OwnedStanding, Standings};
