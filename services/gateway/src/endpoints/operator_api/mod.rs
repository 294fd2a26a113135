//! `/v1/operator_api`: what the people do who run the marketplace.

pub(crate) mod applications;
pub(crate) mod audit;
pub(crate) mod builtin_emails;
pub(crate) mod clock;
pub(crate) mod operators;
pub(crate) mod search_schemas;
pub(crate) mod sessions;
pub(crate) mod settings;
pub(crate) mod users;

use crate::call::Call;

/// Why an operator does something, for the audit log alone.
pub(crate) fn reason(call: &mut Call) -> Option<String> {
    let reason: Option<String> = call.body.nullable("reason").value();
    if reason
        .as_ref()
        .is_some_and(|text| text.is_empty() || text.chars().count() > 500)
    {
        call.body.invalid("reason", "must have 1 to 500 characters");
    }
    reason
}
