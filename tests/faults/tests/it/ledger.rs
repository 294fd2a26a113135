//! What was acknowledged, and whether a marketplace still knows it: each write once, each with
//! one event, and nothing half done.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;
use stoa_testkit::callers::Marketplace;

/// Acknowledged writes.
#[derive(Default)]
pub(crate) struct Ledger {
    /// Title by id.
    pub(crate) listings: BTreeMap<String, String>,
    /// Marks in the profile of a user, in their order.
    pub(crate) profiles: BTreeMap<String, Vec<String>>,
    /// Transitions by id of the transaction, in their order.
    pub(crate) transactions: BTreeMap<String, Vec<String>>,
    /// Transaction and text by id.
    pub(crate) messages: BTreeMap<String, (String, String)>,
}

/// All resources of a query of the Integration API, by id.
async fn all(marketplace: &Marketplace, token: &str, query: &str) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for page in 1.. {
        let separator = if query.contains('?') { '&' } else { '?' };
        let path = format!("/v1/integration_api/{query}{separator}page={page}");
        let body = marketplace.read(&path, token).await.expect(200).json();
        let resources = body["data"].as_array().expect("a page").clone();
        if resources.is_empty() {
            break;
        }
        for resource in resources {
            let id = resource["id"].as_str().expect("an id").to_owned();
            assert!(found.insert(id, resource).is_none(), "twice in {query}");
        }
    }
    found
}

impl Ledger {
    /// Takes over what another one holds.
    pub(crate) fn add(&mut self, other: Self) {
        self.listings.extend(other.listings);
        self.transactions.extend(other.transactions);
        self.messages.extend(other.messages);
        for (user, marks) in other.profiles {
            self.profiles.entry(user).or_default().extend(marks);
        }
    }

    /// How many writes it holds.
    pub(crate) fn len(&self) -> usize {
        let profiles: usize = self.profiles.values().map(Vec::len).sum();
        let transitions: usize = self.transactions.values().map(Vec::len).sum();
        self.listings.len() + profiles + transitions + self.messages.len()
    }

    /// Compares it with the marketplace.
    pub(crate) async fn check(&self, marketplace: &Marketplace) {
        let token = &marketplace.integration().await.access;
        let events = self.caught_up(marketplace, token).await;
        check_order(&events);
        self.check_listings(marketplace, token, &events).await;
        self.check_profiles(marketplace, token, &events).await;
        self.check_transactions(marketplace, token, &events).await;
    }

