//! `transactions/*`. `show`, `transition` and `transition_speculative` serve the Integration API
//! too, where the caller acts as the operator.

use crate::call::Call;
use crate::render::{Answer, Resource};
use stoa_codec::Value;
use stoa_codec::params::{Body, Name};
use stoa_proto::transactions::{
    IdList, InitiateRequest, QueryTransactionsRequest, ShowTransactionRequest, TransitionRequest,
};
use stoa_rpc::Problems;

/// A new transaction.
pub(crate) async fn initiate(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = initiation(&mut call.body);
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let transaction = Call::ask(transactions.initiate(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Transaction(transaction), show))
}

/// What a new transaction would be.
pub(crate) async fn initiate_speculative(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = initiation(&mut call.body);
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let request = call.credentials.request(message);
    let transaction = Call::ask(transactions.initiate_speculative(request)).await?;
    Ok(Answer::speculative(
        Resource::Transaction(transaction),
        show,
    ))
}

/// The next step of a transaction.
pub(crate) async fn transition(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = next_step(&mut call);
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let transaction = Call::ask(transactions.transition(call.credentials.request(message))).await?;
    Ok(Answer::command(Resource::Transaction(transaction), show))
}

/// What the next step would make of a transaction.
pub(crate) async fn transition_speculative(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let message = next_step(&mut call);
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let request = call.credentials.request(message);
    let transaction = Call::ask(transactions.transition_speculative(request)).await?;
    Ok(Answer::speculative(
        Resource::Transaction(transaction),
        show,
    ))
}

/// One transaction.
pub(crate) async fn show(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let id = call.required_id("id");
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let request = call.credentials.request(ShowTransactionRequest { id });
    let transaction = Call::ask(transactions.show(request)).await?;
    Ok(Answer::one(Resource::Transaction(transaction), show))
}

/// The caller's transactions.
pub(crate) async fn query(mut call: Call) -> Result<Answer, Problems> {
    let show = call.presentation();
    let mut message = filters(&mut call);
    message.only = call.optional("only");
    call.finish()?;
    let mut transactions = call.gateway.peers().transactions();
    let found = Call::ask(transactions.query(call.credentials.request(message))).await?;
    let resources = found.transactions.into_iter().map(Resource::Transaction);
    Ok(Answer::many(resources, found.meta, show))
}

/// The filters that both APIs share.
pub(crate) fn filters(call: &mut Call) -> QueryTransactionsRequest {
    for prefix in ["prot_", "meta_"] {
        for (key, _) in call.query.with_prefix(prefix) {
            let problem = stoa_types::Problem::invalid_params("the key has no search schema").at(
                stoa_types::SourceKind::Query,
                vec![format!("{prefix}{key}").into()],
            );
            call.query.refuse(problem);
        }
    }
    QueryTransactionsRequest {
        page: Some(call.page()),
        last_transitions: call.words("lastTransitions"),
        states: call.words("states"),
        process_names: call.words("processNames"),
        created_at_start_ms: call.instant("createdAtStart"),
        created_at_end_ms: call.instant("createdAtEnd"),
        last_transitioned_at_start_ms: call.instant("lastTransitionedAtStart"),
        last_transitioned_at_end_ms: call.instant("lastTransitionedAtEnd"),
        listing_id: call.optional_id("listingId"),
        user_id: call.optional_id("userId"),
        ids: call.ids("ids").map(|ids| IdList { ids }),
        has_payin: call.optional("hasPayin"),
        has_message: call.optional("hasMessage"),
        sort: call.words("sort"),
        ..QueryTransactionsRequest::default()
    }
}

fn initiation(body: &mut Body) -> InitiateRequest {
    InitiateRequest {
        process_alias: body
            .required::<Name>("processAlias")
            .map(|n| n.0)
            .unwrap_or_default(),
        transition: body
            .required::<Name>("transition")
            .map(|n| n.0)
            .unwrap_or_default(),
        params: {
            let given = body.required::<Value>("params");
            params(body, given)
        },
    }
}

fn next_step(call: &mut Call) -> TransitionRequest {
    let id = call.body_id("id");
    let body = &mut call.body;
    TransitionRequest {
        id,
        transition: body
            .required::<Name>("transition")
            .map(|n| n.0)
            .unwrap_or_default(),
        params: {
            // The web template may send it undefined, which arrives as null.
            let given = body.nullable::<Value>("params").value();
            params(body, given)
        },
    }
}

/// The parameters of a transition as JSON text: only the transition itself knows their types.
fn params(body: &mut Body, given: Option<Value>) -> String {
    match given {
        None => "{}".to_owned(),
        Some(map @ Value::Map(_)) => map.to_json_text(),
        Some(_) => {
            body.invalid("params", "must be a map");
            "{}".to_owned()
        }
    }
}
