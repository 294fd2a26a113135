//! A cluster for tests that are not written in Rust: prints `credentials.json` in one line once
//! everything is ready, obeys commands on standard input, each answered by one line, and ends in
//! order at its end or at SIGTERM.
//!
//! Commands: `restart` (all, one after the other), `restart <service> <replica>`,
//! `kill|start|stop|hold|go-on <service> <replica>`, `shift <ms>` (all clocks; needs `--clocks`),
//! `advance <seconds>` (timers that are due in that time run now), `settle`.
//!
//! `stoa-cluster relay <port> <socket>` passes connections on to the server at that path until it is
//! killed: the far end of a `cluster::Wire`.

use serde_json::{Value, json};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::ExitCode;
use stoa_testkit::cluster::{Cluster, Part, Setup};
use tokio::io::{AsyncBufReadExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("threads can be started");
    let code = runtime.block_on(run());
    // Standard input is read by a thread that nothing else could stop.
    runtime.shutdown_background();
    code
}

async fn run() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [verb, port, server] = words.as_slice()
        && verb == "relay"
    {
        return relay(port, server).await;
    }
    let setup = match setup(std::env::args().skip(1)) {
        Ok(setup) => setup,
        Err(bad) => {
            let _ = writeln!(
                std::io::stderr(),
                "stoa-cluster: {bad}\nusage: stoa-cluster [--replicas N] [--gateways N] [--tls] [--clocks]"
            );
            return ExitCode::from(2);
        }
    };
    let mut terminate = signal(SignalKind::terminate()).expect("signals can be heard");
    let cluster = Cluster::start(setup).await;
    say(&credentials(&cluster));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        let line = tokio::select! {
            line = lines.next_line() => line,
            _ = terminate.recv() => break,
        };
        let Ok(Some(line)) = line else { break };
        let words: Vec<&str> = line.split_whitespace().collect();
        match obey(&cluster, &words).await {
            Ok(answer) => say(&answer),
            Err(why) => say(&json!({ "error": why })),
        }
    }
    cluster.stop().await;
    ExitCode::SUCCESS
}

async fn relay(port: &str, server: &str) -> ExitCode {
    let port = port.parse().expect("a port");
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    let listener = listener.expect("the port is free");
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((caller, _)) = accepted {
                connections.spawn(pass_on(caller, server.to_owned()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn pass_on(mut caller: TcpStream, server: String) -> std::io::Result<()> {
    caller.set_nodelay(true)?;
    let mut server = UnixStream::connect(server).await?;
    copy_bidirectional(&mut caller, &mut server).await.map(drop)
}

fn setup(mut arguments: impl Iterator<Item = String>) -> Result<Setup, String> {
    let mut setup = Setup::default();
    while let Some(argument) = arguments.next() {
        let mut number = || {
            let text = arguments.next().unwrap_or_default();
            let number = text.parse::<usize>().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("{argument} {text}: a number is missing"))
        };
        match argument.as_str() {
            "--replicas" => setup.replicas = number()?,
            "--gateways" => setup.gateways = number()?,
            "--tls" => setup.tls = true,
            "--clocks" => setup.clocks = true,
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(setup)
}

/// What a client needs; `gateways` names the addresses of all gateways, `parts` those of the
/// services.
fn credentials(cluster: &Cluster) -> Value {
    let mut credentials = cluster.credentials(0);
    let gateways = cluster.replicas("gateway").len();
    let urls: Vec<Value> = (0..gateways)
        .map(|gateway| cluster.credentials(gateway)["baseUrl"].clone())
        .collect();
    credentials["gateways"] = urls.into();
    credentials["folder"] = json!(cluster.folder());
    credentials
}

async fn obey(cluster: &Cluster, words: &[&str]) -> Result<Value, String> {
    match words {
        ["restart"] => {
            for part in cluster.parts() {
                part.restart().await;
            }
        }
        ["settle"] => cluster.settle().await,
        ["advance", seconds] => {
            let seconds = number(seconds)?;
            let statement = format!(
                "UPDATE transactions.timers SET due_at = due_at - {} WHERE status = 'scheduled'",
                seconds * 1000
            );
            let done = cluster.databases().execute(&statement).await;
            done.map_err(|error| error.to_string())?;
            cluster.settle().await;
        }
        ["shift", ms] => {
            cluster.shift_clocks(number(ms)?);
        }
        [verb, service, replica] => {
            let part = part(cluster, service, replica)?;
            match *verb {
                "kill" => part.kill(),
                "start" => {
                    part.start();
                    part.ready().await;
                }
                "stop" => {
                    part.terminate();
                    part.ended().await;
                }
                "restart" => part.restart().await,
                "hold" => part.hold(),
                "go-on" => part.go_on(),
                other => return Err(format!("{other} is not known")),
            }
        }
        other => return Err(format!("{other:?} is not known")),
    }
    Ok(json!({ "done": words.join(" ") }))
}

fn number(text: &str) -> Result<i64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn part<'a>(cluster: &'a Cluster, service: &str, replica: &str) -> Result<&'a Part, String> {
    let parts = cluster.replicas(service);
    let at = replica.parse::<usize>().ok();
    at.and_then(|at| parts.get(at).copied())
        .ok_or_else(|| format!("there is no {service} {replica}"))
}

/// One line to standard output.
fn say(value: &Value) {
    let mut out = std::io::stdout();
    let _ = writeln!(out, "{value}").and_then(|()| out.flush());
}
