//! Free ports of loopback, known before a process listens on them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::ops::Range;
use stoa_types::{Entropy as _, OsEntropy};

/// Below the ports that the system gives to outgoing connections, so that none of them takes one
/// while a process is down.
const RANGE: Range<u16> = 10_000..32_000;

/// A port that nobody listens on. Taken at random, so that clusters that start at the same time do
/// not meet.
pub(crate) fn free() -> SocketAddr {
    for _ in 0..1_000 {
        let random = OsEntropy.uuid().as_u128();
        let span = u128::from(RANGE.end - RANGE.start);
        let port = RANGE.start + u16::try_from(random % span).expect("within the range");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("there is no free port");
}
