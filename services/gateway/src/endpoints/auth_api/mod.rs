//! `/v1/auth`: forms in, JSON out (RFC 6749, with the answers the official SDKs react to).

pub(crate) mod revoke;
pub(crate) mod token;
