//! The programs that these tests start. A program that is missing is a failure that says what to
//! install, never a test that did not run.

use cargo_metadata::MetadataCommand;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Lowest minor version of Kubernetes 1 whose `kubectl` and API know all that the manifests use.
pub(crate) const LOWEST_KUBERNETES: u32 = 30;

/// The folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// The text of a file of the repository.
pub(crate) fn text(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `kubectl kustomize` makes of a folder.
pub(crate) fn kustomize(folder: &Path) -> String {
    const INSTALL: &str = "kubectl 1.30 or newer is needed: `cargo xtask test` installs it where the \
                           system's packages have it, else https://kubernetes.io/docs/tasks/tools/";
    let done = Command::new("kubectl")
        .arg("kustomize")
        .arg(folder)
        .output()
        .unwrap_or_else(|error| panic!("{error}: {INSTALL}"));
    said(&done, &folder.display().to_string())
}

/// Checks a file of manifests against the schemas of a version of Kubernetes; unknown fields are
/// errors.
pub(crate) fn validate(file: &Path, minor: u32) {
    let target = MetadataCommand::new()
        .no_deps()
        .exec()
        .unwrap()
        .target_directory;
    let folder = target.join("tools/kubernetes-validate");
    let done = Command::new(folder.join("bin/kubernetes-validate"))
        .args(["--strict", "--quiet", "-k", &format!("1.{minor}")])
        .arg(file)
        .output()
        .unwrap_or_else(|error| {
            panic!(
                "{error}: kubernetes-validate is needed: `cargo xtask test` installs it, or by hand: \
                 python3 -m venv {folder} && {folder}/bin/pip install kubernetes-validate==1.37.0"
            )
        });
    said(&done, &format!("{} in 1.{minor}", file.display()));
}

fn said(done: &Output, what: &str) -> String {
    assert!(
        done.status.success(),
        "{what}: {}{}",
        String::from_utf8_lossy(&done.stdout),
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8(done.stdout.clone()).unwrap()
}
