//! Programs that the tests need: found, installed where that is allowed, or named.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A system package manager: its program, what refreshes it, what installs, and the names of the
/// packages there.
struct Manager {
    program: &'static str,
    refresh: &'static [&'static str],
    install: &'static [&'static str],
    postgres: &'static [&'static str],
    node: &'static [&'static str],
    faketime: &'static [&'static str],
    kubectl: &'static [&'static str],
    python: &'static [&'static str],
}

const MANAGERS: &[Manager] = &[
    Manager {
        program: "apt-get",
        refresh: &["update"],
        install: &["install", "-y"],
        postgres: &["postgresql"],
        node: &["nodejs", "npm"],
        faketime: &["libfaketime"],
        kubectl: &["kubernetes-client"],
        python: &["python3-venv"],
    },
    Manager {
        program: "dnf",
        refresh: &["makecache"],
        install: &["install", "-y"],
        postgres: &["postgresql-server"],
        node: &["nodejs", "npm"],
        faketime: &["libfaketime"],
        kubectl: &["kubernetes-client"],
        python: &["python3"],
    },
    Manager {
        program: "apk",
        refresh: &["update"],
        install: &["add"],
        postgres: &["postgresql"],
        node: &["nodejs", "npm"],
        faketime: &["libfaketime"],
        kubectl: &["kubectl"],
        python: &["python3", "py3-pip"],
    },
];

/// The folder with `initdb` and `pg_ctl`.
///
/// # Errors
/// Says what to install when it is missing and cannot be installed.
pub fn postgres() -> Result<PathBuf> {
    if let Some(folder) = find_postgres() {
        return Ok(folder);
    }
    install("PostgreSQL (initdb, pg_ctl)", |m| m.postgres)?;
    find_postgres().context("PostgreSQL was installed, but there is still no initdb")
}

/// The library that gives a process a clock of its own when it is loaded first.
///
/// # Errors
/// Says what to install when it is missing and cannot be installed.
pub fn faketime() -> Result<PathBuf> {
    if let Some(library) = find_faketime() {
        return Ok(library);
    }
    install("libfaketime", |m| m.faketime)?;
    find_faketime().context("libfaketime was installed, but there is still no libfaketimeMT.so.1")
}

/// Makes sure that there are `node` and `npm`.
///
/// # Errors
/// Says what to install when it is missing and cannot be installed.
pub fn node() -> Result<()> {
    if find("node").is_some() && find("npm").is_some() {
        return Ok(());
    }
    install("Node.js (node, npm)", |m| m.node)?;
    match (find("node"), find("npm")) {
        (Some(_), Some(_)) => Ok(()),
        _ => bail!("Node.js was installed, but there is still no node or npm"),
    }
}

