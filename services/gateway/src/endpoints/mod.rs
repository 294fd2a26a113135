//! Endpoints: parse, call, render. A rule that needs an `if` about the marketplace belongs in a
//! service.

pub(crate) mod auth_api;
pub(crate) mod integration_api;
pub(crate) mod marketplace_api;
pub(crate) mod operator_api;
