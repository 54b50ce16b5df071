//! `greenlet::parent`, which a greenlet uses to return values to the greenlet that made it.

use fibra::frame;
use fibra::greenlet::{self, Greenlet};

use crate::support::{Noisy, check, log};

#[test]
fn the_parent_of_the_running_greenlet() {
    frame(|| {
        assert!(greenlet::parent::<i64>().is_none(), "main has none");
        let outer = Greenlet::new(|_: i64| {
            let me = greenlet::current::<i64>();
            let inner = Greenlet::new(move |n: i64| {
                let parent = greenlet::parent::<i64>().unwrap();
                log(parent == me);
                parent.switch(n + 1).unwrap()
            });
            inner.switch(1).unwrap()
        });
        log(outer.switch(0).unwrap());
    });
    check("true 2");
}

/// With `current().parent()`, the temporary handle to itself would live as long as the switch.
#[test]
fn to_switch_to_the_parent_does_not_keep_a_greenlet_alive() {
    frame(|| {
        let g = Greenlet::new(|n: i64| {
            let _noisy = Noisy("unwound");
            greenlet::parent().unwrap().switch(n).unwrap()
        });
        log(g.switch(1).unwrap());
        drop(g);
        log("dropped");
        check("1 unwound dropped");
    });
}

#[test]
#[should_panic(expected = "exchanges values of type `i64`, and not of type")]
fn the_parent_of_a_greenlet_of_another_family_is_refused() {
    frame(|| {
        let g = Greenlet::new(|n: i64| {
            drop(greenlet::parent::<String>());
            n
        });
        g.switch(0).unwrap();
    });
}
