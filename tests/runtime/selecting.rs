//! Tests a job as an operation of `select!`.

use fibra::select;
use fibra::sync::oneshot;

use crate::on;
use crate::support::{HOUR, ms};

#[test]
fn a_select_takes_the_job_that_ends_first() {
    on(2, |handle| {
        let (release, released) = oneshot::<()>();
        let mut slow = handle.spawn_on(1, move || released.recv().map(|()| "slow").unwrap());
        let mut fast = handle.spawn_on(1, || "fast");
        let first = select! {
            outcome = join(&mut slow) => outcome,
            outcome = join(&mut fast) => outcome,
            after(HOUR) => panic!("neither has ended"),
        };
        assert_eq!(first, Ok("fast"));
        select! {
            _ = join(&mut slow) => panic!("it waits"),
            after(ms(2)) => {}
        }
        release.send(()).unwrap();
        let second = select! {
            outcome = join(&mut slow) => outcome,
            after(HOUR) => panic!("it does not end"),
        };
        assert_eq!(second, Ok("slow"));
    });
}
