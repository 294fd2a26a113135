//! Reads the keys of processes, transitions and notifications: types and mandatory keys.
//!
//! What it gives may be incomplete; every gap has its finding. The rules about the whole graph
//! work on these drafts, so that one broken key does not hide the other problems.

use super::action_kind::ActionKind;
use super::config::read_config;
use super::finding::{Findings, Rule};
use super::{Action, ActionConfig, Actor, Party};
use crate::edn::{Node, Position, Value, print};
use crate::time::{TimeDraft, read_time};

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Placed<T> {
    pub(super) value: T,
    pub(super) at: Position,
}

/// A transition as far as it could be read.
pub(super) struct TransitionDraft {
    pub(super) at: Position,
    pub(super) name: Option<Placed<String>>,
    pub(super) from: Option<Placed<String>>,
    /// `:from` is written, readable or not: the transition is no initial one.
    pub(super) has_from: bool,
    pub(super) to: Option<Placed<String>>,
    pub(super) actor: Option<Placed<Actor>>,
    pub(super) time: Option<Placed<TimeDraft>>,
    pub(super) is_delayed: bool,
    pub(super) actions: Vec<Placed<Action>>,
    pub(super) privileged: bool,
}

/// A notification as far as it could be read.
pub(super) struct NotificationDraft {
    pub(super) name: Option<Placed<String>>,
    pub(super) on: Option<Placed<String>>,
    pub(super) to: Option<Party>,
    pub(super) template: Option<String>,
    pub(super) time: Option<Placed<TimeDraft>>,
}

/// The entries of a map and where it stands.
struct Fields<'n> {
    entries: &'n [(Node, Node)],
    at: Position,
}

impl<'n> Fields<'n> {
    fn of(node: &'n Node, what: &str, findings: &mut Findings) -> Option<Self> {
        if let Value::Map(entries) = &node.value {
            return Some(Self {
                entries,
                at: node.at,
            });
        }
        let message = format!("{what} must be a map, not {}", node.value.kind());
        findings.add(Rule::V2, node.at, message);
        None
    }

    fn get(&self, key: &str) -> Option<&'n Node> {
        let entries = self.entries;
        entries
            .iter()
            .find(|(k, _)| k.value.as_keyword() == Some(key))
            .map(|(_, value)| value)
    }

    fn keyword(&self, key: &str, findings: &mut Findings) -> Option<Placed<String>> {
        let node = self.get(key)?;
        let text = node.value.as_keyword();
        if text.is_none() {
            let message = format!(":{key} must be a keyword, not {}", node.value.kind());
            findings.add(Rule::V2, node.at, message);
        }
        text.map(|text| Placed {
            value: text.to_owned(),
            at: node.at,
        })
    }

    fn mandatory_keyword(&self, key: &str, findings: &mut Findings) -> Option<Placed<String>> {
        self.require(key, findings);
        self.keyword(key, findings)
    }

    fn require(&self, key: &str, findings: &mut Findings) {
        if self.get(key).is_none() {
            findings.add(Rule::V2, self.at, format!(":{key} is missing"));
        }
    }

    /// The items of a vector, list or set; the public validator takes any of them here.
    fn items(&self, key: &str, findings: &mut Findings) -> &'n [Node] {
        match self.get(key).map(|node| (&node.value, node)) {
            None => &[],
            Some((Value::Vector(items) | Value::List(items) | Value::Set(items), _)) => items,
            Some((other, node)) => {
                let message = format!(":{key} must be a collection, not {}", other.kind());
                findings.add(Rule::V2, node.at, message);
                &[]
            }
        }
    }
}

/// Reads the top of a definition: `:format`, and the drafts of what stands below.
pub(super) fn read_process(
    node: &Node,
    findings: &mut Findings,
) -> (Vec<TransitionDraft>, Vec<NotificationDraft>) {
    let Value::Map(entries) = &node.value else {
        let message = format!("A definition is a map, not {}", node.value.kind());
        findings.add(Rule::Syntax, node.at, message);
        return (Vec::new(), Vec::new());
    };
    let fields = Fields {
        entries,
        at: node.at,
    };
    fields.require("format", findings);
    if let Some(format) = fields.keyword("format", findings)
        && format.value != "v3"
    {
        let message = format!(":format must be :v3, not :{}", format.value);
        findings.add(Rule::V1, format.at, message);
    }
    fields.require("transitions", findings);
    let transitions = fields.items("transitions", findings);
    let transitions = transitions
        .iter()
        .filter_map(|t| transition(t, findings))
        .collect();
    findings.look_at(None);
    let notifications = fields.items("notifications", findings);
    let notifications = notifications
        .iter()
        .filter_map(|n| notification(n, findings))
        .collect();
    (transitions, notifications)
}

