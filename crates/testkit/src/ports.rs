//! Free ports of loopback, known before a process listens on them.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use stoa_types::{Entropy as _, OsEntropy};

/// Below the ports that the system gives to outgoing connections, so that none of them takes one
/// while a process is down.
const RANGE: Range<u16> = 10_000..32_000;

/// Locks of the ports that this process has given out; they end with it.
static GIVEN: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port that nobody listens on, and that no other test is given as long as this process lives.
pub(crate) fn free() -> SocketAddr {
    let folder = std::env::temp_dir().join("stoa-test-ports");
    std::fs::create_dir_all(&folder).expect("a temporary folder can be made");
    for _ in 0..1_000 {
        let random = OsEntropy.uuid().as_u128();
        let span = u128::from(RANGE.end - RANGE.start);
        let port = RANGE.start + u16::try_from(random % span).expect("within the range");
        let lock = File::create(folder.join(port.to_string())).expect("a file can be made");
        if lock.try_lock().is_err() {
            continue;
        }
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
            given.push(lock);
            return address;
        }
    }
    panic!("there is no free port");
}
