//! What an operator may do now: roles are read at use and never stand in a token.

use crate::Auth;
use crate::access;
use crate::error::Error;
use crate::store::operators;
use stoa_policy::Action;
use stoa_proto::auth::{GetOperatorAccessRequest, OperatorAccess};
use stoa_rpc::Caller;
use stoa_types::id::OperatorId;
use stoa_types::{Problem, SourceKind};

pub(super) async fn get_operator_access(
    auth: &Auth,
    caller: Caller,
    request: GetOperatorAccessRequest,
) -> Result<OperatorAccess, Error> {
    let id = OperatorId::parse(&request.operator_id).map_err(|why| {
        let path = vec!["operatorId".into()];
        Error::Invalid(Problem::invalid_value(SourceKind::Query, path, why.to_string()).into())
    })?;
    access::may_read(auth, &caller, Action::OperatorAccess).await?;
    let operator = operators::operator(&auth.db, id)
        .await?
        .filter(|operator| !operator.disabled);
    Ok(OperatorAccess {
        operator_id: id.to_string(),
        role: operator
            .as_ref()
            .map_or_else(String::new, |operator| operator.role.name().to_owned()),
        epoch: operator.map_or(0, |operator| operator.epoch),
    })
}
