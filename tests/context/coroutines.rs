//! Regions on the stacks of generators and greenlets.

use fibra::generator;
use fibra::{spawn, yield_now};

use crate::support::{check, log};
use crate::{named, show};

#[test]
fn a_generator_leaves_its_regions_when_it_yields() {
    fibra::run(|| {
        let mut numbers = generator::iter(|y| {
            named("g", || {
                y.yield_(1);
                show("again");
                y.yield_(2);
            });
            show("after");
        });
        assert_eq!(numbers.next(), Some(1));
        show("main");
        named("m", || {
            assert_eq!(numbers.next(), Some(2));
            show("main");
            assert_eq!(numbers.next(), None);
            show("main");
        });
    });
    check("+g -g main[] +m +g again[m,g] -g main[m] +g -g after[m] main[m] -m");
}

#[test]
fn a_fiber_that_waits_in_a_generator_leaves_the_regions_of_both() {
    fibra::run(|| {
        spawn(|| show("other"));
        let mut numbers = generator::iter(|y| {
            named("g", || {
                yield_now();
                show("inside");
                y.yield_(1);
            });
        });
        named("m", || assert_eq!(numbers.next(), Some(1)));
        yield_now();
        show("main");
    });
    check("+m +g -g -m other[] +m +g inside[m,g] -g -m main[] +g -g");
}

#[test]
fn a_generator_without_regions_runs_in_those_of_its_caller() {
    fibra::run(|| {
        let mut numbers = generator::iter(|y| {
            loop {
                show("g");
                yield_now();
                y.yield_(());
            }
        });
        numbers.next();
        named("m", || numbers.next());
        numbers.next();
        yield_now();
    });
    check("g[] +m g[m] -m +m -m g[]");
}

#[test]
fn generators_on_top_of_each_other() {
    fibra::run(|| {
        let mut outer = generator::iter(|y| {
            named("o", || {
                generator::scope(|s| {
                    let mut inner = s.iter(|z| {
                        named("i", || {
                            z.yield_(1);
                            // Leaves both stacks.
                            y.yield_(10);
                            show("both");
                            z.yield_(2);
                        });
                    });
                    let one = inner.next();
                    show("outer");
                    y.yield_(one.unwrap());
                    let two = inner.next();
                    y.yield_(two.unwrap());
                });
            });
        });
        let all: Vec<_> = std::iter::from_fn(|| {
            let next = named("m", || outer.next());
            show("m");
            next
        })
        .collect();
        assert_eq!(all, [1, 10, 2]);
    });
    check(
        "+m +o +i -i outer[m,o] -o -m m[] +m +o +i -i -o -m m[] +m +o +i both[m,o,i] -i -o -m m[] \
         +m +o +i -i -o -m m[]",
    );
}

#[test]
fn a_generator_that_is_dropped_in_a_region_unwinds_in_it() {
    fibra::run(|| {
        let mut numbers = generator::iter(|y| {
            named("g", || {
                let _guard = crate::support::OnDrop(|| show("dropped"));
                y.yield_(1);
            });
        });
        numbers.next();
        log("drop");
        drop(numbers);
        show("main");
    });
    check("+g -g drop +g dropped[g] -g main[]");
}

#[test]
fn a_generator_of_a_plain_thread_stays_in_its_region() {
    fibra::frame(|| {
        let mut numbers = generator::iter(|y| named("g", || y.yield_(1)));
        numbers.next();
        show("thread");
        numbers.next();
    });
    check("+g thread[g] -g");
}

#[cfg(feature = "greenlet")]
#[test]
fn a_greenlet_leaves_its_regions_when_it_switches() {
    use fibra::greenlet::{Greenlet, current};

    fibra::run(|| {
        let main = current::<u32>();
        let other = Greenlet::new(move |value: u32| {
            named("g", || {
                show("started");
                let value = main.switch(value + 1).unwrap();
                show("resumed");
                yield_now();
                value + 1
            })
        });
        spawn(|| show("fiber"));
        assert_eq!(other.switch(1).unwrap(), 2);
        show("main");
        named("m", || assert_eq!(other.switch(5).unwrap(), 6));
        show("main");
    });
    check("+g started[g] -g main[] +m +g resumed[m,g] -g -m fiber[] +m +g -g -m main[]");
}
