//! A PostgreSQL server for the tests: made, started, stopped and removed within one run.
//!
//! It listens on a Unix socket in its own folder, and elsewhere only when it is asked to. A shell stands guard over it: it waits for
//! the end of a pipe that this process holds, so the server is stopped and its folder removed
//! however this process ends, also by ctrl-c or SIGKILL.

use crate::install;
use anyhow::{Context, Result, bail};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Nothing of most tests needs to survive a crash of the machine.
const QUICK: &str = "-c fsync=off -c full_page_writes=off";

/// A server as in production, with little log, so that it fits on a small disk.
const DURABLE: &str = "-c fsync=on -c full_page_writes=on -c max_wal_size=48MB -c min_wal_size=32MB \
                       -c log_min_messages=warning";

/// What every server has.
const OPTIONS: &str = "-c max_connections=300 -c shared_buffers=64MB";

/// What a server is for.
#[derive(Clone, Debug, Default)]
pub struct Purpose {
    /// Commits survive `kill -9`, as in production.
    pub durable: bool,
    /// Folder in which the server's own is made; the temporary folder when nothing is said.
    pub within: Option<PathBuf>,
    /// A port of loopback too, where roles need TLS and their passwords.
    pub port: Option<Port>,
}

/// A port of loopback with TLS.
#[derive(Clone, Debug)]
pub struct Port {
    /// Its number.
    pub number: u16,
    /// The server's certificate (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
}

/// A server that runs until this value is dropped.
pub struct Postgres {
    /// Superuser URL of the server.
    pub url: String,
    user: User,
    programs: PathBuf,
    folder: PathBuf,
    options: String,
    number: u16,
    guard: Child,
}

impl Postgres {
    /// Makes and starts a server for tests that need no durability.
    ///
    /// # Errors
    /// What is missing, and what the server says.
    pub fn start() -> Result<Self> {
        Self::start_for(&Purpose::default())
    }

    /// Makes and starts a server.
    ///
    /// # Errors
    /// What is missing, and what the server says.
    pub fn start_for(purpose: &Purpose) -> Result<Self> {
        let programs = install::postgres()?;
        let user = User::choose()?;
        let mut folder = tempfile::Builder::new();
        folder.prefix("stoa-pg-");
        let folder = match &purpose.within {
            Some(within) => folder.tempdir_in(within)?,
            None => folder.tempdir()?,
        };
        user.give(folder.path())?;
        let data = folder.path().join("data");
        let (data_text, folder_text) = (text(&data)?, text(folder.path())?);
        println!("== PostgreSQL in {folder_text} ({})", text(&programs)?);
        let mut initdb = vec!["-D", data_text, "-U", "postgres", "--auth-local=trust"];
        initdb.extend([
            "--auth-host=scram-sha-256",
            "-E",
            "UTF8",
            "--no-locale",
            "-N",
        ]);
        if purpose.durable {
            // A small disk must hold more than one segment.
            initdb.push("--wal-segsize=4");
        }
        user.run(&programs.join("initdb"), &initdb)?;
        // From here on the folder is the guard's to remove.
        let guard = user.guard(&programs.join("pg_ctl"), data_text, folder_text)?;
        let folder = folder.keep();
        let kind = if purpose.durable { DURABLE } else { QUICK };
        let listen = match &purpose.port {
            None => "-c listen_addresses=''".to_owned(),
            Some(port) => {
                let (certificate, key) = (folder.join("server.pem"), folder.join("server.key"));
                std::fs::copy(&port.certificate, &certificate)?;
                std::fs::copy(&port.key, &key)?;
                std::fs::set_permissions(&key, Permissions::from_mode(0o600))?;
                user.give(&certificate)?;
                user.give(&key)?;
                format!(
                    "-c listen_addresses=127.0.0.1 -c port={} -c ssl=on -c ssl_cert_file={} \
                     -c ssl_key_file={}",
                    port.number,
                    text(&certificate)?,
                    text(&key)?
                )
            }
        };
        let number = purpose.port.as_ref().map_or(5432, |port| port.number);
        let postgres = Self {
            url: format!(
                "postgres://postgres@localhost:{number}/postgres?host={}",
                text(&folder)?
            ),
            options: format!("{OPTIONS} {kind} {listen} -k {}", text(&folder)?),
            number,
            user,
            programs,
            folder,
            guard,
        };
        postgres.run()?;
        Ok(postgres)
    }

