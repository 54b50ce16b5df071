//! The targets that the build script refuses.

use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns what the build script prints as an error when it is run for a target of this kind.
fn error_for(target: &str, unix: bool) -> Option<String> {
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("build-script-{target}"));
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut compile = Command::new(&rustc);
    compile.args(["--edition", "2024", "--cap-lints", "allow", "-o"]).arg(&script);
    assert!(compile.arg(format!("{ROOT}/build.rs")).status().unwrap().success());

    let mut run = Command::new(script);
    run.env_clear().env("RUSTC", rustc).env("TARGET", target);
    if unix {
        run.env("CARGO_CFG_UNIX", "");
    }
    let output = run.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    printed.lines().find_map(|line| line.strip_prefix("cargo::error=")).map(str::to_owned)
}

#[test]
fn a_target_that_is_not_unix_is_refused_with_one_error() {
    let error = error_for("x86_64-pc-windows-gnu", false).expect("an error");
    assert!(error.contains("`x86_64-pc-windows-gnu`"), "{error}");
    assert!(error.contains("needs a Unix system"), "{error}");
}

#[test]
fn a_unix_target_is_accepted() {
    assert_eq!(error_for("x86_64-apple-darwin", true), None);
}
