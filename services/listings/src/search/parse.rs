//! From the request of a query to a [`Query`]; says all that is wrong with it.

use super::{Audience, Bounds, Key, Query, Range, Schemas, Sort, words_of};
use crate::domain::State;
use stoa_proto::{listings as pb, types};
use stoa_search::sort_key;
use stoa_types::id::{ListingId, UserId};
use stoa_types::{LatLng, Problem, Problems, SourceKind};

/// Most ids of one query.
const MAX_IDS: usize = 100;
/// Most characters of keywords.
const MAX_KEYWORDS: usize = 500;
/// Most sort keys.
const MAX_SORT_KEYS: usize = 3;
/// Most hits on a page, and the number without wish.
const MAX_PER_PAGE: u32 = 100;

fn invalid(name: impl Into<stoa_types::PathItem>, why: impl Into<String>) -> Problem {
    Problem::invalid_value(SourceKind::Query, vec![name.into()], why)
}

/// Page and hits on it, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) page: u32,
    pub(crate) per_page: u32,
}

impl Page {
    fn parse(page: Option<types::Page>, problems: &mut Vec<Problem>) -> Self {
        let types::Page { page, per_page } = page.unwrap_or(types::Page {
            page: 1,
            per_page: MAX_PER_PAGE,
        });
        if page == 0 {
            problems.push(invalid("page", "must be at least 1"));
        }
        if !(1..=MAX_PER_PAGE).contains(&per_page) {
            problems.push(invalid("perPage", "must be 1 to 100"));
        }
        Self { page, per_page }
    }

    /// What the answer says about its pages.
    pub(crate) fn meta(self, total_items: u64) -> types::PageMeta {
        types::PageMeta {
            total_items,
            page: self.page,
            per_page: self.per_page,
        }
    }
}

/// Reads a request.
///
/// # Errors
/// A 400 for each bad parameter and combination.
pub(crate) fn parse(
    request: &pb::QueryListingsRequest,
    audience: Audience,
    schemas: &Schemas,
) -> Result<(Query, Page), Problems> {
    let mut problems = Vec::new();
    let page = Page::parse(request.page, &mut problems);
    let mut query = Query::all(audience, page.per_page as usize);
    query.offset = u64::from(page.page.saturating_sub(1)) * u64::from(page.per_page);

    if let Some(pb::IdList { ids }) = &request.ids {
        if ids.len() > MAX_IDS {
            problems.push(invalid("ids", "must not be more than 100"));
        } else {
            let parsed: Result<Vec<_>, _> = ids.iter().map(|id| ListingId::parse(id)).collect();
            match parsed {
                Ok(ids) => query.ids = Some(ids),
                Err(why) => problems.push(invalid("ids", why.to_string())),
            }
        }
    }
    if let Some(author) = &request.author_id {
        match UserId::parse(author) {
            Ok(author) => query.author = Some(author),
            Err(why) => problems.push(invalid("authorId", why.to_string())),
        }
    }
    // Everybody sees published listings only, whatever is asked for.
    if audience == Audience::Insider && !request.states.is_empty() {
        let states: Option<Vec<_>> = request
            .states
            .iter()
            .map(|name| State::from_name(name))
            .collect();
        match states {
            Some(states) => query.states = Some(states),
            None => problems.push(invalid(
                "states",
                "must be draft, pendingApproval, published or closed",
            )),
        }
    }
    if let Some(keywords) = request.keywords.as_deref().filter(|text| !text.is_empty()) {
        if keywords.chars().count() > MAX_KEYWORDS {
            problems.push(invalid(
                "keywords",
                "must not be longer than 500 characters",
            ));
        }
        if request.origin.is_some() {
            let together = Problem::invalid_params("keywords and origin exclude each other");
            problems.push(together.at(SourceKind::Query, vec!["origin".into()]));
        }
        query.words = Some(words_of(keywords));
    }
    query.origin = request.origin.as_ref().map(LatLng::from);
    if let Some(pb::Bounds {
        ne: Some(ne),
        sw: Some(sw),
    }) = &request.bounds
    {
        query.bounds = Some(Bounds {
            ne: ne.into(),
            sw: sw.into(),
        });
    }
    if let Some(price) = &request.price {
        match Range::parse(price) {
            Ok(range) => query.price = range,
            Err(why) => problems.push(invalid("price", why.to_string())),
        }
    }
    let (start, end) = (request.created_at_start_ms, request.created_at_end_ms);
    if start.is_some() || end.is_some() {
        query.created_at = Some(Range {
            min: start.unwrap_or(i64::MIN),
            max: end.map_or(i64::MAX, |end| end.saturating_sub(1)),
        });
    }
    for filter in &request.filters {
        match schemas.filter(&filter.prefix, &filter.key, &filter.value) {
            Ok(filter) => query.filters.extend(filter),
            Err(why) => problems.push(invalid(format!("{}_{}", filter.prefix, filter.key), why)),
        }
    }
    // By distance nothing else sorts; the search page of the web template sends both.
    if query.origin.is_none() {
        match parse_sort(&request.sort, schemas) {
            Ok(sort) => query.sort = sort,
            Err(why) => problems.push(invalid("sort", why)),
        }
    }
    Problems::check(problems)?;
    Ok((query, page))
}

