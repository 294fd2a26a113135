//! Mails as files, for development and tests.

use super::Outcome;
use crate::mail::Outgoing;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use stoa_types::id::UserId;
use uuid::Uuid;

/// Begins a file with the person it goes to, by whom it is found again when the person is deleted.
const RECIPIENT: &str = "X-Stoa-Recipient: ";

/// A folder with one `.eml` file per mail, which only its owner may read: mails hold tokens.
pub struct Folder(PathBuf);

impl Folder {
    /// The folder; it is made when the first mail comes.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    pub(super) async fn deliver(&self, id: Uuid, person: UserId, mail: &Outgoing) -> Outcome {
        let folder = self.0.clone();
        let mut bytes = format!("{RECIPIENT}{person}\r\n").into_bytes();
        bytes.extend_from_slice(&mail.bytes);
        let written = tokio::task::spawn_blocking(move || write(&folder, id, &bytes)).await;
        match written {
            Ok(Ok(())) => Outcome::Accepted,
            Ok(Err(error)) => Outcome::Unreachable(format!("outbox: {}", error.kind())),
            Err(_) => Outcome::Unreachable("outbox: the write failed".to_owned()),
        }
    }
}

impl Folder {
    /// Removes the mails of a person; gives their number.
    ///
    /// # Errors
    /// Those of the files.
    pub(super) async fn erase(&self, person: UserId) -> io::Result<usize> {
        let folder = self.0.clone();
        let erased = tokio::task::spawn_blocking(move || erase(&folder, person)).await;
        erased.map_err(io::Error::other)?
    }
}

fn erase(folder: &Path, person: UserId) -> io::Result<usize> {
    let begin = format!("{RECIPIENT}{person}\r\n").into_bytes();
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    let mut erased = 0;
    for entry in entries {
        let path = entry?.path();
        let mut first = vec![0; begin.len()];
        let mut file = match std::fs::File::open(&path) {
            Ok(file) => file,
            // Another service has just given its mail the name it stays under.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        if file.read_exact(&mut first).is_ok() && first == begin {
            std::fs::remove_file(&path)?;
            erased += 1;
        }
    }
    Ok(erased)
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

    fn someone() -> UserId {
        UserId::new(Uuid::from_u128(9))
    }

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
            let outcome = transport.deliver(id, someone(), &mail(text)).await;
            assert_eq!(outcome, Outcome::Accepted);
        }
        let files: Vec<_> = std::fs::read_dir(&outbox).unwrap().collect();
        assert_eq!(files.len(), 1);
        let file = outbox.join(format!("{id}.eml"));
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(text, format!("X-Stoa-Recipient: {}\r\nsecond", someone()));
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
        let outcome = Folder::new(file)
            .deliver(Uuid::nil(), someone(), &mail("x"))
            .await;
        assert!(matches!(outcome, Outcome::Unreachable(_)));
    }

    // contract: security S46 (dev mailbox)
    #[tokio::test]
    async fn a_deleted_persons_mails_leave_the_folder_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let transport = Folder::new(folder.path().join("outbox"));
        let other = UserId::new(Uuid::from_u128(8));
        assert_eq!(
            transport.erase(other).await.unwrap(),
            0,
            "there is no folder yet"
        );
        for (id, person) in [(1, someone()), (2, someone()), (3, other)] {
            transport
                .deliver(Uuid::from_u128(id), person, &mail("x"))
                .await;
        }
        assert_eq!(transport.erase(someone()).await.unwrap(), 2);
        assert_eq!(transport.erase(someone()).await.unwrap(), 0);
        assert_eq!(transport.erase(other).await.unwrap(), 1);
    }
}
