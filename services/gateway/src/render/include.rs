//! `include`: relationships and the resources behind them, with one batch call per kind and level.

use super::resources::{Kind, Relation, Target};
use super::{Fields, Presentation, Resource};
use crate::call::Call;
use crate::service::Gateway;
use indexmap::IndexMap;
use std::collections::{BTreeSet, HashMap, HashSet};
use stoa_codec::Writer;
use stoa_proto::listings::BatchGetListingsRequest;
use stoa_proto::transactions::{
    BatchGetPartsRequest, BatchGetPartsResponse, BatchGetTransactionsRequest,
};
use stoa_proto::users::BatchGetUsersRequest;
use stoa_rpc::{Credentials, Problems};

/// Deepest path.
const MAX_DEPTH: usize = 3;

/// Relationships that were asked for, as a tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include(IndexMap<String, Include>);

impl Include {
    /// The tree of dotted paths; a path implies its beginning. Nothing when one is too deep.
    pub(crate) fn parse<'a>(paths: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        let mut root = Self::default();
        for path in paths.into_iter().filter(|path| !path.is_empty()) {
            if path.split('.').count() > MAX_DEPTH {
                return None;
            }
            let mut at = &mut root;
            for name in path.split('.') {
                at = at.0.entry(name.to_owned()).or_default();
            }
        }
        Some(root)
    }

    /// True when nothing is included.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

type Key = (Kind, String);

/// A resource with the relationships that were asked for.
#[derive(Debug)]
pub(crate) struct Node {
    resource: Resource,
    relationships: IndexMap<String, Linked>,
}

#[derive(Debug)]
enum Linked {
    One(Option<Key>),
    Many(Vec<Key>),
}

impl Node {
    fn new(resource: Resource) -> Self {
        Self {
            resource,
            relationships: IndexMap::new(),
        }
    }

    /// Writes id, type, attributes and relationships.
    pub(crate) fn write(&self, w: &mut Writer, fields: &Fields) {
        w.map();
        self.resource.write_id_and_type(w);
        w.key_map("attributes");
        self.resource
            .write_attributes(w, fields.wanted(self.resource.type_name()));
        w.end_map();
        if !self.relationships.is_empty() {
            w.key_map("relationships");
            for (name, linked) in &self.relationships {
                w.key_map(name).key("data");
                match linked {
                    Linked::One(None) => {
                        w.null();
                    }
                    Linked::One(Some(key)) => write_link(w, key),
                    Linked::Many(keys) => {
                        w.array();
                        for key in keys {
                            write_link(w, key);
                        }
                        w.end_array();
                    }
                }
                w.end_map();
            }
            w.end_map();
        }
        w.end_map();
    }
}

fn write_link(w: &mut Writer, (kind, id): &Key) {
    w.map()
        .key_uuid("id", id)
        .key_keyword("type", kind.name())
        .end_map();
}

/// Primary resources and those included beside them.
#[derive(Debug)]
pub(crate) struct Document {
    pub roots: Vec<Node>,
    pub included: IndexMap<Key, Node>,
}

impl Document {
    /// How many resources there are.
    pub(crate) fn len(&self) -> usize {
        self.roots.len() + self.included.len()
    }
}

/// Where a node of the next level hangs.
enum Place {
    Root(usize),
    Included(Key),
}

