//! Shared values to and from their messages.

use crate::{problem as pb, types};
use stoa_types::{Currency, LatLng, Money, PathItem, Problem, Problems, Source, SourceKind};

impl From<Money> for types::Money {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount,
            currency: money.currency.to_string(),
        }
    }
}

impl TryFrom<&types::Money> for Money {
    type Error = stoa_types::money::NotACurrency;
    fn try_from(message: &types::Money) -> Result<Self, Self::Error> {
        Ok(Self::new(
            message.amount,
            Currency::parse(&message.currency)?,
        ))
    }
}

impl From<LatLng> for types::LatLng {
    fn from(place: LatLng) -> Self {
        Self {
            lat: place.lat,
            lng: place.lng,
        }
    }
}

impl From<&types::LatLng> for LatLng {
    fn from(message: &types::LatLng) -> Self {
        Self {
            lat: message.lat,
            lng: message.lng,
        }
    }
}

impl From<&Problems> for pb::Problems {
    fn from(problems: &Problems) -> Self {
        Self {
            problems: problems.as_slice().iter().map(Into::into).collect(),
        }
    }
}

impl From<&Problem> for pb::Problem {
    fn from(problem: &Problem) -> Self {
        Self {
            status: problem.status.into(),
            code: problem.code.clone().into_owned(),
            title: problem.title.clone().into_owned(),
            details: problem.details.clone(),
            source: problem.source.as_ref().map(|source| pb::Source {
                path: source.path.iter().map(Into::into).collect(),
                in_query: source.kind == SourceKind::Query,
            }),
            meta: problem.meta.iter().cloned().collect(),
            retry_after_s: problem.retry_after_s,
        }
    }
}

impl From<&PathItem> for pb::PathItem {
    fn from(item: &PathItem) -> Self {
        let item = match item {
            PathItem::Key(key) => pb::path_item::Item::Key(key.clone().into_owned()),
            PathItem::Index(index) => {
                pb::path_item::Item::Index(u32::try_from(*index).unwrap_or(u32::MAX))
            }
        };
        Self { item: Some(item) }
    }
}

impl From<pb::Problem> for Problem {
    fn from(message: pb::Problem) -> Self {
        let status = u16::try_from(message.status).unwrap_or(500);
        let mut problem = Self::new(status, message.code, message.title);
        problem.details = message.details;
        problem.source = message.source.map(|source| Source {
            path: source
                .path
                .into_iter()
                .filter_map(|item| item.item)
                .map(|item| match item {
                    pb::path_item::Item::Key(key) => PathItem::from(key),
                    pb::path_item::Item::Index(index) => PathItem::Index(index as usize),
                })
                .collect(),
            kind: if source.in_query {
                SourceKind::Query
            } else {
                SourceKind::Body
            },
        });
        problem.meta = message.meta.into_iter().collect();
        problem.meta.sort();
        problem.retry_after_s = message.retry_after_s;
        problem
    }
}

impl pb::Problems {
    /// The refusals that a status carried, or nothing when it carried none.
    pub fn into_problems(self) -> Option<Problems> {
        Problems::check(self.problems.into_iter().map(Into::into).collect()).err()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_survives_the_way_through_a_status() {
        let problem = Problem::invalid_value(
            SourceKind::Query,
            vec!["price".into(), 3.into()],
            "not an integer",
        )
        .meta("stripeMessage", "no");
        let problems = Problems::from(problem);
        assert_eq!(
            pb::Problems::from(&problems).into_problems(),
            Some(problems)
        );
    }
}
