//! Jobs on other threads, in a loop.

use std::cell::Cell;
use std::rc::Rc;

use fibra::blocking::uninterruptible;
use fibra::time::timeout;

use crate::support::ms;

#[test]
fn a_loop_over_jobs_that_borrow_meets_a_kill_and_a_time_limit_before_the_next_job() {
    fibra::run(|| {
        let jobs = Rc::new(Cell::new(0));
        let counts = jobs.clone();
        let fiber = fibra::spawn(move || {
            loop {
                let n = counts.get();
                counts.set(uninterruptible(|| counts_up(n)));
            }
        });
        while jobs.get() < 3 {
            fibra::sleep(ms(1));
        }
        fiber.kill();
        let killed_at = jobs.get();
        let killed = timeout(ms(20_000), || fiber.join());
        assert!(killed.expect("it goes on").unwrap_err().is_killed());
        assert!(jobs.get() <= killed_at + 1, "{} jobs after {killed_at}", jobs.get());
        let limited = timeout(ms(2), || {
            (0..100_000).for_each(|n| drop(uninterruptible(|| counts_up(n).to_string())));
        });
        limited.unwrap_err();
    });
}

fn counts_up(n: u32) -> u32 {
    n + 1
}