fn transition(node: &Node, findings: &mut Findings) -> Option<TransitionDraft> {
    findings.look_at(None);
    let fields = Fields::of(node, "A transition", findings)?;
    let named = fields.get("name").and_then(|name| name.value.as_keyword());
    findings.look_at(named.map(str::to_owned));
    let name = fields.mandatory_keyword("name", findings);
    let to = fields.mandatory_keyword("to", findings);
    let from = fields.keyword("from", findings);
    let actor = fields
        .keyword("actor", findings)
        .and_then(|actor| read_actor(&actor, findings));
    let time = fields
        .get("at")
        .and_then(|time| placed_time(time, findings));
    match (fields.get("actor"), fields.get("at")) {
        (None, None) => findings.add(Rule::V3, node.at, "One of :actor and :at must be given"),
        (Some(_), Some(_)) => {
            findings.add(Rule::V3, node.at, "Only one of :actor and :at may be given");
        }
        (Some(_), None) | (None, Some(_)) => {}
    }
    let privileged = match fields.get("privileged?") {
        None => false,
        Some(Node {
            value: Value::Bool(value),
            ..
        }) => *value,
        Some(other) => {
            let message = format!(":privileged? must be a boolean, not {}", other.value.kind());
            findings.add(Rule::V2, other.at, message);
            false
        }
    };
    let actions = fields.items("actions", findings);
    let actions = actions.iter().filter_map(|a| action(a, findings)).collect();
    Some(TransitionDraft {
        at: node.at,
        name,
        from,
        has_from: fields.get("from").is_some(),
        to,
        actor,
        time,
        is_delayed: fields.get("at").is_some(),
        actions,
        privileged,
    })
}

fn read_actor(actor: &Placed<String>, findings: &mut Findings) -> Option<Placed<Actor>> {
    let value = match actor.value.as_str() {
        "actor.role/customer" => Actor::Customer,
        "actor.role/provider" => Actor::Provider,
        "actor.role/operator" => Actor::Operator,
        other => {
            let message = format!(
                ":actor must be :actor.role/customer, :actor.role/provider or \
                 :actor.role/operator, not :{other}"
            );
            findings.add(Rule::V5, actor.at, message);
            return None;
        }
    };
    Some(Placed {
        value,
        at: actor.at,
    })
}

fn placed_time(node: &Node, findings: &mut Findings) -> Option<Placed<TimeDraft>> {
    read_time(node, findings).map(|value| Placed { value, at: node.at })
}

fn action(node: &Node, findings: &mut Findings) -> Option<Placed<Action>> {
    let fields = Fields::of(node, "An action", findings)?;
    let name = fields.mandatory_keyword("name", findings)?;
    if name.value.starts_with("action.initializer/") {
        let message = format!(
            "The action :{} is implicit and may not be written",
            name.value
        );
        findings.add(Rule::V13, name.at, message);
        return None;
    }
    let Some(kind) = ActionKind::parse(&name.value) else {
        findings.add(
            Rule::V7,
            name.at,
            format!("The action :{} is not known", name.value),
        );
        return None;
    };
    let entries = match fields.get("config") {
        None => None,
        Some(Node {
            value: Value::Map(entries),
            ..
        }) => Some(entries.as_slice()),
        Some(other) => {
            let message = format!(":config must be a map, not {}", other.value.kind());
            findings.add(Rule::V8, other.at, message);
            // The name is still worth the rules that only look at it.
            let action = Action {
                kind,
                config: ActionConfig::None,
            };
            return Some(Placed {
                value: action,
                at: node.at,
            });
        }
    };
    let config = read_config(kind, entries, node.at, findings).unwrap_or(ActionConfig::None);
    Some(Placed {
        value: Action { kind, config },
        at: node.at,
    })
}

fn notification(node: &Node, findings: &mut Findings) -> Option<NotificationDraft> {
    let fields = Fields::of(node, "A notification", findings)?;
    let name = fields.mandatory_keyword("name", findings);
    let on = fields.mandatory_keyword("on", findings);
    let to = fields.mandatory_keyword("to", findings).and_then(|to| {
        let party = match to.value.as_str() {
            "actor.role/customer" => Some(Party::Customer),
            "actor.role/provider" => Some(Party::Provider),
            _ => None,
        };
        if party.is_none() {
            let message = format!(
                ":to must be :actor.role/customer or :actor.role/provider, not :{}",
                to.value
            );
            findings.add(Rule::V2, to.at, message);
        }
        party
    });
    let template = fields
        .mandatory_keyword("template", findings)
        .and_then(|template| {
            let plain = !template.value.contains('/');
            if !plain {
                let message = format!(
                    ":template must be a keyword without namespace, not :{}",
                    template.value
                );
                findings.add(Rule::V2, template.at, message);
            }
            plain.then_some(template.value)
        });
    let time = fields
        .get("at")
        .and_then(|time| placed_time(time, findings));
    Some(NotificationDraft {
        name,
        on,
        to,
        template,
        time,
    })
}

/// The text of a node for a message, cut to a readable length.
pub(crate) fn shown(node: &Node) -> String {
    let text = print(node);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