fn parse_sort(keys: &[String], schemas: &Schemas) -> Result<Vec<Sort>, String> {
    let keys: Vec<&str> = keys
        .iter()
        .map(String::as_str)
        .filter(|key| !key.is_empty())
        .collect();
    if keys.len() > MAX_SORT_KEYS {
        return Err("must not be more than 3 keys".to_owned());
    }
    keys.into_iter()
        .map(|key| {
            let (ascending, name) = sort_key(key);
            let key = match name {
                "createdAt" => Some(Key::CreatedAt),
                "price" => Some(Key::Price),
                _ => schemas.long_key(name).map(Key::Long),
            };
            let key = key.ok_or_else(|| format!("cannot be sorted by {name:?}"))?;
            Ok(Sort { key, ascending })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::{Test, setting};
    use stoa_search::SchemaFor;
    use stoa_types::PathItem;

    fn schemas() -> Schemas {
        let settings = [
            setting("public", "condition", "enum", None),
            setting("public", "rating", "long", None),
            setting("metadata", "promoted", "boolean", None),
        ];
        Schemas::of(SchemaFor::Listing, &settings)
    }

    fn read(request: &pb::QueryListingsRequest) -> Result<Query, Vec<(String, String)>> {
        match parse(request, Audience::Insider, &schemas()) {
            Ok((query, _)) => Ok(query),
            Err(problems) => Err(problems
                .as_slice()
                .iter()
                .map(|p| {
                    let source = p.source.clone().unwrap();
                    assert_eq!((p.status, source.kind), (400, SourceKind::Query));
                    let PathItem::Key(key) = &source.path[0] else {
                        panic!()
                    };
                    (p.code.to_string(), key.to_string())
                })
                .collect()),
        }
    }

    fn filter(prefix: &str, key: &str, value: &str) -> pb::QueryListingsRequest {
        pb::QueryListingsRequest {
            filters: vec![pb::DataFilter {
                prefix: prefix.into(),
                key: key.into(),
                value: value.into(),
            }],
            ..Default::default()
        }
    }

    fn sort(keys: &[&str]) -> pb::QueryListingsRequest {
        pb::QueryListingsRequest {
            sort: keys.iter().map(|key| (*key).to_owned()).collect(),
            ..Default::default()
        }
    }

    fn refused(request: &pb::QueryListingsRequest, path: &str) {
        let value = ("validation-invalid-value".to_owned(), path.to_owned());
        assert_eq!(read(request).unwrap_err(), [value]);
    }

    fn strings(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    #[test]
    fn filters_are_read_and_bad_ones_named() {
        let request = filter("pub", "rating", "3");
        assert_eq!(
            read(&request).unwrap().filters[0].test,
            Test::In(Range { min: 3, max: 3 })
        );
        assert!(read(&filter("pub", "foo", "x")).unwrap().filters.is_empty());
        refused(&filter("pub", "rating", "high"), "pub_rating");
        refused(&filter("meta", "promoted", "yes"), "meta_promoted");
    }

    // contract: search S15
    #[test]
    fn keywords_and_origin_exclude_each_other() {
        let mut request = pb::QueryListingsRequest {
            keywords: Some("bike".into()),
            origin: Some(types::LatLng { lat: 1.0, lng: 2.0 }),
            ..Default::default()
        };
        let params = ("validation-invalid-params".to_owned(), "origin".to_owned());
        assert_eq!(read(&request).unwrap_err(), [params]);
        request.keywords = Some(String::new());
        assert!(read(&request).unwrap().words.is_none());
        request.origin = None;
        request.keywords = Some("!!!".into());
        assert_eq!(read(&request).unwrap().words, Some(Vec::new()));
        request.keywords = Some("x".repeat(501));
        refused(&request, "keywords");
    }

    // contract: search S19, S21, S22
    #[test]
    fn a_bare_sort_key_is_highest_first_and_a_dash_turns_it() {
        let keys = read(&sort(&["-pub_rating", "price"])).unwrap().sort;
        assert!(keys[0].ascending && !keys[1].ascending);
        assert_eq!(keys[1].key, Key::Price);
        for bad in [
            &["createdAt", "price", "pub_rating", "price"][..],
            &["relevance"],
            &["pub_condition"],
            &["pub_unknown"],
            &["--price"],
        ] {
            refused(&sort(bad), "sort");
        }
        let mut request = sort(&["createdAt"]);
        request.origin = Some(types::LatLng { lat: 1.0, lng: 2.0 });
        assert!(read(&request).unwrap().sort.is_empty());
    }

    // contract: search S32, S36
    #[test]
    fn pages_and_ids_have_limits() {
        let page = |page, per_page| pb::QueryListingsRequest {
            page: Some(types::Page { page, per_page }),
            ..Default::default()
        };
        refused(&page(1, 101), "perPage");
        refused(&page(0, 24), "page");
        assert_eq!(read(&page(3, 24)).unwrap().offset, 48);
        let id = "3c073fae-6172-4e75-8b92-f560d58cd47c".to_owned();
        let ids = |n| pb::QueryListingsRequest {
            ids: Some(pb::IdList {
                ids: vec![id.clone(); n],
            }),
            ..Default::default()
        };
        assert!(read(&ids(100)).is_ok());
        assert_eq!(read(&ids(0)).unwrap().ids, Some(Vec::new()));
        refused(&ids(101), "ids");
    }

    #[test]
    fn all_problems_are_named_at_once() {
        let mut request = sort(&["nonsense"]);
        request.price = Some("cheap".into());
        request.states = strings(&["open"]);
        request.author_id = Some("me".into());
        let paths: Vec<String> = read(&request)
            .unwrap_err()
            .into_iter()
            .map(|(_, p)| p)
            .collect();
        assert_eq!(paths, ["authorId", "states", "price", "sort"]);
    }

    // contract: search S45
    #[test]
    fn a_time_window_includes_its_start_and_excludes_its_end() {
        let request = pb::QueryListingsRequest {
            created_at_start_ms: Some(10),
            created_at_end_ms: Some(20),
            ..Default::default()
        };
        let range = read(&request).unwrap().created_at.unwrap();
        assert!(range.contains(10) && range.contains(19) && !range.contains(20));
    }

    #[test]
    fn everybody_is_given_no_choice_of_states() {
        let request = pb::QueryListingsRequest {
            states: strings(&["draft", "nonsense"]),
            ..Default::default()
        };
        let (query, _) = parse(&request, Audience::Public, &schemas()).unwrap();
        assert_eq!(query.states, None);
    }
}
