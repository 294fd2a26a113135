//! One file, encrypted or plain, with its checksum.

use super::manifest::Stored;
use anyhow::{Context as _, bail};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Ending of encrypted files.
const ENDING: &str = ".age";

/// How the files of a backup are written.
pub struct Sealer(Vec<age::x25519::Recipient>);

impl Sealer {
    /// Encrypts for these recipients (`age1...`); each of their identities alone opens it.
    ///
    /// # Errors
    /// When there is none, or one is no such key.
    pub fn for_recipients(recipients: &[String]) -> anyhow::Result<Self> {
        if recipients.is_empty() {
            bail!("a backup is encrypted for somebody, or plain by request");
        }
        let read = |text: &String| {
            text.trim()
                .parse()
                .map_err(|why| anyhow::anyhow!("{text}: not a recipient of age: {why}"))
        };
        recipients
            .iter()
            .map(read)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Encrypts nothing.
    pub const fn plain() -> Self {
        Self(Vec::new())
    }

    /// For whom it encrypts; nobody: it does not.
    pub fn recipients(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Writes the file into a folder of a backup, durably.
    pub(super) fn store(&self, from: &Path, folder: &Path) -> anyhow::Result<Stored> {
        let holds = from
            .file_name()
            .and_then(|name| name.to_str())
            .context("a file without a name")?;
        let ending = if self.0.is_empty() { "" } else { ENDING };
        let name = format!("{holds}{ending}");
        let to = folder.join(&name);
        let (bytes, sha256) = self
            .write(from, &to)
            .with_context(|| format!("{} cannot be written", to.display()))?;
        Ok(Stored {
            name,
            holds: holds.to_owned(),
            bytes,
            sha256,
        })
    }

    fn write(&self, from: &Path, to: &Path) -> anyhow::Result<(u64, String)> {
        let mut from = BufReader::new(File::open(from)?);
        let to = Summed::new(BufWriter::new(private(to)?));
        let done = if self.0.is_empty() {
            let mut to = to;
            io::copy(&mut from, &mut to)?;
            to
        } else {
            let recipients = self
                .0
                .iter()
                .map(|recipient| recipient as &dyn age::Recipient);
            let mut sealing = age::Encryptor::with_recipients(recipients)?.wrap_output(to)?;
            io::copy(&mut from, &mut sealing)?;
            sealing.finish()?
        };
        let (file, bytes, sha256) = done.finish();
        file.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        Ok((bytes, sha256))
    }
}

/// How the files of a backup are read.
pub struct Opener(Vec<Box<dyn age::Identity>>);

impl Opener {
    /// Opens plain files only.
    pub const fn plain() -> Self {
        Self(Vec::new())
    }

    /// With the identities of a file (`AGE-SECRET-KEY-1...`).
    ///
    /// # Errors
    /// When the file cannot be read or holds none.
    pub fn with_identities(file: &Path) -> anyhow::Result<Self> {
        let text = file.display();
        let path = file
            .to_str()
            .with_context(|| format!("{text}: not UTF-8"))?;
        let identities = age::IdentityFile::from_file(path.to_owned())
            .with_context(|| format!("{text}: no identities of age"))?
            .into_identities()
            .map_err(|why| anyhow::anyhow!("{text}: {why}"))?;
        if identities.is_empty() {
            bail!("{text}: no identities of age");
        }
        Ok(Self(identities))
    }

    /// Writes what a file of a backup holds, for its owner alone.
    ///
    /// # Errors
    /// When no identity opens it, and those of the files.
    pub(crate) fn open(&self, from: &Path, to: &Path) -> anyhow::Result<()> {
        let mut to = BufWriter::new(private(to)?);
        let file = BufReader::new(File::open(from)?);
        if from.extension().is_some_and(|ending| ending == "age") {
            if self.0.is_empty() {
                bail!("the backup is encrypted: --identity must name the file of an age identity");
            }
            let sealed = age::Decryptor::new_buffered(file)?;
            let identities = self.0.iter().map(|identity| &**identity);
            let mut plain = sealed
                .decrypt(identities)
                .context("none of the identities opens the backup")?;
            io::copy(&mut plain, &mut to)?;
        } else {
            let mut file = file;
            io::copy(&mut file, &mut to)?;
        }
        to.into_inner()
            .map_err(io::IntoInnerError::into_error)?
            .sync_all()?;
        Ok(())
    }
}

/// A new file that only its owner may read.
fn private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Length and SHA-256 of a file.
pub(super) fn checksum(path: &Path) -> io::Result<(u64, String)> {
    let mut file = BufReader::new(File::open(path)?);
    let mut sum = Summed::new(io::sink());
    io::copy(&mut file, &mut sum)?;
    let (_, bytes, sha256) = sum.finish();
    Ok((bytes, sha256))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // A String takes everything.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Counts and sums up what goes through.
struct Summed<W> {
    inner: W,
    digest: Sha256,
    bytes: u64,
}

impl<W: Write> Summed<W> {
    fn new(inner: W) -> Self {
        Self {
            inner,
            digest: Sha256::new(),
            bytes: 0,
        }
    }

    fn finish(self) -> (W, u64, String) {
        (self.inner, self.bytes, hex(&self.digest.finalize()))
    }
}

impl<W: Write> Write for Summed<W> {
    fn write(&mut self, part: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(part)?;
        let done = part.get(..written).unwrap_or(part);
        self.digest.update(done);
        self.bytes += done.len() as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
