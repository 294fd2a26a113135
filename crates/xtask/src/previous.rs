//! The binary of the previous release: built once from its commit, kept in the target folder.

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Names the commit of the previous release, in its first word.
const RECORD: &str = "tests/stack/previous-release";

/// Builds the previous release's binary when it is not there yet; gives its path.
pub(crate) fn build(root: &Path, target: &Path) -> Result<PathBuf> {
    let record = std::fs::read_to_string(root.join(RECORD))
        .with_context(|| format!("{RECORD} must name the commit of the previous release"))?;
    let commit = commit_of(&record).with_context(|| format!("{RECORD} names no commit"))?;
    let folder = target.join("previous").join(commit);
    let binary = folder.join("stoa");
    if binary.is_file() {
        return Ok(binary);
    }
    let is_known = git(root, &["cat-file", "-e", &format!("{commit}^{{commit}}")])?;
    if !is_known {
        bail!(
            "the previous release ({commit}, {RECORD}) is not in this clone, so it cannot be shown \
             that its binary works on the new schema; fetch the whole history: git fetch --unshallow"
        );
    }
    println!("== build of the previous release, {commit}");
    let source = folder.join("source");
    std::fs::create_dir_all(&folder)?;
    // A copy without ties to this repository: nothing is left registered when it is thrown away.
    let copied = git(
        root,
        &[
            "clone",
            "--quiet",
            "--no-checkout",
            "--shared",
            root.to_str().context("the folder of the workspace")?,
            source.to_str().context("the target folder")?,
        ],
    )? && git(&source, &["checkout", "--quiet", "--detach", commit])?;
    if !copied {
        bail!("the previous release ({commit}) could not be checked out");
    }
    let into = target.join("previous/target");
    let status = Command::new("cargo")
        .args(["build", "--package", "stoa", "--target-dir"])
        .arg(&into)
        // Warnings of today's compiler about yesterday's code are of no interest.
        .env_remove("RUSTFLAGS")
        .current_dir(&source)
        .status()?;
    if !status.success() {
        bail!("the previous release ({commit}) does not build");
    }
    std::fs::copy(into.join("debug/stoa"), &binary)?;
    std::fs::remove_dir_all(&source)?;
    Ok(binary)
}

/// The commit in the first word of the record that is no comment.
fn commit_of(record: &str) -> Option<&str> {
    let line = record.lines().find(|line| !line.starts_with('#'))?;
    let word = line.split_whitespace().next()?;
    let is_hash = word.len() == 40 && word.bytes().all(|b| b.is_ascii_hexdigit());
    is_hash.then_some(word)
}

fn git(folder: &Path, arguments: &[&str]) -> Result<bool> {
    let status = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .context("git is missing")?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_names_a_whole_commit() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let text = format!("# The previous release.\n{commit} stage 1\n");
        assert_eq!(commit_of(&text), Some(commit));
        for bad in ["", "# only a comment\n", "main\n", "0123456\n"] {
            assert_eq!(commit_of(bad), None, "{bad:?}");
        }
    }
}
