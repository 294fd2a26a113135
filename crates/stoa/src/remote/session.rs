//! The login that `stoa api` keeps: a file that nobody else may read.

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use stoa_types::{Clock as _, SystemClock};

/// An operator's session at an installation.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Session {
    /// Where the installation is, without a slash at the end.
    pub(super) url: String,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
    /// When the access token is over, in seconds.
    pub(super) expires_s: i64,
}

impl std::fmt::Debug for Session {
    /// Without the tokens.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Session({})", self.url)
    }
}

impl Session {
    /// Of the answer of the token endpoint.
    pub(super) fn of(url: &str, answer: &Value) -> anyhow::Result<Self> {
        let text = |name: &str| {
            let value = answer[name].as_str();
            value
                .map(str::to_owned)
                .with_context(|| format!("the answer has no {name}"))
        };
        let life_s = answer["expires_in"].as_i64().unwrap_or(0);
        Ok(Self {
            url: url.to_owned(),
            access_token: text("access_token")?,
            refresh_token: text("refresh_token")?,
            expires_s: SystemClock.now().as_secs() + life_s,
        })
    }
}

/// Where a session is kept.
pub(super) struct SessionFile(PathBuf);

impl SessionFile {
    /// At that path, or where programs keep such things for whoever is logged in.
    pub(super) fn at(path: Option<PathBuf>) -> anyhow::Result<Self> {
        if let Some(path) = path {
            return Ok(Self(path));
        }
        let folder = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let config = match (folder("XDG_CONFIG_HOME"), folder("HOME")) {
            (Some(config), _) => PathBuf::from(config),
            (None, Some(home)) => Path::new(&home).join(".config"),
            (None, None) => anyhow::bail!("--session: no home folder is known"),
        };
        Ok(Self(config.join("stoa").join("session.json")))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The session that is kept, if any.
    ///
    /// # Errors
    /// A file that others may read is not trusted.
    pub(super) fn read(&self) -> anyhow::Result<Option<Session>> {
        let path = self.0.display();
        let file = match File::open(&self.0) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).with_context(|| format!("{path} cannot be read")),
        };
        let mode = file.metadata().context("no mode")?.mode() & 0o777;
        anyhow::ensure!(
            mode & 0o077 == 0,
            "{path} can be read by others (mode {mode:o}): remove it and log in again"
        );
        let session = serde_json::from_reader(file)
            .ok()
            .with_context(|| format!("{path} holds no session: remove it and log in again"))?;
        Ok(Some(session))
    }

    /// Keeps a session: whole or not at all, mode 0600 from its first byte on.
    pub(super) fn write(&self, session: &Session) -> anyhow::Result<()> {
        let failed = || format!("{} cannot be written", self.0.display());
        if let Some(folder) = self
            .0
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .with_context(failed)?;
        }
        let next = self
            .0
            .with_extension(format!("{}.part", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)
            .with_context(failed)?;
        let json = serde_json::to_vec_pretty(session).context("a session is JSON")?;
        file.write_all(&json).with_context(failed)?;
        file.sync_all().with_context(failed)?;
        fs::rename(&next, &self.0).with_context(failed)
    }

    /// Forgets the session.
    pub(super) fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{} cannot be removed", self.0.display()))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_session_is_kept_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("session.json");
        let file = SessionFile::at(Some(path.clone())).unwrap();
        assert!(file.read().unwrap().is_none());
        let answer = serde_json::json!({
            "access_token": "a", "refresh_token": "srt_r", "expires_in": 900,
        });
        let session = Session::of("http://127.0.0.1:1", &answer).unwrap();
        assert!(!format!("{session:?}").contains("srt_"));
        file.write(&session).unwrap();
        file.write(&session).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(file.read().unwrap().unwrap().refresh_token, "srt_r");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            file.read()
                .unwrap_err()
                .to_string()
                .contains("can be read by others")
        );
        file.remove().unwrap();
        file.remove().unwrap();
        assert!(file.read().unwrap().is_none());
    }
}
