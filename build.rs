//! Passes two facts about the build to the crate, and does nothing else: nothing is compiled,
//! downloaded or probed.
//!
//! 1. `cfg(sanitized)` when a sanitizer is on. Frames are several times larger then, so the default
//!    stack size and the overflow tests depend on it.
//! 2. `FIBRA_RUSTC` and `FIBRA_TARGET`, the compiler and the target that benchmark reports name.
//!
//! It refuses targets for which nothing of the crate compiles, with one error in place of hundreds.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(sanitized)");

    let target = env::var("TARGET").unwrap_or_default();
    if env::var_os("CARGO_CFG_UNIX").is_none() {
        println!(
            "cargo::error=fibra cannot be built for `{target}`: even without its features it needs a Unix \
             system, for the memory of stacks and their guards (mmap, mprotect), for reports of \
             stack overflows (sigaltstack) and for file descriptors"
        );
        return;
    }

    let sanitizer_target = ["asan", "msan", "tsan"].iter().any(|s| target.ends_with(s));
    if env::var_os("CARGO_CFG_SANITIZE").is_some() || sanitizer_target {
        println!("cargo:rustc-cfg=sanitized");
    }

    println!("cargo:rustc-env=FIBRA_TARGET={target}");
    println!("cargo:rustc-env=FIBRA_RUSTC={}", rustc_version());
}

/// Returns the first line of `rustc --version`, or `unknown` if it is not available.
fn rustc_version() -> String {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".to_owned())
}