/// Loads what was asked for, level by level.
pub(crate) async fn compose(
    gateway: &Gateway,
    credentials: &Credentials,
    resources: Vec<Resource>,
    show: &Presentation,
) -> Result<Document, Problems> {
    let mut document = Document {
        roots: resources.into_iter().map(Node::new).collect(),
        included: IndexMap::new(),
    };
    if show.include.is_empty() {
        return Ok(document);
    }
    let primary: HashSet<Key> = document
        .roots
        .iter()
        .map(|node| node.resource.key())
        .collect();
    let mut level: Vec<(Place, &Include, String)> = (0..document.roots.len())
        .map(|i| (Place::Root(i), &show.include, String::new()))
        .collect();
    while !level.is_empty() {
        let parts = load_parts(gateway, credentials, &document, &level).await?;
        // What each relationship points to, before it is known whether the target exists.
        let mut wanted: BTreeSet<Key> = BTreeSet::new();
        let mut links = Vec::new();
        for (place, include, path) in &level {
            for (name, below) in &include.0 {
                let full = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                let node = node_at(&document, place);
                let Some(relation) = node.resource.relation(name, gateway) else {
                    continue;
                };
                let (targets, one) = match relation {
                    Relation::One(target) => (target.into_iter().collect(), true),
                    Relation::Many(targets) => (targets, false),
                    Relation::Parts(part) => (parts.of(node.resource.id(), part), false),
                };
                let mut keys = Vec::with_capacity(targets.len());
                let limit = show.limits.get(&full).or_else(|| show.limits.get(name));
                let limit = if one {
                    1
                } else {
                    limit.copied().unwrap_or(usize::MAX)
                };
                for target in targets.into_iter().take(limit) {
                    let (key, here) = match target {
                        Target::Id(kind, id) => ((kind, id), None),
                        Target::Here(resource) => (resource.key(), Some(resource)),
                    };
                    if !primary.contains(&key) && !document.included.contains_key(&key) {
                        match here {
                            Some(resource) => {
                                document.included.insert(key.clone(), Node::new(*resource));
                            }
                            None => {
                                wanted.insert(key.clone());
                            }
                        }
                    }
                    keys.push(key);
                }
                links.push((place_of(place), name.clone(), keys, one, below, full));
            }
        }
        for resource in load(gateway, credentials, wanted).await? {
            document
                .included
                .insert(resource.key(), Node::new(resource));
        }
        // Only what exists is linked: the web template throws on a reference to nothing.
        let mut next = Vec::new();
        for (place, name, mut keys, one, below, full) in links {
            keys.retain(|key| primary.contains(key) || document.included.contains_key(key));
            if !below.is_empty() {
                for key in &keys {
                    next.push((place_of_key(&document, key), below, full.clone()));
                }
            }
            let linked = if one {
                Linked::One(keys.pop())
            } else {
                Linked::Many(keys)
            };
            node_at_mut(&mut document, &place)
                .relationships
                .insert(name, linked);
        }
        level = next;
    }
    Ok(document)
}

fn place_of(place: &Place) -> Place {
    match place {
        Place::Root(i) => Place::Root(*i),
        Place::Included(key) => Place::Included(key.clone()),
    }
}

fn place_of_key(document: &Document, key: &Key) -> Place {
    document
        .roots
        .iter()
        .position(|node| node.resource.key() == *key)
        .map_or_else(|| Place::Included(key.clone()), Place::Root)
}

fn node_at<'a>(document: &'a Document, place: &Place) -> &'a Node {
    match place {
        Place::Root(i) => &document.roots[*i],
        Place::Included(key) => &document.included[key],
    }
}

fn node_at_mut<'a>(document: &'a mut Document, place: &Place) -> &'a mut Node {
    match place {
        Place::Root(i) => &mut document.roots[*i],
        Place::Included(key) => &mut document.included[key],
    }
}

/// Reviews and messages of the transactions of one level.
#[derive(Default)]
struct Parts {
    reviews: HashMap<String, Vec<Resource>>,
    messages: HashMap<String, Vec<Resource>>,
}

/// Which parts of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Reviews,
    Messages,
}

impl Parts {
    fn of(&self, transaction: &str, part: Part) -> Vec<Target> {
        let parts = match part {
            Part::Reviews => &self.reviews,
            Part::Messages => &self.messages,
        };
        parts
            .get(transaction)
            .map(|found| {
                found
                    .iter()
                    .map(|r| Target::Here(Box::new(r.clone())))
                    .collect()
            })
            .unwrap_or_default()
    }
}

