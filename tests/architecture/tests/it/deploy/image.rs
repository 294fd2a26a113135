use super::manifests::{Overlay, list};
use super::programs::text;
use serde_json::Value;

/// The instructions of the Dockerfile, each on one line, without comments.
fn instructions() -> Vec<String> {
    let text = text("deploy/Dockerfile");
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let joined: Vec<_> = lines.map(str::trim_end).collect();
    joined
        .join("\n")
        .replace("\\\n", " ")
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect()
}

/// Instructions of the last stage: what the image is.
fn last_stage() -> Vec<String> {
    let all = instructions();
    let from = all
        .iter()
        .rposition(|line| line.starts_with("FROM "))
        .unwrap();
    all[from..].to_vec()
}

// contract: security S74
#[test]
fn the_image_is_the_binary_under_a_user_that_is_not_root_and_nothing_else() {
    let stage = last_stage();
    assert!(stage[0].contains("distroless"), "{}", stage[0]);
    assert!(stage[0].ends_with(":nonroot"), "{}", stage[0]);
    let user = stage.iter().find_map(|line| line.strip_prefix("USER "));
    assert_eq!(user, Some("65532:65532"));
    for template in Overlay::all().map(|o| o.object("Deployment", "auth")) {
        let pod = &template["spec"]["template"]["spec"]["securityContext"];
        assert_eq!(pod["runAsUser"], 65532);
        assert_eq!(pod["fsGroup"], 65532);
    }
    let copies: Vec<_> = stage
        .iter()
        .filter(|line| line.starts_with("COPY "))
        .collect();
    assert!(
        copies[0].ends_with(" /stoa /usr/local/bin/stoa"),
        "{copies:?}"
    );
    // The other one is an empty folder.
    assert_eq!(copies.len(), 2);
    assert!(copies[1].ends_with(" /empty /etc/stoa"), "{copies:?}");
    assert!(
        !stage
            .iter()
            .any(|line| line.starts_with("RUN ") || line.starts_with("ADD "))
    );
    assert!(stage.contains(&"ENTRYPOINT [\"/usr/local/bin/stoa\"]".to_owned()));
}

#[test]
fn the_image_is_built_with_the_compiler_and_the_lock_of_the_repository() {
    let toolchain = text("rust-toolchain.toml");
    let channel = toolchain
        .lines()
        .find_map(|line| line.trim().strip_prefix("channel = "))
        .unwrap()
        .trim_matches('"');
    let all = instructions();
    let build = all.iter().find(|line| line.starts_with("FROM ")).unwrap();
    assert!(
        build.contains(&format!("rust:{channel}-slim-bookworm")),
        "{build}"
    );
    let run = all
        .iter()
        .find(|line| line.contains("cargo build"))
        .unwrap();
    for word in ["--release", "--locked", "-p stoa ", "--mount=type=cache"] {
        assert!(run.contains(word), "{run}");
    }
    // Debian 12 in both stages: the binary is linked with the library that it will meet.
    assert!(last_stage()[0].contains("debian12"));
}

#[test]
fn what_is_not_needed_stays_out_of_the_build() {
    let ignored = text("deploy/Dockerfile.dockerignore");
    let lines: Vec<_> = ignored.lines().filter(|l| !l.starts_with('#')).collect();
    // Everything is left out but what is named.
    assert_eq!(lines[0], "*");
    let mut members = vec!["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];
    members.extend(["crates", "services", "proto", "tests"]);
    for member in members {
        assert!(lines.contains(&format!("!{member}").as_str()), "{member}");
    }
}

// contract: security S74 (image by digest)
#[test]
fn production_names_the_image_by_its_digest() {
    for (name, template) in Overlay::get("production").pods() {
        for container in list(&template["spec"]["containers"]) {
            let image = container["image"].as_str().unwrap();
            let (_, digest) = image
                .split_once('@')
                .unwrap_or_else(|| panic!("{name}: {image}"));
            let hex = digest.strip_prefix("sha256:").unwrap();
            assert!(hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
        }
    }
    let images: Vec<&Value> = Overlay::get("dev")
        .of_kind("Deployment")
        .map(|o| &o["spec"]["template"]["spec"]["containers"][0]["image"])
        .collect();
    assert!(images.iter().all(|image| *image == images[0]));
}