/// Makes sure that there is `cargo nextest`.
///
/// # Errors
/// Says what to install when it cannot be installed.
pub fn nextest() -> Result<()> {
    let there = Command::new("cargo")
        .args(["nextest", "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    println!("== installing cargo-nextest: cargo install --locked cargo-nextest");
    let status = Command::new("cargo")
        .args(["install", "--locked", "cargo-nextest"])
        .status()?;
    if !status.success() {
        bail!("install it by hand: cargo install --locked cargo-nextest");
    }
    Ok(())
}

/// Lowest minor version of `kubectl` 1 that knows all that the manifests use.
const KUBECTL_MINOR: u32 = 30;

/// Makes sure that there is a `kubectl` that is new enough.
///
/// # Errors
/// Says what to install when it is missing and cannot be installed.
pub fn kubectl() -> Result<()> {
    const BY_HAND: &str = "install kubectl 1.30 or newer: https://kubernetes.io/docs/tasks/tools/";
    if find("kubectl").is_none() {
        install("kubectl", |m| m.kubectl).context(BY_HAND)?;
    }
    let version = output("kubectl", &["version", "--client", "--output=json"]);
    let version = version.context(BY_HAND)?;
    match kubectl_minor(&version) {
        Some(minor) if minor >= KUBECTL_MINOR => Ok(()),
        _ => bail!("kubectl is too old; {BY_HAND}"),
    }
}

/// The minor version in what `kubectl version --client --output=json` says: `"minor": "32+"`.
fn kubectl_minor(said: &str) -> Option<u32> {
    let said: serde_json::Value = serde_json::from_str(said).ok()?;
    let minor = said["clientVersion"]["minor"].as_str()?;
    let digits = minor.trim_end_matches(|c: char| !c.is_ascii_digit());
    digits.parse().ok()
}

/// The version of kubernetes-validate, which brings the schemas of all versions of Kubernetes.
const KUBERNETES_VALIDATE: &str = "kubernetes-validate==1.37.0";

/// Makes sure that there is `kubernetes-validate`, in an environment of its own below `target`.
///
/// # Errors
/// Says what to install when it is missing and cannot be installed.
pub fn kubernetes_validate(target: &Path) -> Result<()> {
    python_package(
        target,
        "kubernetes-validate",
        KUBERNETES_VALIDATE,
        "bin/kubernetes-validate",
    )
}

/// The version of aiosmtpd, the mail server of the tests.
const AIOSMTPD: &str = "aiosmtpd==1.4.6";

/// Makes sure that there is `aiosmtpd`, in an environment of its own below `target`.
///
/// # Errors
/// Says what to install when it is missing and cannot be installed.
pub fn aiosmtpd(target: &Path) -> Result<()> {
    python_package(target, "aiosmtpd", AIOSMTPD, "bin/aiosmtpd")
}

/// Installs a package of PyPI into an environment of its own; `program` is there when it is whole.
fn python_package(target: &Path, name: &str, package: &str, program: &str) -> Result<()> {
    let folder = target.join("tools").join(name);
    if folder.join(program).is_file() {
        return Ok(());
    }
    let run = |program: &Path, arguments: &[&str]| -> Result<bool> {
        let shown = format!("{} {}", program.display(), arguments.join(" "));
        println!("== installing {name}: {shown}");
        Ok(Command::new(program).args(arguments).status()?.success())
    };
    let at = folder.to_str().context("the target folder is no text")?;
    let make = ["-m", "venv", at];
    if find("python3").is_none() || !run(Path::new("python3"), &make)? {
        // Debian keeps the module apart.
        install("Python with venv", |m| m.python)?;
        if !run(Path::new("python3"), &make)? {
            bail!("install Python 3 with its module venv, and run again");
        }
    }
    let pip = folder.join("bin/pip");
    if !run(&pip, &["install", "--quiet", package])? {
        bail!("install it by hand: {at}/bin/pip install {package}");
    }
    Ok(())
}

/// Whether this process may install packages and must not run a database server itself.
pub fn is_root() -> bool {
    output("id", &["-u"]).is_some_and(|uid| uid == "0")
}

/// The trimmed standard output of a command that succeeded.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let out = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output()
        .ok()?;
    out.status
        .success()
        .then(|| String::from_utf8_lossy(&out.stdout).trim().to_owned())
}

/// Where a program lies.
pub fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        // Root's commands are not always on the path of a shell.
        .chain(["/usr/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file())
}

fn find_faketime() -> Option<PathBuf> {
    let in_folder = |folder: PathBuf| {
        let library = folder.join("faketime/libfaketimeMT.so.1");
        library.is_file().then_some(library)
    };
    // Debian has a folder for each kind of processor.
    let of_processors = std::fs::read_dir("/usr/lib").into_iter().flatten();
    ["/usr/lib", "/usr/lib64", "/usr/local/lib"]
        .map(PathBuf::from)
        .into_iter()
        .chain(of_processors.filter_map(|entry| Some(entry.ok()?.path())))
        .find_map(in_folder)
}

fn find_postgres() -> Option<PathBuf> {
    let newest = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .filter(|(_, folder)| is_complete(folder))
        .max()
        .map(|(_, folder)| folder);
    newest.or_else(|| {
        // The link in a folder of links leads to the folder that has both.
        let folder = find("initdb")?.canonicalize().ok()?.parent()?.to_owned();
        is_complete(&folder).then_some(folder)
    })
}

fn is_complete(folder: &Path) -> bool {
    ["initdb", "pg_ctl", "postgres"]
        .iter()
        .all(|program| folder.join(program).is_file())
}

fn install(what: &str, packages: impl Fn(&Manager) -> &'static [&'static str]) -> Result<()> {
    let Some(manager) = MANAGERS.iter().find(|m| find(m.program).is_some()) else {
        bail!("{what} is missing; install it and run again");
    };
    let packages = packages(manager);
    let by_hand = format!(
        "{} {} {}",
        manager.program,
        manager.install.join(" "),
        packages.join(" ")
    );
    if !is_root() {
        bail!("{what} is missing; install it and run again: sudo {by_hand}");
    }
    println!("== installing {what}: {by_hand}");
    for arguments in [
        manager.refresh.to_vec(),
        [manager.install, packages].concat(),
    ] {
        let status = Command::new(manager.program)
            .args(&arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .status()?;
        if !status.success() {
            bail!("{what} could not be installed; run by hand: {by_hand}");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_kubectl_is_read_from_what_it_says() {
        for (said, minor) in [
            (
                r#"{"clientVersion": {"major": "1", "minor": "32"}}"#,
                Some(32),
            ),
            (
                r#"{"clientVersion": {"major": "1", "minor": "30+"}}"#,
                Some(30),
            ),
            (r#"{"clientVersion": {}}"#, None),
            ("Client Version: v1.20.2", None),
        ] {
            assert_eq!(kubectl_minor(said), minor, "{said}");
        }
    }
}
