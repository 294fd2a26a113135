//! Clients that hold connections and say little.

use super::stage::under_load;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use stoa_testkit::cluster::Setup;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

const SLOW: usize = 1_000;
const IDLE: usize = 10_000;

/// Lets this process, and those that it starts, hold so many connections.
fn allow_files(files: usize) {
    let pid = std::process::id().to_string();
    let done = Command::new("prlimit")
        .args(["--pid", &pid, &format!("--nofile={files}:{files}")])
        .output()
        .expect("prlimit (util-linux) is there");
    assert!(
        done.status.success(),
        "{files} open files are not allowed here: {}",
        String::from_utf8_lossy(&done.stderr)
    );
}

async fn open(addresses: &[SocketAddr], count: usize) -> Vec<TcpStream> {
    let mut streams = Vec::with_capacity(count);
    for at in 0..count {
        let stream = TcpStream::connect(addresses[at % addresses.len()]).await;
        streams.push(stream.unwrap_or_else(|error| panic!("connection {at}: {error}")));
    }
    streams
}

// Fault 12.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_slow_and_idle_connections_leave_room_for_others() {
    allow_files(SLOW + IDLE + 4_000);
    let setup = Setup {
        links: false,
        ..Setup::doubled()
    };
    under_load(
        12,
        "1,000 slow and 10,000 idle connections",
        setup,
        async |stage, _| {
            let gateways = stage.cluster.replicas("gateway");
            let addresses: Vec<SocketAddr> = gateways.iter().map(|part| part.public()).collect();
            stage
                .trouble(async {
                    let idle = open(&addresses, IDLE).await;
                    let mut slow = open(&addresses, SLOW).await;
                    let request =
                        b"GET /v1/api/marketplace/show HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";
                    for stream in &mut slow {
                        stream.write_all(&request[..20]).await.unwrap();
                    }
                    for byte in &request[20..26] {
                        for stream in &mut slow {
                            // The server may have had enough.
                            let _ = stream.write_all(&[*byte]).await;
                        }
                        stage.lasting(Duration::from_secs(1)).await;
                    }
                    drop((idle, slow));
                })
                .await;
        },
    )
    .await;
}
