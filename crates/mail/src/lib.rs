//! Mail: the template language, the built-in mails, the queue and the ways that mails leave.
//!
//! A service writes a mail into its own database, in the transaction of what the mail tells of
//! ([`queue::enqueue`]). A job runs [`queue::Sender::pass`]: it asks the service's
//! [`queue::Desk`] whom the mail goes to and what it says, renders it ([`Letter`]) and hands it to
//! a [`transport::Transport`].

pub mod address;
pub mod builtin;
mod helpers;
mod locale;
mod mail;
mod message;
mod plain;
pub mod queue;
pub mod template;
pub mod transport;

pub use mail::{BadMessage, Correspondent, InvalidTemplate, Letter, Outgoing, Rendered};
pub use queue::store::MIGRATIONS;
pub use transport::Outlet;
