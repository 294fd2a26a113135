//! `processAlias` of the API: a process and one of its aliases.

/// The two parts of `default-booking/release-1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessAlias {
    /// The name of the process.
    pub(crate) process: String,
    /// The alias.
    pub(crate) alias: String,
}

impl ProcessAlias {
    /// Reads `<process>/<alias>`; nothing for any other text, which then names no alias.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (process, alias) = text.split_once('/')?;
        let good = |part: &str| !part.is_empty() && !part.contains(['/', '\0']);
        (good(process) && good(alias)).then(|| Self {
            process: process.to_owned(),
            alias: alias.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_has_two_parts() {
        let alias = ProcessAlias::parse("free-request/release-1").unwrap();
        assert_eq!(
            (alias.process.as_str(), alias.alias.as_str()),
            ("free-request", "release-1")
        );
        for bad in ["", "a", "a/", "/b", "a/b/c", "a/\0"] {
            assert_eq!(ProcessAlias::parse(bad), None, "{bad}");
        }
    }
}
