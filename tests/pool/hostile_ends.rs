//! Members that use their group or pool while they end: in destructors of fiber-locals and
//! outputs.

use std::cell::RefCell;
use std::rc::Rc;

use fibra::JoinError;
use fibra::pool::{Group, Pool, as_completed, race};

use crate::support::{OnDrop, check, log, ms, run_virtually};

fibra::local! { static LAST: RefCell<Option<OnDrop<Box<dyn FnMut()>>>> = RefCell::new(None); }

/// Runs `f` in the destructor of a fiber-local of the caller.
fn at_the_end(f: impl FnMut() + 'static) {
    LAST.with(|last| *last.borrow_mut() = Some(OnDrop(Box::new(f))));
}

#[test]
fn a_member_adds_others_at_its_end() {
    run_virtually(|| {
        let group = Group::new();
        let inner = group.clone();
        group.spawn(move || {
            at_the_end(move || {
                let sleeper = fibra::spawn(|| {
                    fibra::sleep(ms(10));
                    2
                });
                inner.add(sleeper);
                inner.add(fibra::spawn_now(|| 3));
                fibra::sleep(ms(5));
                inner.spawn(|| 4);
            });
            1
        });
        log(group.iter().map(|outcome| outcome.unwrap().to_string()).collect::<String>());
        assert!(group.is_empty());
    });
    check("3142");
}

#[test]
fn a_member_drops_the_last_handle_of_its_group_at_its_end() {
    run_virtually(|| {
        let group = Rc::new(RefCell::new(Some(Group::new())));
        let (inner, outputs) = (group.clone(), ["first", "second"]);
        for output in outputs {
            let inner = inner.clone();
            group.borrow().as_ref().unwrap().spawn(move || {
                at_the_end(move || drop(inner.borrow_mut().take()));
                OnDrop(move || {
                    fibra::yield_now();
                    log(output);
                })
            });
        }
        fibra::sleep(ms(1));
        assert!(group.borrow().is_none());
    });
    check("first second");
}

#[test]
fn a_member_kills_all_at_its_end() {
    run_virtually(|| {
        let (group, pool) = (Group::new(), Pool::new(2));
        let (in_group, in_pool) = (group.clone(), pool.clone());
        group.add(pool.spawn(move || {
            at_the_end(move || {
                in_group.kill_all(); // including this member, of which only this destructor is left
                in_pool.kill();
            });
        }));
        group.add(pool.spawn(|| fibra::sleep(ms(60_000))));
        let outcomes: Vec<_> = group.iter().map(|outcome| outcome.is_ok()).collect();
        assert_eq!(outcomes, [true, false]);
        pool.join().unwrap();
        assert_eq!(fibra::stats().fibers, 1);
    });
}

#[test]
fn a_fiber_is_waited_for_by_several_at_once() {
    run_virtually(|| {
        let pool = Pool::new(1);
        let (group, other) = (Group::new(), Group::<()>::new());
        group.add(pool.spawn(|| fibra::sleep(ms(10))));
        // The end of this member releases the permit, is read from one group, and ends a race that
        // waits for the permit.
        let winner = race([pool.clone()].map(|pool| move || pool.apply(|| "placed")));
        assert_eq!(winner.unwrap(), "placed");
        assert!(matches!(group.next(), Some(Ok(()))) && other.next().is_none());
        let late = as_completed([pool.spawn(|| 1), pool.spawn(|| 2)]);
        assert_eq!(late.map(Result::<u32, JoinError>::unwrap).sum::<u32>(), 3);
    });
}
