//! Section `keys`.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Key material of a process, as files that only their owner may read.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// Ed25519 key (PKCS#8 PEM) that signs the internal tokens of this process.
    pub identity: Option<PathBuf>,
    /// Folder with the public keys (SPKI PEM) of all processes: `<process>.pub`, and
    /// `<process>.<anything>.pub` while a key is replaced. Read again when it changes.
    pub trusted: Option<PathBuf>,
    /// 32 bytes that encrypt what must be read back, the signing keys among it; `auth` needs it.
    /// It belongs outside of every database and every backup.
    pub master: Option<PathBuf>,
}
