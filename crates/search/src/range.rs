//! Ranges of whole numbers as queries write them.

/// Numbers from `min` to `max`, both included; empty when `min` is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// Lowest.
    pub min: i64,
    /// Highest.
    pub max: i64,
}

/// The text is no range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be an integer or a range such as 10,20 whose end is not included")]
pub struct NotARange;

impl Range {
    /// Reads `n`, `from,`, `,to` or `from,to`; the end is not included. Nothing when the text
    /// restricts nothing (empty or `,`).
    ///
    /// # Errors
    /// [`NotARange`] for anything else.
    pub fn parse(text: &str) -> Result<Option<Self>, NotARange> {
        let number = |text: &str| match text {
            "" => Ok(None),
            _ if text.starts_with('+') => Err(NotARange),
            _ => text.parse::<i64>().map(Some).map_err(|_| NotARange),
        };
        let Some((from, to)) = text.split_once(',') else {
            return Ok(number(text)?.map(|n| Self { min: n, max: n }));
        };
        Ok(match (number(from)?, number(to)?) {
            (None, None) => None,
            (from, None) => Some(Self {
                min: from.unwrap_or(i64::MIN),
                max: i64::MAX,
            }),
            // Nothing lies below the lowest number.
            (_, Some(i64::MIN)) => Some(Self { min: 1, max: 0 }),
            (from, Some(to)) => Some(Self {
                min: from.unwrap_or(i64::MIN),
                max: to - 1,
            }),
        })
    }

    /// True for a number in the range.
    pub fn contains(self, n: i64) -> bool {
        self.min <= n && n <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // contract: search S1, S2, S3
    #[test]
    fn the_end_of_a_range_is_not_included() {
        let hits = |text: &str| {
            let range = Range::parse(text).unwrap().unwrap();
            [1999, 2000, 9999, 10_000]
                .into_iter()
                .filter(|n| range.contains(*n))
                .collect::<Vec<_>>()
        };
        assert_eq!(hits("2000,10000"), [2000, 9999]);
        assert_eq!(hits("2000"), [2000]);
        assert_eq!(hits(",2000"), [1999]);
        assert_eq!(hits("2000,"), [2000, 9999, 10_000]);
        assert_eq!(hits("5000,5000"), [0_i64; 0]);
        assert_eq!(hits("9000,100"), [0_i64; 0]);
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for bad in [
            "a",
            "1,2,3",
            "1.5",
            "1,b",
            "+1",
            " 1",
            "99999999999999999999",
        ] {
            assert_eq!(Range::parse(bad), Err(NotARange), "{bad}");
        }
        assert_eq!(Range::parse(""), Ok(None));
        assert_eq!(Range::parse(","), Ok(None));
        assert!(Range::parse("-5,0").unwrap().unwrap().contains(-5));
        let none = Range::parse(&format!(",{}", i64::MIN)).unwrap().unwrap();
        assert!(!none.contains(i64::MIN));
    }
}
