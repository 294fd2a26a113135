//! Mails as files, for development and tests.

use super::Outcome;
use crate::mail::Outgoing;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use uuid::Uuid;

/// A folder with one `.eml` file per mail, which only its owner may read: mails hold tokens.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder; it is made when the first mail comes.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(super) async fn deliver(&self, id: Uuid, mail: &Outgoing) -> Outcome {
        let (folder, bytes) = (self.0.clone(), mail.bytes.clone());
        let written = tokio::task::spawn_blocking(move || write(&folder, id, &bytes)).await;
        match written {
            Ok(Ok(())) => Outcome::Accepted,
            Ok(Err(error)) => Outcome::Unreachable(format!("outbox: {}", error.kind())),
            Err(_) => Outcome::Unreachable("outbox: the write failed".to_owned()),
        }
    }
}

/// Writes `<id>.eml`: whole, or not at all. The same mail again is the same file.
fn write(folder: &Path, id: Uuid, bytes: &[u8]) -> io::Result<()> {
    let mut making = std::fs::DirBuilder::new();
    making.recursive(true);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        making.mode(0o700);
        options.mode(0o600);
    }
    making.create(folder)?;
    let part = folder.join(format!(".{id}.part"));
    let mut file = options.open(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&part, folder.join(format!("{id}.eml")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str) -> Outgoing {
        let address: lettre::Address = "a@b.c".parse().unwrap();
        Outgoing {
            from: address.clone(),
            to: address,
            bytes: text.into(),
        }
    }

    // contract: security S71 (mode of mailbox files)
    #[tokio::test]
    async fn a_mail_is_one_file_that_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().join("outbox");
        let transport = Folder::new(&outbox);
        let id = Uuid::from_u128(7);
        for text in ["first", "second"] {
            assert_eq!(transport.deliver(id, &mail(text)).await, Outcome::Accepted);
        }
        let files: Vec<_> = std::fs::read_dir(&outbox).unwrap().collect();
        assert_eq!(files.len(), 1);
        let file = outbox.join(format!("{id}.eml"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&outbox), mode(&file)), (0o700, 0o600));
        }
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_loses_no_mail() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let outcome = Folder::new(file).deliver(Uuid::nil(), &mail("x")).await;
        assert!(matches!(outcome, Outcome::Unreachable(_)));
    }
}
