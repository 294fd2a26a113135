//! From the request of a query to a filter; says all that is wrong with it.

use super::fields::Fields;
use crate::domain::search::{Condition, Searchable};
use crate::store::query::{Selection, Sort, SortBy, UserFilter};
use stoa_policy::{Level, UserState};
use stoa_proto::types::{DataFilter, Page};
use stoa_proto::users as pb;
use stoa_search::sort_key;
use stoa_types::{Problems, Timestamp};

/// Users on a page when nothing is said, and at most.
const MAX_PER_PAGE: u32 = 100;
/// Sort keys, at most.
const MAX_SORT: usize = 3;
/// Filters on extended data, at most.
const MAX_FILTERS: usize = 20;
/// Bytes of the value of such a filter, at most.
const MAX_VALUE: usize = 4000;

/// Whether the request names keys of extended data.
pub(super) fn names_keys(request: &pb::QueryUsersRequest) -> bool {
    !request.filters.is_empty() || request.sort.iter().any(|key| key.contains('_'))
}

/// Reads a request; a filter on a key that is not declared is ignored.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn read(
    request: &pb::QueryUsersRequest,
    level: Level,
    searchable: &Searchable,
) -> Result<UserFilter, Problems> {
    let mut fields = Fields::of_query();
    let Page { page, per_page } = request.page.unwrap_or(Page {
        page: 1,
        per_page: MAX_PER_PAGE,
    });
    if page == 0 {
        fields.invalid("page", "counts from 1");
    }
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        fields.invalid("perPage", "must be 1 to 100");
    }
    let mut instant = |field, ms: Option<i64>| {
        let read = Timestamp::checked_from_ms(ms?);
        read.map_err(|why| fields.invalid(field, why)).ok()
    };
    let created_from = instant("createdAtStart", request.created_at_start_ms);
    let created_before = instant("createdAtEnd", request.created_at_end_ms);
    let conditions = conditions(&request.filters, searchable, &mut fields);
    let sort = sort(&request.sort, searchable, &mut fields);
    let states = states(&request.states, level, &mut fields);
    fields.finish()?;
    Ok(UserFilter {
        selection: Selection {
            created_from,
            created_before,
            states,
            conditions,
        },
        sort,
        page,
        per_page,
    })
}

fn conditions(
    filters: &[DataFilter],
    searchable: &Searchable,
    fields: &mut Fields,
) -> Vec<Condition> {
    let mut conditions = Vec::new();
    if filters.len() > MAX_FILTERS {
        fields.refuse("there may be at most 20 filters");
        return conditions;
    }
    for filter in filters {
        let name = || format!("{}_{}", filter.prefix, filter.key);
        if filter.value.len() > MAX_VALUE {
            fields.invalid(name(), "must not be longer than 4,000 bytes");
            continue;
        }
        match searchable.condition(&filter.prefix, &filter.key, &filter.value) {
            Ok(condition) => conditions.extend(condition),
            Err(why) => fields.invalid(name(), why),
        }
    }
    conditions
}

fn sort(keys: &[String], searchable: &Searchable, fields: &mut Fields) -> Vec<Sort> {
    if keys.len() > MAX_SORT {
        fields.invalid("sort", "must not be more than 3 keys");
        return Vec::new();
    }
    let mut sort = Vec::with_capacity(keys.len());
    for key in keys {
        let (ascending, name) = sort_key(key);
        let by = match name {
            "createdAt" => Some(SortBy::CreatedAt),
            _ => searchable.long_key(name).map(SortBy::Number),
        };
        match by {
            Some(by) => sort.push(Sort { by, ascending }),
            None => {
                fields.invalid("sort", format!("cannot be sorted by {name:?}"));
                break;
            }
        }
    }
    sort
}

