//! One transaction: a run of a process version, and its message form.

use std::collections::HashMap;
use stoa_policy::Resource;
use stoa_process::line_items::{LineItem, Measure};
use stoa_process::{Actor, HistoryEntry, Party, Run};
use stoa_proto::transactions as pb;
use stoa_types::Timestamp;
use stoa_types::id::{TransactionId, UserId};

/// A transaction as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Its id.
    pub(crate) id: TransactionId,
    /// Grows by one with every change.
    pub(crate) version: u64,
    /// The name of its process.
    pub(crate) process_name: String,
    /// The version of the process that it follows for its whole life.
    pub(crate) process_version: u32,
    /// When it was initiated.
    pub(crate) created_at: Timestamp,
    /// Where it stands. Its reviews are loaded only where a transition needs them.
    pub(crate) run: Run,
}

impl Transaction {
    /// What rights depend on.
    pub(crate) fn resource(&self) -> Resource {
        Resource::Transaction {
            customer: self.run.customer,
            provider: self.run.provider,
        }
    }

    /// The two parties.
    pub(crate) fn parties(&self) -> [UserId; 2] {
        [self.run.customer, self.run.provider]
    }

    /// The transaction with the next run, one version on.
    #[must_use]
    pub(crate) fn moved_to(&self, run: Run) -> Self {
        Self {
            version: self.version + 1,
            run,
            ..self.clone()
        }
    }

    /// The transaction as both parties, integrations and operators see it.
    pub(crate) fn shown(&self) -> pb::Transaction {
        pb::Transaction {
            protected_data_writers: HashMap::new(),
            ..self.full()
        }
    }

    /// The whole transaction with the writers of its protected data, for events.
    pub(crate) fn full(&self) -> pb::Transaction {
        let run = &self.run;
        let last = run.last_transition();
        pb::Transaction {
            id: self.id.to_string(),
            created_at_ms: self.created_at.as_ms(),
            process_name: self.process_name.clone(),
            process_version: self.process_version,
            last_transition: last.map(|e| e.transition.to_string()).unwrap_or_default(),
            last_transitioned_at_ms: last.map(|e| e.at.as_ms()).unwrap_or_default(),
            state: run.state.to_string(),
            payin_total: run.payin_total.map(Into::into),
            payout_total: run.payout_total.map(Into::into),
            line_items: run.line_items.iter().map(line_item).collect(),
            protected_data: run.protected_data.data().to_json(),
            metadata: run.metadata.to_json(),
            transitions: run.history.iter().map(transition_record).collect(),
            listing_id: run.listing.to_string(),
            customer_id: run.customer.to_string(),
            provider_id: run.provider.to_string(),
            version: self.version,
            protected_data_writers: self.writers(run.protected_data.data().iter()),
        }
    }

    /// Which person wrote each of these keys of the protected data; operators and the system are
    /// no persons of the transaction.
    pub(crate) fn writers<'a>(
        &self,
        keys: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> HashMap<String, String> {
        let writer = |(key, _): (&str, &str)| {
            let party = self.run.protected_data.writer(key).and_then(Actor::party)?;
            Some((key.to_owned(), self.run.user(party).to_string()))
        };
        keys.filter_map(writer).collect()
    }
}

fn transition_record(entry: &HistoryEntry) -> pb::TransitionRecord {
    pb::TransitionRecord {
        transition: entry.transition.to_string(),
        created_at_ms: entry.at.as_ms(),
        by: entry.by.as_str().to_owned(),
    }
}

fn line_item(item: &LineItem) -> pb::LineItem {
    let mut message = pb::LineItem {
        code: item.code.clone(),
        unit_price: Some(item.unit_price.into()),
        line_total: Some(item.line_total.into()),
        include_for: item
            .include_for
            .iter()
            .map(|party: &Party| party.as_str().into())
            .collect(),
        reversal: item.reversal,
        ..pb::LineItem::default()
    };
    match item.measure {
        Measure::Quantity(quantity) => message.quantity = Some(quantity.to_string()),
        Measure::Percentage(percentage) => message.percentage = Some(percentage.to_string()),
        Measure::UnitsAndSeats {
            units,
            seats,
            quantity,
        } => {
            message.quantity = Some(quantity.to_string());
            message.units = Some(units.to_string());
            message.seats = Some(seats.into());
        }
    }
    message
}
