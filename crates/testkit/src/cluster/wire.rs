//! A wire to PostgreSQL on which packets vanish: nobody is told, no connection ends, and the kernel
//! sends again later and later.
//!
//! A pair of network devices with one end in a network namespace of its own, in which a relay
//! passes everything on to the server. Packets vanish because they are sent to a hardware address
//! that nobody has. Namespace and devices are gone with the relay. Needs Linux, root, `ip`,
//! `unshare` and `nsenter`, a server on a socket, and `STOA_CLUSTER_BIN`, which plays the relay.

use super::Weather;
use super::guard::Guard;
use crate::link::Target;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use stoa_types::{Entropy as _, OsEntropy};

/// The relay's port.
const PORT: u16 = 5432;
/// An address of hardware that is nobody's.
const NOBODY: &str = "02:00:00:00:00:99";
/// How often the relay is asked whether it listens, and for how long.
const POLL: Duration = Duration::from_millis(20);
const TRIES: u32 = 500;

/// The wire of a cluster.
pub struct Wire {
    relay: Child,
    /// The end at the services, and the one at the server.
    ends: [End; 2],
}

struct End {
    device: String,
    address: Ipv4Addr,
}

impl Wire {
    /// Whether this machine lets us make one.
    pub fn is_possible() -> bool {
        run(Command::new("unshare").args(["-n", "ip", "link", "show"])).is_ok()
            && run(Command::new("nsenter").arg("--version")).is_ok()
    }

    /// Lays a wire to the server.
    pub(super) fn lay(guard: &Guard, server: &Target) -> io::Result<Self> {
        let relay = std::env::var_os("STOA_CLUSTER_BIN").ok_or_else(|| {
            io::Error::other("STOA_CLUSTER_BIN must hold the path of stoa-cluster")
        })?;
        let Target::Unix(server) = server else {
            return Err(io::Error::other(
                "a server on loopback is not seen from a namespace",
            ));
        };
        let relay = Command::new("unshare")
            .arg("-n")
            .arg(relay)
            .args(["relay", &PORT.to_string()])
            .arg(server)
            .process_group(guard.group())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let [a, b, c, d, ..] = *OsEntropy.uuid().as_bytes();
        let end = |which: u8| End {
            device: format!("st{a:02x}{b:02x}{c:02x}{d:02x}{which}"),
            // For tests of networks between two machines; a net of four addresses.
            address: Ipv4Addr::new(198, 18, a, (b & !3) | which),
        };
        let wire = Self {
            relay,
            ends: [end(1), end(2)],
        };
        wire.set_up()?;
        Ok(wire)
    }

    fn set_up(&self) -> io::Result<()> {
        let [here, there] = &self.ends;
        let namespace = self.relay.id().to_string();
        // `unshare` has not left our namespace at once; until then the devices would be ours.
        let ours = std::fs::read_link("/proc/self/ns/net")?;
        let theirs = format!("/proc/{namespace}/ns/net");
        wait_until(|| std::fs::read_link(&theirs).is_ok_and(|theirs| theirs != ours))?;
        ip(&format!(
            "link add {} type veth peer name {} netns {namespace}",
            here.device, there.device
        ))?;
        for (at, End { device, address }) in self.ends.iter().enumerate() {
            self.ip_at(at, &format!("addr add {address}/30 dev {device}"))?;
            self.ip_at(at, &format!("link set {device} up"))?;
        }
        let address = self.address();
        wait_until(|| std::net::TcpStream::connect_timeout(&address, POLL).is_ok())
    }

    /// Where services find the server.
    pub(super) fn address(&self) -> SocketAddr {
        (self.ends[1].address, PORT).into()
    }

    /// Changes what the wire does to packets: [`Weather::Fair`], [`Weather::Hole`], and one-way
    /// [`Weather::Deaf`] (those to the server vanish) and [`Weather::Mute`] (those from it).
    ///
    /// # Panics
    /// For what a wire cannot do.
    pub fn set(&self, weather: Weather) {
        let lost = match weather {
            Weather::Fair => [false, false],
            Weather::Hole => [true, true],
            Weather::Deaf => [true, false],
            Weather::Mute => [false, true],
            Weather::Cut | Weather::Slow(_) => panic!("{weather:?} is nothing that a wire does"),
        };
        for (at, lost) in lost.into_iter().enumerate() {
            let (device, to) = (&self.ends[at].device, self.ends[1 - at].address);
            let done = if lost {
                let neighbour = format!("neigh replace {to} lladdr {NOBODY} dev {device}");
                self.ip_at(at, &format!("{neighbour} nud permanent"))
            } else {
                // There may be none.
                let _ = self.ip_at(at, &format!("neigh del {to} dev {device}"));
                Ok(())
            };
            done.expect("the neighbours of a device can be set");
        }
    }

    fn ip_at(&self, end: usize, words: &str) -> io::Result<()> {
        if end == 0 {
            return ip(words);
        }
        let relay = self.relay.id().to_string();
        let mut command = Command::new("nsenter");
        command.args(["-t", &relay, "-n", "ip"]);
        run(command.args(words.split(' ')))
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let _ = self.relay.kill();
        let _ = self.relay.wait();
    }
}

fn ip(words: &str) -> io::Result<()> {
    run(Command::new("ip").args(words.split(' ')))
}

fn run(command: &mut Command) -> io::Result<()> {
    let done = command.stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(io::Error::other(format!("{command:?}: {said}")))
}

fn wait_until(mut look: impl FnMut() -> bool) -> io::Result<()> {
    for _ in 0..TRIES {
        if look() {
            return Ok(());
        }
        std::thread::sleep(POLL);
    }
    Err(io::Error::other("the relay does not come up"))
}