    /// All events, once those of every acknowledged write are there.
    async fn caught_up(&self, marketplace: &Marketplace, token: &str) -> Vec<Value> {
        let wanted: BTreeSet<&String> = self
            .listings
            .keys()
            .chain(self.transactions.keys())
            .chain(self.messages.keys())
            .collect();
        let wait = async {
            let mut last = 0;
            loop {
                let events = marketplace.events_after(token, 0).await;
                let told: BTreeSet<String> = events
                    .iter()
                    .map(|event| text(event, "resourceId"))
                    .collect();
                let is_complete = wanted.iter().all(|id| told.contains(*id));
                // Two looks in a row at the same end: nothing more is on its way.
                if is_complete && events.len() == last {
                    return events;
                }
                last = events.len();
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .expect("the log does not tell of every acknowledged write")
    }

    async fn check_listings(&self, marketplace: &Marketplace, token: &str, events: &[Value]) {
        let stored = all(marketplace, token, "listings/query").await;
        for (id, title) in &self.listings {
            let listing = stored
                .get(id)
                .unwrap_or_else(|| panic!("listing {title} is gone"));
            assert_eq!(listing["attributes"]["title"], **title);
            assert_eq!(listing["attributes"]["publicData"]["mark"], **title);
        }
        assert_one_each("listing/created", events, stored.keys());
        assert_once(
            stored
                .values()
                .map(|l| &l["attributes"]["publicData"]["mark"]),
        );
    }

    async fn check_profiles(&self, marketplace: &Marketplace, token: &str, events: &[Value]) {
        let stored = all(marketplace, token, "users/query").await;
        assert_one_each("user/created", events, stored.keys());
        for (user, marks) in &self.profiles {
            let told: Vec<String> = of(events, "user/updated", user)
                .map(|event| mark(&event["attributes"]["resource"]["attributes"]["profile"]))
                .collect();
            // A write without an answer may have been stored, too: but once, and in its place.
            let mut rest = told.iter();
            for mark in marks {
                assert!(
                    rest.any(|told| told == mark),
                    "{mark} of {user} is not in its place"
                );
            }
            let distinct: BTreeSet<&String> = told.iter().collect();
            assert_eq!(
                distinct.len(),
                told.len(),
                "an event of {user} stands twice"
            );
            let profile = &stored[user]["attributes"]["profile"];
            assert_eq!(
                Some(&mark(profile)),
                told.last(),
                "the last write of {user}"
            );
        }
    }

    async fn check_transactions(&self, marketplace: &Marketplace, token: &str, events: &[Value]) {
        let stored = all(marketplace, token, "transactions/query").await;
        let mut messages = BTreeMap::new();
        for (id, transaction) in &stored {
            let attributes = &transaction["attributes"];
            let transitions: Vec<String> = attributes["transitions"]
                .as_array()
                .expect("transitions")
                .iter()
                .map(|step| step["transition"].as_str().expect("a name").to_owned())
                .collect();
            let state = attributes["state"].as_str().expect("a state");
            let expected = match transitions.as_slice() {
                [one] if one == "transition/inquire-without-payment" => "state/free-inquiry",
                [one] if one == "transition/request" => "state/requested",
                [one, two] if one == "transition/request" && two == "transition/accept" => {
                    "state/accepted"
                }
                [one, two] if one == "transition/request" && two == "transition/expire" => {
                    "state/expired"
                }
                other => panic!("{id} went {other:?}"),
            };
            assert_eq!(state, expected, "{id} is half done");
            assert_eq!(
                attributes["lastTransition"],
                *transitions.last().expect("one")
            );
            // What expires has its price taken back by a line item of its own.
            let is_priced = attributes["lineItems"].as_array().map_or(0, Vec::len) >= 1;
            assert_eq!(
                is_priced,
                expected != "state/free-inquiry",
                "{id} is half done"
            );
            // One event for each step, in their order.
            let told: Vec<String> = events
                .iter()
                .filter(|event| {
                    text(event, "resourceId") == *id && text(event, "resourceType") == "transaction"
                })
                .map(|event| {
                    let after = &event["attributes"]["resource"]["attributes"];
                    after["lastTransition"].as_str().expect("a name").to_owned()
                })
                .collect();
            assert_eq!(told, transitions, "events of {id}");
            if expected == "state/free-inquiry" {
                let query = format!("messages/query?transactionId={id}");
                messages.extend(all(marketplace, token, &query).await);
            }
        }
        assert_once(
            stored
                .values()
                .map(|t| &t["attributes"]["protectedData"]["mark"]),
        );
        for (id, transitions) in &self.transactions {
            let transaction = stored.get(id).unwrap_or_else(|| panic!("{id} is gone"));
            let kept = transaction["attributes"]["transitions"].as_array();
            let kept = kept.expect("transitions");
            assert!(kept.len() >= transitions.len(), "{id} lost a transition");
            let kept_names = kept.iter().map(|step| step["transition"].as_str());
            let are_kept = kept_names
                .zip(transitions)
                .all(|(kept, own)| kept == Some(own));
            assert!(are_kept, "{id}: {kept:?} instead of {transitions:?}");
        }
        assert_one_each("transaction/initiated", events, stored.keys());
        for (id, (_, content)) in &self.messages {
            let message = messages
                .get(id)
                .unwrap_or_else(|| panic!("message {content} is gone"));
            assert_eq!(message["attributes"]["content"], **content);
        }
        assert_one_each("message/created", events, messages.keys());
        assert_once(messages.values().map(|m| &m["attributes"]["content"]));
    }
}

/// Every write has a mark of its own and was sent once, so no mark stands in two resources.
fn assert_once<'a>(marks: impl Iterator<Item = &'a Value>) {
    let mut seen = BTreeSet::new();
    for mark in marks.filter_map(Value::as_str) {
        assert!(seen.insert(mark), "{mark} was done twice");
    }
}

fn text(event: &Value, attribute: &str) -> String {
    event["attributes"][attribute]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn mark(profile: &Value) -> String {
    profile["publicData"]["mark"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn of<'a>(events: &'a [Value], kind: &'a str, id: &'a str) -> impl Iterator<Item = &'a Value> {
    events
        .iter()
        .filter(move |event| text(event, "eventType") == kind && text(event, "resourceId") == id)
}

/// Sequence ids go up without a gap, and no event stands twice.
fn check_order(events: &[Value]) {
    let mut ids = BTreeSet::new();
    for (at, event) in events.iter().enumerate() {
        assert!(
            ids.insert(event["id"].as_str().expect("an id")),
            "an event stands twice"
        );
        let sequence = event["attributes"]["sequenceId"]
            .as_u64()
            .expect("a number");
        let first = events[0]["attributes"]["sequenceId"]
            .as_u64()
            .expect("a number");
        assert_eq!(sequence, first + at as u64, "a gap in the log");
    }
}

/// Every stored resource has exactly one event of a type, and the log tells of no other.
fn assert_one_each<'a>(kind: &str, events: &[Value], stored: impl Iterator<Item = &'a String>) {
    let mut told: HashMap<String, usize> = HashMap::new();
    for event in events
        .iter()
        .filter(|event| text(event, "eventType") == kind)
    {
        *told.entry(text(event, "resourceId")).or_default() += 1;
    }
    for id in stored {
        assert_eq!(told.remove(id), Some(1), "{kind} of {id}");
    }
    assert!(told.is_empty(), "{kind} of what is not there: {told:?}");
}
