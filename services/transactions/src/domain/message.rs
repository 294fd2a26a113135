//! Messages between the parties.

use stoa_proto::transactions as pb;
use stoa_types::Timestamp;
use stoa_types::id::{MessageId, TransactionId, UserId};

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its id.
    pub(crate) id: MessageId,
    /// The transaction it belongs to.
    pub(crate) transaction: TransactionId,
    /// Who wrote it.
    pub(crate) sender: UserId,
    /// The text as given.
    pub(crate) content: String,
    /// When it was sent.
    pub(crate) created_at: Timestamp,
}

impl Message {
    /// The message as both parties, integration and operators see it.
    pub(crate) fn to_proto(&self) -> pb::Message {
        pb::Message {
            id: self.id.to_string(),
            content: Some(self.content.clone()),
            created_at_ms: self.created_at.as_ms(),
            deleted: false,
            sender_id: self.sender.to_string(),
            transaction_id: self.transaction.to_string(),
        }
    }
}
