//! Tests a build with `panic = "abort"`: nothing unwinds, and the rest works.
//!
//! Such a build is a program of its own: a crate in a temporary folder that depends on this one.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const MANIFEST: &str = r#"
[package]
name = "abort"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.dev]
panic = "abort"

[dependencies]
fibra = { path = "FIBRA" }
"#;

const PROGRAM: &str = include_str!("panic_abort/program.rs");

/// The crate, in the folder of build artefacts, so that it is built once.
fn crate_in(target: &Path) -> PathBuf {
    let folder = target.join("panic-abort-crate");
    fs::create_dir_all(folder.join("src")).unwrap();
    let fibra = env!("CARGO_MANIFEST_DIR").replace('\\', "/");
    fs::write(folder.join("Cargo.toml"), MANIFEST.replace("FIBRA", &fibra)).unwrap();
    fs::write(folder.join("src/main.rs"), PROGRAM).unwrap();
    // The versions that this crate is tested with; without its lock file cargo picks some.
    let _ = fs::copy(Path::new(&fibra).join("Cargo.lock"), folder.join("Cargo.lock"));
    folder
}

#[test]
fn a_program_that_cannot_unwind_degrades_as_documented() {
    let target = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet"]).current_dir(crate_in(&target));
    let output = cargo.env("CARGO_TARGET_DIR", target.join("panic-abort-target")).output().unwrap();
    let text = support::stderr(&output);
    assert_eq!(output.status.code(), Some(42), "{text}");
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let expected = [
        "recv: killed while receiving",
        "send: gave 7 back",
        "recv_timeout: killed while receiving on a channel",
        "join: killed while waiting for the fiber",
        "timeout: killed while receiving",
        "an infallible wait goes on, and ends when it is complete",
        "lock_timeout: killed while waiting",
        "an infallible lock goes on",
        "behind one that was retired: 1 permit",
        "uninterruptible: 2",
        "blocking: 3",
        "uninterruptible at the end of run: 4",
        "an unstarted fiber dropped its closure",
        "run has ended, with a fiber left on its stack",
    ];
    assert_eq!(lines, expected, "{text}");
}
