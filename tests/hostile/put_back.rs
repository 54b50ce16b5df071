//! Putting back a fiber that was woken only to find out whether it can raise a kill.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::stackless::{self, Tasklet};

/// Leaves the ring in a destructor during a panic, where no kill is raised.
struct Leaves(Rc<RefCell<Option<Tasklet>>>, &'static str);

impl Drop for Leaves {
    fn drop(&mut self) {
        self.0.replace(Some(stackless::getcurrent()));
        stackless::schedule_remove();
        println!("{} is back", self.1);
    }
}

/// Puts a fiber back, by `how`, that was killed before and is in the ring for that. Returns whether
/// the fiber ended.
fn put_back_after_a_kill(how: fn(&Tasklet)) -> bool {
    fibra::run(|| {
        let slot = Rc::default();
        let leaves = Leaves(Rc::clone(&slot), "the one that was killed");
        let fiber = fibra::spawn(move || {
            let _leaves = leaves;
            panic!("unwinds, and leaves the ring");
        });
        fibra::yield_now();
        let tasklet: Tasklet = slot.take().expect("it has left the ring");
        assert!(tasklet.is_paused());
        fiber.kill();
        how(&tasklet);
        (0..3).for_each(|_| fibra::yield_now());
        fiber.is_finished()
    })
}

#[test]
fn one_that_is_inserted_after_a_kill_that_it_cannot_meet_goes_on() {
    assert!(put_back_after_a_kill(|tasklet| tasklet.insert().unwrap()));
}

#[test]
fn one_that_is_run_after_a_kill_that_it_cannot_meet_goes_on() {
    assert!(put_back_after_a_kill(|tasklet| drop(tasklet.run().unwrap())));
}

#[test]
fn one_that_is_resumed_after_a_kill_that_it_cannot_meet_goes_on() {
    assert!(put_back_after_a_kill(|tasklet| {
        assert!(tasklet.fiber().is_some_and(|fiber| fiber.resume()));
    }));
}
