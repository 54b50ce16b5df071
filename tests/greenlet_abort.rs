//! Tests greenlets in a build with `panic = "abort"`: nothing can be raised, and nothing aborts.
//!
//! Such a build is a program of its own: a crate in a temporary folder that depends on this one.

#![cfg(feature = "greenlet")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "greenlet-abort"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.dev]
panic = "abort"

[dependencies]
fibra = { path = "FIBRA", features = ["greenlet"] }
"#;

const PROGRAM: &str = include_str!("greenlet_abort/program.rs");

/// The crate, in the folder of build artefacts, so that it is built once.
fn crate_in(target: &Path) -> PathBuf {
    let folder = target.join("greenlet-abort-crate");
    fs::create_dir_all(folder.join("src")).unwrap();
    let fibra = env!("CARGO_MANIFEST_DIR").replace('\\', "/");
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("FIBRA", &fibra)).unwrap();
    fs::write(folder.join("src/main.rs"), PROGRAM).unwrap();
    // The versions that this crate is tested with; without its lock file cargo picks some.
    let _ = fs::copy(Path::new(&fibra).join("Cargo.lock"), folder.join("Cargo.lock"));
    folder
}

#[test]
fn greenlets_that_cannot_unwind_degrade_as_documented() {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet"]).current_dir(crate_in(&target));
    let folder = target.join("greenlet-abort-target");
    let output = cargo.env("CARGO_TARGET_DIR", folder).output().unwrap();
    let text = support::stderr(&output);
    assert!(output.status.success(), "{text}");
    let expected = "\
        > kill: it got the exit as an error, and returned -1\n\
        > throw: \"at oneself\"\n\
        > unstarted: Err(Exit(GreenletExit { message: None }))\n\
        > an unstarted one drops its closure\n\
        fibra: a greenlet is suspended where nothing can be raised: its stack is kept\n\
        > one was dropped\n\
        fibra: a greenlet is suspended where nothing can be raised: its stack is kept\n\
        > the frame has ended\n\
        fibra: a greenlet is suspended where nothing can be raised: its stack is kept\n\
        > run has ended\n";
    assert_eq!(text, expected);
}
