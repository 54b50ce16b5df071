//! Deadlocks that follow each other.

use fibra::channel::Channel;

use crate::support::{check, log};

#[test]
fn main_that_waits_again_immediately_fails_again_and_no_other_does() {
    fibra::run(|| {
        let requests = Channel::<()>::new();
        let from = requests.clone();
        let server = fibra::spawn(move || from.recv().unwrap());
        fibra::yield_now();
        for _ in 0..3 {
            assert!(Channel::<()>::new().recv().is_err());
        }
        assert!(!server.is_finished());
        requests.send(()).unwrap();
        server.join().unwrap();
    });
}

#[test]
fn a_fiber_that_waits_again_immediately_leaves_the_second_failure_to_main() {
    fibra::run(|| {
        let requests = Channel::<()>::new();
        let from = requests.clone();
        let server = fibra::spawn(move || from.recv());
        let stubborn = fibra::spawn(|| {
            loop {
                if let Err(error) = Channel::<()>::new().recv() {
                    log(error.to_string().starts_with("deadlock"));
                }
            }
        });
        log(format!("main:{}", Channel::<()>::new().recv().is_err()));
        assert!(!server.is_finished());
        stubborn.kill();
    });
    check("true main:true");
}
