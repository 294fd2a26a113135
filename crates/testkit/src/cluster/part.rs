//! One process of a cluster.

use super::clock::Clocks;
use super::guard::Guard;
use super::{PATIENCE, is_ready};
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// How often a start or an end is looked for.
const POLL: Duration = Duration::from_millis(10);
/// Characters of a log that a failure shows.
const TAIL: usize = 6_000;

/// What a process is started with.
pub(crate) struct Plan {
    pub(crate) binary: PathBuf,
    pub(crate) service: &'static str,
    pub(crate) name: String,
    pub(crate) config: PathBuf,
    pub(crate) data: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) public: Option<SocketAddr>,
    pub(crate) rpc: Option<SocketAddr>,
    pub(crate) management: SocketAddr,
    pub(crate) environment: Vec<(String, String)>,
}

/// One process: started, killed, stopped, held and started again.
pub struct Part {
    plan: Plan,
    group: i32,
    clock: Box<dyn Fn(&mut Command) + Send + Sync>,
    child: Mutex<Option<Child>>,
}

impl Part {
    pub(crate) fn new(plan: Plan, guard: &Guard, clocks: &Clocks) -> Self {
        // Written down once: the environment of a later start is the same.
        let mut template = Command::new("true");
        clocks.give(&plan.name, &mut template);
        let environment: Vec<_> = template
            .get_envs()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect();
        Self {
            group: guard.group(),
            clock: Box::new(move |command| {
                command.envs(environment.iter().cloned());
            }),
            child: Mutex::new(None),
            plan,
        }
    }

    /// `<service>-<number>`.
    pub fn name(&self) -> &str {
        &self.plan.name
    }

    /// The service.
    pub fn service(&self) -> &str {
        self.plan.service
    }

    /// Public address of a gateway.
    ///
    /// # Panics
    /// When it is no gateway.
    pub fn public(&self) -> SocketAddr {
        self.plan.public.expect("a gateway")
    }

    /// gRPC address of a service.
    ///
    /// # Panics
    /// When it is a gateway.
    pub fn rpc(&self) -> SocketAddr {
        self.plan.rpc.expect("a service")
    }

    /// Address of health and metrics.
    pub fn management(&self) -> SocketAddr {
        self.plan.management
    }

    /// Its configuration file.
    pub fn config(&self) -> &Path {
        &self.plan.config
    }

    /// Starts the process; one that runs is left alone.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(&self) {
        let mut child = self.child();
        if let Some(running) = child.as_mut()
            && running.try_wait().expect("a child").is_none()
        {
            return;
        }
        let log = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&self.plan.log)
            .expect("the log can be opened");
        let mut command = Command::new(&self.plan.binary);
        command
            .args(["serve", self.plan.service, "--config"])
            .arg(&self.plan.config)
            .arg("--data")
            .arg(&self.plan.data)
            .envs(self.plan.environment.iter().cloned())
            .process_group(self.group)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log);
        (self.clock)(&mut command);
        *child = Some(command.spawn().expect("the binary can be started"));
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// When it ends, or is not ready in time; says what it wrote.
    pub async fn ready(&self) {
        let until = Instant::now() + PATIENCE;
        let base_url = format!("http://{}", self.plan.management);
        loop {
            let ended = {
                let mut child = self.child();
                child.as_mut().and_then(|c| c.try_wait().expect("a child"))
            };
            if let Some(status) = ended {
                panic!("{} ended: {status}\n{}", self.plan.name, self.tail());
            }
            if is_ready(&base_url).await {
                return;
            }
            assert!(
                Instant::now() < until,
                "{} is not ready:\n{}",
                self.plan.name,
                self.tail()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Whether it says that it is ready.
    pub async fn is_ready(&self) -> bool {
        is_ready(&format!("http://{}", self.plan.management)).await
    }

    /// Process id.
    pub fn pid(&self) -> Option<u32> {
        self.child().as_ref().map(Child::id)
    }

    /// Kills it at once (SIGKILL), as a crash would, and waits for its end.
    pub fn kill(&self) {
        if let Some(mut child) = self.child().take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to stop (SIGTERM).
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Holds it (SIGSTOP): it keeps its connections and says nothing.
    pub fn hold(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    /// Waits for the end of a process that was asked to stop; nothing when none runs.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(&self) -> Option<ExitStatus> {
        let until = Instant::now() + PATIENCE;
        loop {
            {
                let mut child = self.child();
                let status = child.as_mut()?.try_wait().expect("a child");
                if status.is_some() {
                    *child = None;
                    return status;
                }
            }
            assert!(
                Instant::now() < until,
                "{} does not end:\n{}",
                self.plan.name,
                self.tail()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops it in order, waits, starts it again and waits until it is ready.
    ///
    /// # Panics
    /// When it ends badly, or is not ready in time.
    pub async fn restart(&self) {
        self.terminate();
        let status = self.ended().await.expect("it ran");
        assert_eq!(status.code(), Some(0), "{}: {}", self.name(), self.tail());
        self.start();
        self.ready().await;
    }

    /// What the process has written, also before its last start.
    pub fn log(&self) -> String {
        let bytes = std::fs::read(&self.plan.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The end of what it has written.
    pub fn tail(&self) -> String {
        let log = self.log();
        let skipped = log.chars().count().saturating_sub(TAIL);
        log.chars().skip(skipped).collect()
    }

    fn signal(&self, name: &str) {
        let Some(pid) = self.pid() else { return };
        let _ = Command::new("kill")
            .args([format!("-{name}"), pid.to_string()])
            .stderr(Stdio::null())
            .status();
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.kill();
    }
}
