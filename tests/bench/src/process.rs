//! Processes as the operating system sees them.

use anyhow::{Context as _, Result, bail};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Where the server and the generator run.
#[derive(Clone, Debug)]
pub(crate) struct Pins {
    taskset: Option<PathBuf>,
    last: usize,
}

impl Pins {
    /// Puts this process on the last core. Without `taskset` or a second core nothing is pinned.
    pub(crate) fn take() -> Result<Self> {
        let cores = std::thread::available_parallelism()?.get();
        let taskset = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|folder| folder.join("taskset"))
            .find(|path| path.is_file())
            .filter(|_| cores > 1);
        let pins = Self {
            taskset,
            last: cores - 1,
        };
        pins.move_back()?;
        Ok(pins)
    }

    /// Whether there is one core for the server and one for the generator.
    pub(crate) fn are_set(&self) -> bool {
        self.taskset.is_some()
    }

    /// Puts this process on the server's core, so that what it starts is there too.
    pub(crate) fn move_to_server_core(&self) -> Result<()> {
        self.put(0)
    }

    /// Puts this process back on its own core.
    pub(crate) fn move_back(&self) -> Result<()> {
        self.put(self.last)
    }

    fn put(&self, core: usize) -> Result<()> {
        let Some(taskset) = &self.taskset else {
            return Ok(());
        };
        let done = Command::new(taskset)
            .args(["-a", "-c", "-p", &core.to_string()])
            .arg(std::process::id().to_string())
            .stdout(Stdio::null())
            .status()?;
        if !done.success() {
            bail!("taskset cannot pin this process");
        }
        Ok(())
    }

    /// A command on the server's core.
    pub(crate) fn on_server_core(&self, program: &std::path::Path) -> Command {
        self.on("0", program)
    }

    /// A command on every core.
    pub(crate) fn on_all_cores(&self, program: &std::path::Path) -> Command {
        self.on(&format!("0-{}", self.last), program)
    }

    fn on(&self, cores: &str, program: &std::path::Path) -> Command {
        match &self.taskset {
            None => Command::new(program),
            Some(taskset) => {
                let mut command = Command::new(taskset);
                command.args(["-c", cores]).arg(program);
                command
            }
        }
    }
}

/// Processor time that processes have used together.
pub(crate) fn cpu(pids: &[u32]) -> Result<Duration> {
    pids.iter().map(|pid| cpu_of(*pid)).sum()
}

fn cpu_of(pid: u32) -> Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program may hold anything but ends at the last bracket.
    let (_, fields) = stat.rsplit_once(')').context("no program name")?;
    let fields: Vec<_> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok());
    match (ticks(11), ticks(12)) {
        // Linux counts these in hundredths of a second on every machine.
        (Some(user), Some(system)) => Ok(Duration::from_millis((user + system) * 10)),
        _ => bail!("no times in /proc/{pid}/stat"),
    }
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    /// What is resident.
    pub(crate) rss: u64,
    /// What is resident, shared pages by their part.
    pub(crate) pss: u64,
}

/// Memory that a process holds.
pub(crate) fn memory(pid: u32) -> Result<Memory> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name))
            .and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .with_context(|| format!("no {name} in smaps_rollup"))
    };
    Ok(Memory {
        rss: line("Rss:")?,
        pss: line("Pss:")?,
    })
}

/// The load average of the last minute.
pub(crate) fn load() -> String {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split_whitespace().next().map(str::to_owned))
        .unwrap_or_default()
}

/// Name of the processor.
pub(crate) fn processor() -> String {
    std::fs::read_to_string("/proc/cpuinfo")
        .unwrap_or_default()
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or_else(
            || std::env::consts::ARCH.to_owned(),
            |(_, name)| name.to_owned(),
        )
}
