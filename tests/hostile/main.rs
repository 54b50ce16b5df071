//! User code between a decision and its use: every point at which the library runs user code, times
//! everything that user code may do there.
//!
//! The points are listed in `attack/points.rs`, the deeds in `attack/deeds/`, what may come of a pair
//! in `attack/rules.rs`. Each pair is a `run` of its own on a thread of its own, in child processes
//! that take slices of the product, so that an abort or a hang is put down to its pair.
//!
//! Some pairs by hand: `FIBRA_HOSTILE_ONLY="channel" cargo test --test hostile product`, where the text
//! is a part of "point / deed".

#![forbid(unsafe_code)]

mod attack;
mod put_back;

use attack::driver;

#[test]
fn each_point_has_a_hook_and_each_hook_a_point() {
    attack::check_lists();
}

#[test]
fn the_product_of_points_and_deeds_breaks_nothing() {
    let exe = std::env::current_exe().unwrap();
    let child = || {
        let mut child = std::process::Command::new(&exe);
        child.args(["--exact", "a_slice_of_the_product", "--nocapture", "--test-threads=1"]);
        child
    };
    let faults = driver::drive(&child);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What the child processes of the test above run.
#[test]
fn a_slice_of_the_product() {
    driver::child();
}