fn states(names: &[String], level: Level, fields: &mut Fields) -> Vec<UserState> {
    if names.is_empty() {
        return vec![
            UserState::Active,
            UserState::PendingApproval,
            UserState::Banned,
        ];
    }
    if level != Level::Operator {
        fields.disallowed("states");
    }
    let states: Vec<UserState> = names
        .iter()
        .filter_map(|name| UserState::from_name(name))
        .collect();
    if states.len() != names.len() {
        fields.invalid(
            "states",
            "can be active, pendingApproval, banned and deleted",
        );
    }
    states
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::search::SearchKey;
    use crate::domain::search::tests::declared;

    fn paged(page: u32, per_page: u32) -> pb::QueryUsersRequest {
        pb::QueryUsersRequest {
            page: Some(Page { page, per_page }),
            ..pb::QueryUsersRequest::default()
        }
    }

    fn searchable() -> Searchable {
        Searchable::of(vec![SearchKey {
            id: 1,
            ready: true,
            declared: declared("protected", "age", "long"),
        }])
    }

    fn filter(prefix: &str, key: &str, value: &str) -> DataFilter {
        DataFilter {
            prefix: prefix.into(),
            key: key.into(),
            value: value.into(),
        }
    }

    fn refusals(request: &pb::QueryUsersRequest, level: Level) -> Vec<String> {
        let problems = read(request, level, &searchable()).unwrap_err();
        let text = |p: &stoa_types::Problem| {
            let path = p
                .source
                .as_ref()
                .map(|source| format!(" {:?}", source.path));
            format!("{}{}", p.code, path.unwrap_or_default())
        };
        problems.as_slice().iter().map(text).collect()
    }

    fn invalid(name: &str) -> String {
        format!("validation-invalid-value [Key({name:?})]")
    }

    // contract: search S21, search S32
    #[test]
    fn bad_parameters_are_all_named() {
        let request = pb::QueryUsersRequest {
            created_at_start_ms: Some(i64::MAX),
            sort: vec!["email".into()],
            states: vec!["gone".into()],
            filters: vec![
                filter("prot", "age", "old"),
                filter("prot", "unknown", "x"),
                filter("pub", "any", &"x".repeat(4001)),
            ],
            ..paged(0, 101)
        };
        let expected = [
            invalid("page"),
            invalid("perPage"),
            invalid("createdAtStart"),
            invalid("prot_age"),
            invalid("pub_any"),
            invalid("sort"),
            "validation-disallowed-key [Key(\"states\")]".to_owned(),
            invalid("states"),
        ];
        assert_eq!(refusals(&request, Level::Integration), expected);
        let many = pb::QueryUsersRequest {
            sort: vec!["createdAt".into(); 4],
            filters: vec![filter("pub", "any", "x"); 21],
            ..paged(1, 100)
        };
        assert_eq!(
            refusals(&many, Level::Operator),
            ["validation-invalid-params".to_owned(), invalid("sort")]
        );
    }

    // contract: search S10, search S22
    #[test]
    fn sort_keys_are_numbers_and_filters_without_schema_count_for_nothing() {
        let request = pb::QueryUsersRequest {
            sort: vec!["-prot_age".into(), "createdAt".into()],
            filters: vec![filter("pub", "age", "1"), filter("prot", "age", "18,")],
            ..paged(1, 100)
        };
        assert!(names_keys(&request));
        let read = read(&request, Level::Integration, &searchable()).unwrap();
        let by = |by, ascending| Sort { by, ascending };
        assert_eq!(
            read.sort,
            [by(SortBy::Number(1), true), by(SortBy::CreatedAt, false)]
        );
        assert_eq!(read.selection.conditions.len(), 1);
        for bad in ["pub_age", "prot_", "price", "--createdAt"] {
            let request = pb::QueryUsersRequest {
                sort: vec![bad.into()],
                ..paged(1, 100)
            };
            assert_eq!(
                refusals(&request, Level::Operator),
                [invalid("sort")],
                "{bad}"
            );
        }
    }
}
