//! The `:config` of an action.

use super::action_kind::ActionKind;
use super::finding::{Findings, Rule};
use crate::edn::{Node, Position, Value};
use rust_decimal::Decimal;
use stoa_types::Currency;

/// The configuration of an action, typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ActionConfig {
    /// The action has no configuration.
    None,
    /// How booking times are read: by whole days (`:type :day`, the default) or as given.
    Booking {
        /// Times are cut to UTC midnights.
        by_day: bool,
        /// Refuse when the listing is not available; only `create-booking` may switch it off.
        observe_availability: bool,
    },
    /// What one unit of each quantity costs, as a multiple of the listing's price.
    Multipliers {
        /// `:quantity1-price-multiplier`, default 1.
        first: Decimal,
        /// `:quantity2-price-multiplier`, default 1.
        second: Decimal,
    },
    /// A commission as a share.
    Commission(Commission),
    /// A commission as a fixed amount.
    FixedCommission(MajorMoney),
    /// Whether the customer's default payment method is charged at once.
    PaymentIntent {
        /// `:use-customer-default-payment-method?`, default false.
        use_default_method: bool,
    },
    /// Which keys are copied, and under which new names; nothing: all keys under their own.
    KeyMapping(Option<Vec<(String, String)>>),
}

/// A commission as a share of the price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commission {
    /// The share: 0.1 is ten percent.
    pub share: Decimal,
    /// The least that is taken.
    pub min: Option<MajorMoney>,
    /// The most that is taken.
    pub max: Option<MajorMoney>,
}

/// Money as definitions write it: in **major** units (2 is two euros), exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MajorMoney {
    /// Major units.
    pub amount: Decimal,
    /// The currency.
    pub currency: Currency,
}

/// The shape of an action's configuration.
#[derive(Clone, Copy)]
pub(super) enum ConfigSchema {
    None,
    Booking,
    ObservedBooking,
    Multipliers,
    Commission,
    FixedCommission,
    PaymentIntent,
    KeyMapping,
}

type Entries = [(Node, Node)];

/// Reads the configuration of an action at `at`; `None` as entries when there is no `:config`.
pub(super) fn read_config(
    kind: ActionKind,
    entries: Option<&Entries>,
    at: Position,
    findings: &mut Findings,
) -> Option<ActionConfig> {
    let mut config = ConfigReader {
        kind,
        entries: entries.unwrap_or(&[]),
        at,
        findings,
        ok: true,
    };
    let typed = match kind.config_schema() {
        ConfigSchema::None => {
            config.allow(&[]);
            Some(ActionConfig::None)
        }
        ConfigSchema::Booking => {
            config.allow(&["type"]);
            let by_day = config.by_day();
            Some(ActionConfig::Booking {
                by_day,
                observe_availability: true,
            })
        }
        ConfigSchema::ObservedBooking => {
            config.allow(&["type", "observe-availability?"]);
            let by_day = config.by_day();
            let observe_availability = config.boolean("observe-availability?");
            Some(ActionConfig::Booking {
                by_day,
                observe_availability,
            })
        }
        ConfigSchema::Multipliers => {
            let keys = ["quantity1-price-multiplier", "quantity2-price-multiplier"];
            config.allow(&keys);
            let [first, second] = keys.map(|key| config.decimal(key).unwrap_or(Decimal::ONE));
            Some(ActionConfig::Multipliers { first, second })
        }
        ConfigSchema::Commission => {
            config.allow(&["commission", "min", "max"]);
            let share = config.mandatory("commission", ConfigReader::decimal);
            let (min, max) = (config.money("min"), config.money("max"));
            share.map(|share| ActionConfig::Commission(Commission { share, min, max }))
        }
        ConfigSchema::FixedCommission => {
            config.allow(&["commission"]);
            config
                .mandatory("commission", ConfigReader::money)
                .map(ActionConfig::FixedCommission)
        }
        ConfigSchema::PaymentIntent => {
            let key = "use-customer-default-payment-method?";
            config.allow(&[key]);
            Some(ActionConfig::PaymentIntent {
                use_default_method: config.boolean(key),
            })
        }
        ConfigSchema::KeyMapping => {
            config.allow(&["key-mapping"]);
            Some(ActionConfig::KeyMapping(config.key_mapping()))
        }
    };
    typed.filter(|_| config.ok)
}

struct ConfigReader<'a> {
    kind: ActionKind,
    entries: &'a Entries,
    at: Position,
    findings: &'a mut Findings,
    ok: bool,
}

impl<'a> ConfigReader<'a> {
    fn refuse(&mut self, at: Position, message: String) {
        self.ok = false;
        let message = format!("{message} in the configuration of :{}", self.kind.name());
        self.findings.add(Rule::V15, at, message);
    }

    fn allow(&mut self, known: &[&str]) {
        for (key, _) in self.entries {
            if !key
                .value
                .as_keyword()
                .is_some_and(|name| known.contains(&name))
            {
                self.refuse(key.at, format!("Unknown key {}", crate::edn::print(key)));
            }
        }
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        let entries = self.entries;
        entries
            .iter()
            .find(|(k, _)| k.value.as_keyword() == Some(key))
            .map(|(_, value)| value)
    }

    /// The value under a key as `read` sees it; a finding when it is there and unreadable.
    fn typed<T>(
        &mut self,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&Node) -> Option<T>,
    ) -> Option<T> {
        let node = self.get(key)?;
        let value = read(node);
        if value.is_none() {
            self.refuse(
                node.at,
                format!(":{key} must be {wanted}, not {}", node.value.kind()),
            );
        }
        value
    }

    fn mandatory<T>(&mut self, key: &str, read: fn(&mut Self, &str) -> Option<T>) -> Option<T> {
        if self.get(key).is_none() {
            self.refuse(self.at, format!(":{key} is missing"));
        }
        read(self, key)
    }

    fn by_day(&mut self) -> bool {
        self.typed("type", ":day or :time", |node| {
            match node.value.as_keyword()? {
                "day" => Some(true),
                "time" => Some(false),
                _ => None,
            }
        })
        .unwrap_or(true)
    }

    fn boolean(&mut self, key: &str) -> bool {
        self.typed(key, "true or false", |node| match node.value {
            Value::Bool(value) => Some(value),
            _ => None,
        })
        .unwrap_or(false)
    }

    fn decimal(&mut self, key: &str) -> Option<Decimal> {
        self.typed(key, "a number of at most 28 digits", decimal)
    }

    fn money(&mut self, key: &str) -> Option<MajorMoney> {
        self.typed(key, "{:amount 2M :currency \"EUR\"}", |node| {
            let Value::Map(entries) = &node.value else {
                return None;
            };
            let get = |key| {
                let named = |(k, _): &&(Node, Node)| k.value.as_keyword() == Some(key);
                entries.iter().find(named).map(|(_, value)| value)
            };
            let Value::String(currency) = &get("currency")?.value else {
                return None;
            };
            let currency = Currency::parse(currency).ok()?;
            Some(MajorMoney {
                amount: decimal(get("amount")?)?,
                currency,
            })
        })
    }

    fn key_mapping(&mut self) -> Option<Vec<(String, String)>> {
        self.typed("key-mapping", "a map of keywords to keywords", |node| {
            let Value::Map(entries) = &node.value else {
                return None;
            };
            let text = |node: &Node| node.value.as_keyword().map(str::to_owned);
            entries
                .iter()
                .map(|(from, to)| Some((text(from)?, text(to)?)))
                .collect()
        })
    }
}

fn decimal(node: &Node) -> Option<Decimal> {
    match &node.value {
        Value::Number(number) => number.decimal(),
        _ => None,
    }
}