async fn load_parts(
    gateway: &Gateway,
    credentials: &Credentials,
    document: &Document,
    level: &[(Place, &Include, String)],
) -> Result<Parts, Problems> {
    let mut request = BatchGetPartsRequest::default();
    let mut ids = BTreeSet::new();
    for (place, include, _) in level {
        let Resource::Transaction(transaction) = &node_at(document, place).resource else {
            continue;
        };
        request.reviews |= include.0.contains_key("reviews");
        request.messages |= include.0.contains_key("messages");
        ids.insert(transaction.id.clone());
    }
    if !request.reviews && !request.messages {
        return Ok(Parts::default());
    }
    request.transaction_ids = ids.into_iter().collect();
    let mut transactions = gateway.peers().transactions();
    let found: BatchGetPartsResponse =
        Call::ask(transactions.batch_get_parts(credentials.request(request))).await?;
    let mut parts = Parts::default();
    for review in found.reviews {
        let of = review.transaction_id.clone().unwrap_or_default();
        parts
            .reviews
            .entry(of)
            .or_default()
            .push(Resource::Review(review));
    }
    for message in found.messages {
        let of = message.transaction_id.clone();
        parts
            .messages
            .entry(of)
            .or_default()
            .push(Resource::Message(message));
    }
    Ok(parts)
}

/// One batch call per kind, at the same time.
async fn load(
    gateway: &Gateway,
    credentials: &Credentials,
    wanted: BTreeSet<Key>,
) -> Result<Vec<Resource>, Problems> {
    let mut by_kind: HashMap<Kind, Vec<String>> = HashMap::new();
    for (kind, id) in wanted {
        by_kind.entry(kind).or_default().push(id);
    }
    let mut ids = |kind| by_kind.remove(&kind).unwrap_or_default();
    let (users, listings, transactions) =
        (ids(Kind::User), ids(Kind::Listing), ids(Kind::Transaction));
    let users = async {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let request = credentials.request(BatchGetUsersRequest { ids: users });
        Ok::<_, Problems>(
            Call::ask(gateway.peers().users().batch_get(request))
                .await?
                .users,
        )
    };
    let listings = async {
        if listings.is_empty() {
            return Ok(Vec::new());
        }
        let request = credentials.request(BatchGetListingsRequest { ids: listings });
        Ok::<_, Problems>(
            Call::ask(gateway.peers().listings().batch_get(request))
                .await?
                .listings,
        )
    };
    let transactions = async {
        if transactions.is_empty() {
            return Ok(Vec::new());
        }
        let request = credentials.request(BatchGetTransactionsRequest { ids: transactions });
        let found = Call::ask(gateway.peers().transactions().batch_get(request)).await?;
        Ok::<_, Problems>(found.transactions)
    };
    let (users, listings, transactions) = futures::try_join!(users, listings, transactions)?;
    Ok(users
        .into_iter()
        .map(Resource::User)
        .chain(listings.into_iter().map(Resource::Listing))
        .chain(transactions.into_iter().map(Resource::Transaction))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: wire 3.1
    #[test]
    fn a_nested_path_implies_its_beginning() {
        let tree = Include::parse(["author.profileImage", "images"]).unwrap();
        assert_eq!(tree.0.keys().collect::<Vec<_>>(), ["author", "images"]);
        assert_eq!(
            tree.0["author"].0.keys().collect::<Vec<_>>(),
            ["profileImage"]
        );
        assert!(tree.0["images"].is_empty());
    }

    // contract: security S55
    #[test]
    fn paths_deeper_than_three_levels_are_refused() {
        assert!(Include::parse(["listing.author.profileImage"]).is_some());
        assert!(Include::parse(["a.b.c.d"]).is_none());
        assert!(Include::parse([""]).unwrap().is_empty());
    }
}
