//! User code between a decision and its use: every point at which the library runs user code,
//! combined with every action that user code may take there.
//!
//! The points are listed in `attack/points.rs`, the actions in `attack/actions/`, and the permitted
//! outcomes in `attack/rules.rs`. Each pair is a `run` on its own thread, in child processes that
//! take slices of the product, so that an abort or a hang is attributed to its pair.
//!
//! The module `http` does the same for HTTP, whose waits are those of sockets.
//!
//! To play some pairs only: `FIBRA_HOSTILE_ONLY="channel" cargo test --test hostile product`, where
//! the text is a part of "point / action".

#![forbid(unsafe_code)]

mod attack;
#[cfg(feature = "http-client")]
#[allow(dead_code, reason = "written for the tests of HTTP; these need a part of it")]
#[path = "../http/client_help.rs"]
mod client_help;
#[cfg(all(feature = "http-client", feature = "http2"))]
#[allow(dead_code, reason = "written for the tests of HTTP; these need a part of it")]
#[path = "../http/frames.rs"]
mod frames;
#[cfg(feature = "http-client")]
mod http;
mod put_back;
#[path = "../support/mod.rs"]
mod support;

use attack::driver;

#[test]
fn each_point_has_a_scenario_and_each_scenario_a_point() {
    attack::check_lists();
}

#[test]
fn each_kind_of_points_stands_in_safety_md_and_no_other() {
    let page = include_str!("../../SAFETY.md");
    let section = page.split("## Where user code runs").nth(1).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let listed: Vec<_> = section
        .lines()
        .filter_map(|line| line.strip_prefix("- **")?.split_once("**"))
        .map(|(title, _)| title)
        .collect();
    let titles: Vec<_> = attack::points::GROUPS.iter().map(|group| group.title).collect();
    assert_eq!(listed, titles);
}

#[test]
fn the_product_of_points_and_actions_breaks_nothing() {
    let exe = std::env::current_exe().unwrap();
    let child = || {
        let mut child = std::process::Command::new(&exe);
        child.args(["--exact", "a_slice_of_the_product", "--nocapture", "--test-threads=1"]);
        child.env("FIBRA_HOG_LIMIT", "off");
        child
    };
    let faults = driver::drive(&child);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// The same in a program that is built with `panic = "abort"`, where the rules permit more.
#[test]
fn the_product_breaks_nothing_where_nothing_unwinds() {
    let attack = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/attack/mod.rs");
    let program = include_str!("program.rs").replace("ATTACK", attack);
    let features = if cfg!(feature = "greenlet") { &["greenlet"][..] } else { &[] };
    let output = crate::support::abort::run_aborting("hostile", &program, features, &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The body of the child processes of the test above.
#[test]
fn a_slice_of_the_product() {
    driver::child();
}
