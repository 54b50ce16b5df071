//! The product as a separate program, for a build that cargo's tests cannot be: `panic = "abort"`.
//!
//! `ATTACK` is replaced by the path of `attack/mod.rs`.

#![forbid(unsafe_code)]

#[path = "ATTACK"]
mod attack;

use std::process::{Command, ExitCode};

use attack::driver;

fn main() -> ExitCode {
    if driver::is_child() {
        driver::child();
        return ExitCode::SUCCESS;
    }
    attack::check_lists();
    let exe = std::env::current_exe().unwrap();
    let faults = driver::drive(&|| Command::new(&exe));
    if faults.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{} faults:\n{}", faults.len(), faults.join("\n"));
    ExitCode::FAILURE
}
