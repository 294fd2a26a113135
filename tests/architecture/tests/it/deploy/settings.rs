//! Settings of manifests, read as the binary reads them.

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};
use stoa_config::Config;

/// The configuration that a file and variables make; unknown keys and wrong kinds of values are
/// errors. Unlike the binary it does not open the files that keys name.
pub(crate) fn read(file: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let mut figment =
        Figment::from(Serialized::defaults(Config::default())).merge(Toml::string(file));
    for (name, value) in variables {
        let key = name
            .strip_prefix("STOA_")
            .filter(|key| key.contains("__"))
            .ok_or_else(|| format!("{name} is no variable of a section"))?;
        let key = key.to_lowercase().replace("__", ".");
        figment = figment.merge(Serialized::default(&key, value));
    }
    figment.extract().map_err(|error| error.to_string())
}

#[test]
fn unknown_keys_and_variables_are_refused() {
    assert!(read("[http]\nlissten = \"a\"\n", &[]).is_err());
    assert!(read("", &[("STOA_HTTP__LISSTEN", "a")]).is_err());
    assert!(read("", &[("STOA_DATA", "a")]).is_err());
    let config = read("", &[("STOA_KEYS__MASTER", "/a")]).unwrap();
    assert_eq!(config.keys.master.unwrap().to_str(), Some("/a"));
}