    /// Starts the server, which must not be running.
    ///
    /// # Errors
    /// What the server says.
    pub fn run(&self) -> Result<()> {
        let (data, log) = (self.data(), self.folder.join("log"));
        let mut arguments = vec!["-D", text(&data)?, "-l", text(&log)?, "-w", "-t", "60"];
        arguments.extend(["-o", &self.options, "start"]);
        self.user
            .run(&self.programs.join("pg_ctl"), &arguments)
            .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
    }

    /// Whether the server has a process.
    pub fn is_running(&self) -> bool {
        self.postmaster()
            .is_some_and(|pid| Path::new(&format!("/proc/{pid}")).exists())
    }

    /// Process id of the server's first process, if it has written one.
    pub fn postmaster(&self) -> Option<u32> {
        let lock = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        lock.lines().next()?.trim().parse().ok()
    }

    /// The socket that clients connect to.
    pub fn socket(&self) -> PathBuf {
        self.folder.join(format!(".s.PGSQL.{}", self.number))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The end of the pipe tells the guard.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Who the server runs as; PostgreSQL refuses to run as root.
enum User {
    Myself,
    Other { name: String, uid: u32 },
}

impl User {
    fn choose() -> Result<Self> {
        if !install::is_root() {
            return Ok(Self::Myself);
        }
        for name in ["postgres", "nobody"] {
            if let Some(uid) = install::output("id", &["-u", name]) {
                return Ok(Self::Other {
                    name: name.to_owned(),
                    uid: uid.parse()?,
                });
            }
        }
        bail!("PostgreSQL does not run as root, and there is no user postgres or nobody");
    }

    fn give(&self, folder: &Path) -> Result<()> {
        if let Self::Other { uid, .. } = self {
            std::os::unix::fs::chown(folder, Some(*uid), None)?;
        }
        Ok(())
    }

    /// A command that runs as this user.
    fn command(&self, program: &Path) -> Command {
        let mut command = match self {
            Self::Myself => Command::new(program),
            Self::Other { name, .. } if install::find("runuser").is_some() => {
                let mut command = Command::new("runuser");
                command.args(["-u", name, "--"]).arg(program);
                command
            }
            Self::Other { name, .. } => {
                let mut command = Command::new("su");
                command
                    .args([name, "-s", "/bin/sh", "-c", "exec \"$0\" \"$@\"", "--"])
                    .arg(program);
                command
            }
        };
        // The caller's folder may be closed to that user.
        command.current_dir("/");
        command
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> Result<()> {
        // The server inherits what pg_ctl has open, so nothing of it may be a pipe that is read
        // to its end.
        let log = tempfile::NamedTempFile::new()?;
        let status = self
            .command(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.reopen()?)
            .stderr(log.reopen()?)
            .status()
            .with_context(|| format!("starting {}", program.display()))?;
        if !status.success() {
            let said = std::fs::read_to_string(log.path()).unwrap_or_default();
            bail!("{} failed:\n{said}", program.display());
        }
        Ok(())
    }

    fn guard(&self, pg_ctl: &Path, data: &str, folder: &str) -> Result<Child> {
        let stop = self.command(pg_ctl);
        let mut guard = Command::new("sh");
        guard
            .args([
                "-c",
                "trap '' INT TERM HUP; folder=$1; shift; cat; \"$@\"; rm -rf -- \"$folder\"",
                "guard",
                folder,
            ])
            .arg(stop.get_program())
            .args(stop.get_args())
            .args(["-D", data, "-m", "immediate", "-w", "stop"])
            .current_dir("/")
            // Out of reach of the terminal's ctrl-c, which goes to a whole process group.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(guard.spawn()?)
    }
}

fn text(path: &Path) -> Result<&str> {
    path.to_str()
        .with_context(|| format!("{} is no text", PathBuf::from(path).display()))
}
