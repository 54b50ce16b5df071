//! Programs that are built with `panic = "abort"`: each is a crate that depends on this one.
//!
//! Invariant: the crates and their build results are in the folder of build artefacts, so that
//! each is built once.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Builds the program `source` as the crate `name`, with `features` of fibra, and runs it.
pub(crate) fn run_aborting(name: &str, source: &str, features: &[&str], args: &[&str]) -> Output {
    run_aborting_with(name, source, features, "", args)
}

/// Like [`run_aborting`], for a program with further dependencies, given as lines of a manifest.
pub(crate) fn run_aborting_with(
    name: &str,
    source: &str,
    features: &[&str],
    dependencies: &str,
    args: &[&str],
) -> Output {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let folder = target.join(format!("{name}-crate"));
    fs::create_dir_all(folder.join("src")).unwrap();
    let fibra = env!("CARGO_MANIFEST_DIR").replace('\\', "/");
    fs::write(folder.join("Cargo.toml"), manifest(name, &fibra, features) + dependencies).unwrap();
    fs::write(folder.join("src/main.rs"), source).unwrap();
    // The versions that this crate is tested with; without its lock file cargo chooses others.
    let _ = fs::copy(Path::new(&fibra).join("Cargo.lock"), folder.join("Cargo.lock"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.env("FIBRA_HOG_LIMIT", "off");
    cargo.args(["run", "--quiet"]);
    if cfg!(sanitized) {
        // The flags are in the environment; with a target they do not apply to build scripts.
        cargo.args(["--target", env!("FIBRA_TARGET")]);
    }
    cargo.arg("--").args(args).current_dir(folder);
    // Crates with the same features share their dependencies.
    let artefacts = target.join(["panic-abort-target", &features.join("-")].concat());
    cargo.env("CARGO_TARGET_DIR", artefacts).output().unwrap()
}

fn manifest(name: &str, fibra: &str, features: &[&str]) -> String {
    // Under a sanitizer, corosensei announces each switch to it.
    let sanitizer = if cfg!(sanitized) {
        "corosensei = { version = \"0.3\", default-features = false, features = [\"sanitizer\"] }\n"
    } else {
        ""
    };
    let declared: String = features.iter().map(|feature| format!("{feature} = []\n")).collect();
    format!(
        r#"[package]
name = "{name}"
version = "0.0.0"
edition = "2024"

[workspace]

# For sources that ask for the features of fibra as for their own.
[features]
default = {features:?}
{declared}
[profile.dev]
panic = "abort"

[dependencies]
fibra = {{ path = "{fibra}", features = {features:?} }}
{sanitizer}"#
    )
}
