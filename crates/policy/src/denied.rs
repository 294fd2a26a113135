//! Ways to refuse.

use stoa_types::Problem;

/// Why an action is refused; decides status and code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The token's user is deleted, or its session ended: 401, as for every dead token.
    #[error("the token is dead")]
    DeadToken,
    /// The caller may not; 403.
    #[error("forbidden")]
    Forbidden,
    /// The caller may not even know that it exists; 404.
    #[error("hidden")]
    Hidden,
    /// A command of a user who waits for approval; 403.
    #[error("the user waits for approval")]
    PendingApproval,
    /// A read of a private marketplace by a user who waits for approval; 403.
    #[error("the user waits for approval to read")]
    PendingApprovalToRead,
    /// The permission `postListings` is denied; 403.
    #[error("no permission to post listings")]
    PostListings,
    /// The permission `initiateTransactions` is denied; 403.
    #[error("no permission to initiate transactions")]
    InitiateTransactions,
    /// The permission `read` is denied; 403.
    #[error("no permission to read")]
    Read,
}

impl Denied {
    /// What the client is told.
    pub fn problem(self) -> Problem {
        let denied = |code| Problem::new(403, code, "Permission denied");
        match self {
            Self::DeadToken => Problem::invalid_token(),
            Self::Forbidden => Problem::forbidden(),
            Self::Hidden => Problem::not_found(),
            Self::PendingApproval => denied("permission-denied-pending-approval"),
            Self::PendingApprovalToRead => denied("user-pending-approval"),
            Self::PostListings => denied("permission-denied-post-listings"),
            Self::InitiateTransactions => denied("permission-denied-initiate-transactions"),
            Self::Read => denied("permission-denied-read"),
        }
    }
}
