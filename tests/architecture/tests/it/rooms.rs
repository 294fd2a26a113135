use cargo_metadata::MetadataCommand;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_room_has_a_readme_and_the_lints_of_the_house() {
    for package in MetadataCommand::new().no_deps().exec().unwrap().packages {
        let folder = package.manifest_path.parent().unwrap();
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints"), "{} has no lints", package.name);
        let is_tests = folder.as_str().contains("/tests/");
        assert!(
            is_tests || folder.join("README.md").exists(),
            "{} has no README.md",
            package.name
        );
    }
}

/// SQL lives in stores. What counts is a statement's beginning in a string.
#[test]
fn services_keep_their_sql_in_store() {
    let services = root().join("services");
    let mut files = Vec::new();
    rust_files(&services, &mut files);
    for file in files {
        let path = file.to_string_lossy().into_owned();
        // Modules that exist in tests only.
        let is_test = [
            "/tests/",
            "/tests.rs",
            "/testing/",
            "/testing.rs",
            "/harness.rs",
        ]
        .iter()
        .any(|place| path.contains(place));
        if is_test || path.contains("/store/") || path.ends_with("/store.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for verb in ["\"SELECT ", "\"INSERT INTO ", "\"UPDATE ", "\"DELETE FROM "] {
            assert!(
                !code.contains(verb),
                "{path} holds SQL: it belongs in store/"
            );
        }
    }
}

/// Pure rooms: no async, no SQL, no gRPC in what decides.
#[test]
fn domain_code_is_pure() {
    let mut files = Vec::new();
    for service in fs::read_dir(root().join("services")).unwrap() {
        let domain = service.unwrap().path().join("src/domain");
        if domain.exists() {
            rust_files(&domain, &mut files);
        }
    }
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in ["async fn", ".await", "stoa_db::", "tonic::"] {
            assert!(
                !code.contains(word),
                "{} is not pure: {word}",
                file.display()
            );
        }
    }
}

#[test]
fn migrations_of_both_engines_have_equal_names() {
    let names = |folder: PathBuf| {
        let mut names: Vec<_> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let mut checked = 0;
    for place in ["services", "crates"] {
        for room in fs::read_dir(root().join(place)).unwrap() {
            let migrations = room.unwrap().path().join("migrations");
            if migrations.exists() {
                let (sqlite, postgres) = (migrations.join("sqlite"), migrations.join("postgres"));
                assert_eq!(names(sqlite), names(postgres), "{}", migrations.display());
                checked += 1;
            }
        }
    }
    assert!(checked >= 5);
}
