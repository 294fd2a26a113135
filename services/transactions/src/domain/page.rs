//! Which page of a query.

use super::bad_query;
use stoa_proto::types as pb;
use stoa_types::Problem;

/// Most items of a page, and how many there are when nobody asks.
const MAX_PER_PAGE: u32 = 100;

/// A page within bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    page: u32,
    per_page: u32,
}

impl PageRequest {
    /// Checks the page that was asked for; the first hundred when none was. What is wrong goes to
    /// `found`.
    pub(crate) fn read(page: Option<&pb::Page>, found: &mut Vec<Problem>) -> Self {
        let Some(asked) = page else {
            return Self {
                page: 1,
                per_page: MAX_PER_PAGE,
            };
        };
        if asked.page == 0 {
            found.push(bad_query("page", "must be at least 1"));
        }
        if !(1..=MAX_PER_PAGE).contains(&asked.per_page) {
            found.push(bad_query("perPage", "must be from 1 to 100"));
        }
        Self {
            page: asked.page,
            per_page: asked.per_page,
        }
    }

    /// How many rows a page has.
    pub(crate) fn limit(self) -> i64 {
        i64::from(self.per_page)
    }

    /// How many rows come before the page.
    pub(crate) fn offset(self) -> i64 {
        (i64::from(self.page) - 1) * i64::from(self.per_page)
    }

    /// What the answer says about its pages.
    pub(crate) fn meta(self, total_items: i64) -> pb::PageMeta {
        pb::PageMeta {
            total_items: u64::try_from(total_items).unwrap_or(0),
            page: self.page,
            per_page: self.per_page,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: transactions T12
    #[test]
    fn pages_count_from_one_and_hold_at_most_a_hundred() {
        let read = |page, per_page| {
            let mut found = Vec::new();
            let page = PageRequest::read(Some(&pb::Page { page, per_page }), &mut found);
            (page, found.len())
        };
        assert_eq!(read(3, 10).0.offset(), 20);
        assert_eq!(
            read(u32::MAX, 100),
            (
                PageRequest {
                    page: u32::MAX,
                    per_page: 100
                },
                0
            )
        );
        for (page, per_page, wrong) in [(0, 10, 1), (1, 101, 1), (0, 0, 2)] {
            assert_eq!(read(page, per_page).1, wrong);
        }
        assert_eq!(PageRequest::read(None, &mut Vec::new()).limit(), 100);
    }
}
