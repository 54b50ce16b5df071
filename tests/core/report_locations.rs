//! Tests that a deadlock report names the line of the program that waits, and none of the library.

use fibra::channel::{Channel, bounded};
use std::panic::{self, AssertUnwindSafe};

/// Runs `wait`, which deadlocks, and returns the file that the report names for the main fiber.
fn file_of_the_wait(wait: impl FnOnce()) -> String {
    let payload = panic::catch_unwind(AssertUnwindSafe(|| fibra::run(wait))).unwrap_err();
    let report = payload.downcast_ref::<String>().expect("a panic with a report");
    let (_, place) = report.lines().nth(1).and_then(|line| line.split_once(" at ")).unwrap();
    place.split(':').next().unwrap().into()
}

#[test]
fn a_loop_over_a_bounded_channel_is_where_it_waits() {
    let file = file_of_the_wait(|| {
        let (_sender, receiver) = bounded::<u8>(1);
        for _ in receiver.iter() {}
    });
    assert_eq!(file, file!());
}

#[test]
fn a_loop_over_a_channel_is_where_it_waits() {
    let file = file_of_the_wait(|| for _ in Channel::<u8>::new().iter() {});
    assert_eq!(file, file!());
}
