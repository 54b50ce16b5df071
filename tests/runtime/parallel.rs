//! Tests `par` by its rules: borrows end before a scope does whatever happens, results are in
//! order, a slow consumer stops `imap`.

use std::cell::RefCell;
use std::num::NonZero;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use fibra::par;

use crate::support::{
    DONE_LINE, HOUR, OnDrop, caught, in_child, ms, name_of, panic_of, quiet_panic, stderr,
};
use crate::{Count, on, sleep_until, spin_until};

#[test]
fn jobs_of_a_scope_borrow_from_the_caller_and_run_on_every_thread() {
    on(2, |_| {
        let started = Count::default();
        let mut threads = [None, None];
        par::scope(|s| {
            for place in &mut threads {
                s.spawn(|| {
                    *place = Some(thread::current().id());
                    started.add();
                    spin_until(|| started.get() == 2); // so each has a thread to itself
                });
            }
        });
        assert_ne!(threads[0], threads[1]);
        assert!(threads.iter().all(Option::is_some));
    });
}

#[test]
fn a_scope_waits_for_jobs_that_jobs_have_spawned() {
    for threads in [1, 2] {
        let count = Count::default();
        on(threads, |_| {
            fn spawn<'scope>(s: &'scope par::Scope<'scope, '_>, depth: u32, count: &'scope Count) {
                if depth == 0 {
                    fibra::sleep(ms(1));
                    count.add();
                } else {
                    (0..3).for_each(|_| drop(s.spawn(move || spawn(s, depth - 1, count))));
                }
            }
            par::scope(|s| spawn(s, 4, &count));
            assert_eq!(count.get(), 81);
        });
    }
}

#[test]
fn a_job_of_a_scope_is_joined_and_has_a_value_that_may_borrow() {
    on(2, |_| {
        let words = [String::from("green"), String::from("threads")];
        let longest = par::scope(|s| {
            let words: Vec<_> = words.iter().map(|word| s.spawn(|| word.as_str())).collect();
            words.into_iter().map(|word| word.join().unwrap()).max_by_key(|word| word.len())
        });
        assert_eq!(longest, Some("threads"));
    });
}

#[test]
fn a_panic_of_a_job_that_was_not_joined_comes_out_of_the_scope_after_all_jobs_have_ended() {
    for threads in [1, 2] {
        on(threads, |_| {
            let ended = Count::default();
            let text = panic_of(|| {
                par::scope(|s| {
                    s.spawn(|| quiet_panic("out of milk"));
                    for _ in 0..5 {
                        s.spawn(|| {
                            fibra::sleep(ms(3));
                            ended.add();
                        });
                    }
                });
            });
            assert_eq!((text.as_str(), ended.get()), ("out of milk", 5));
        });
    }
}

#[test]
fn a_panic_of_a_job_that_was_joined_is_the_joiners() {
    on(2, |_| {
        let ok = par::scope(|s| {
            let job = s.spawn(|| -> () { quiet_panic("read") });
            job.join().unwrap_err().is_panic()
        });
        assert!(ok);
    });
}

#[test]
fn a_panic_of_the_body_waits_for_the_jobs() {
    on(2, |_| {
        let ended = Count::default();
        let text = panic_of(|| {
            par::scope(|s| {
                for _ in 0..5 {
                    s.spawn(|| {
                        fibra::sleep(ms(3));
                        ended.add();
                    });
                }
                quiet_panic("the body has failed")
            })
        });
        assert_eq!((text.as_str(), ended.get()), ("the body has failed", 5));
    });
}

#[test]
fn a_kill_of_the_caller_kills_its_jobs_everywhere_and_waits_for_their_clean_up() {
    on(2, |handle| {
        let (started, cleaned) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (starts, cleans) = (started.clone(), cleaned.clone());
        let owner = handle.spawn_on(0, move || {
            let borrowed = Count::default();
            let _guard = OnDrop(|| assert_eq!(cleans.get(), 4));
            par::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| {
                        borrowed.add();
                        starts.add();
                        fibra::finally(fibra::park, || {
                            fibra::sleep(ms(3));
                            borrowed.add();
                            cleans.add();
                        });
                    });
                }
                fibra::park();
            });
        });
        sleep_until(|| started.get() == 4);
        owner.kill_with("the user has left");
        let error = owner.join().unwrap_err();
        assert_eq!(error.to_string(), "the fiber was killed: the user has left");
        assert_eq!(cleaned.get(), 4);
    });
}

#[test]
fn a_time_limit_around_a_scope_ends_its_jobs() {
    on(2, |_| {
        let ended = Count::default();
        let outcome = fibra::time::timeout(ms(5), || {
            par::scope(|s| {
                for _ in 0..4 {
                    s.spawn(|| {
                        let _guard = OnDrop(|| _ = ended.add());
                        fibra::sleep(HOUR);
                    });
                }
            });
        });
        assert!(outcome.is_err());
        assert!(ended.get() <= 4); // those that had not started never did
        assert_eq!(on_a_new_job(), 1); // and the runtime works
    });
}

fn on_a_new_job() -> u32 {
    par::spawn(|| 1).join().unwrap()
}

#[test]
fn the_end_of_the_runtime_ends_scopes_that_jobs_have_open() {
    let unwound = Arc::new(Count::default());
    on(3, |handle| {
        let (started, unwinds) = (Arc::new(Count::default()), unwound.clone());
        let starts = started.clone();
        handle
            .spawn_on(1, move || {
                let data = [1, 2, 3];
                let _guard = OnDrop(|| _ = unwinds.add());
                par::scope(|s| {
                    for n in &data {
                        let starts = &starts;
                        s.spawn(move || {
                            starts.add();
                            fibra::park();
                            assert_eq!(*n, 0, "it is killed in its wait");
                        });
                    }
                });
            })
            .detach();
        // This scheduler computes, so the jobs are on the others.
        spin_until(|| started.get() == 3);
    });
    assert_eq!(unwound.get(), 1);
}

#[test]
fn map_returns_the_results_in_order_whatever_the_length() {
    for threads in [1, 2, 3] {
        on(threads, |_| {
            for length in [0, 1, 2, 3, 7, 64, 1_000, 10_007] {
                let items: Vec<u64> = (0..length).collect();
                let squares = par::map(&items, |n| n * n);
                assert!(squares.iter().zip(&items).all(|(square, n)| *square == n * n));
                assert_eq!(squares.len(), items.len());
            }
        });
    }
}

#[test]
fn map_calls_the_closure_once_per_item_and_items_may_take_different_times() {
    on(2, |_| {
        let calls = Count::default();
        let items: Vec<u32> = (0..500).collect();
        let results = par::map(&items, |n| {
            calls.add();
            if n % 100 == 0 {
                fibra::sleep(ms(2));
            }
            *n
        });
        assert_eq!((results, calls.get()), (items.clone(), 500));
    });
}

#[test]
fn map_uses_the_other_threads() {
    on(2, |_| {
        let (here, elsewhere) = (thread::current().id(), Count::default());
        let items = [0; 1_000];
        par::for_each(&items, |_| {
            if thread::current().id() == here {
                spin_until(|| elsewhere.get() != 0); // until another thread has done an item
            } else {
                elsewhere.add();
            }
        });
    });
}

#[test]
fn a_panic_in_map_comes_out_after_all_calls_have_ended() {
    on(2, |_| {
        let items: Vec<u32> = (0..100).collect();
        let running = Count::default();
        let text = panic_of(|| {
            par::map(&items, |n| {
                running.add();
                let _guard = OnDrop(|| _ = running.0.fetch_sub(1, Ordering::SeqCst));
                fibra::yield_now();
                if *n == 50 { quiet_panic("item 50") } else { *n }
            })
        });
        assert_eq!((text.as_str(), running.get()), ("item 50", 0));
    });
}

#[test]
fn for_each_mut_changes_each_item_once() {
    on(2, |_| {
        let mut items: Vec<u32> = (0..1_000).collect();
        par::for_each_mut(&mut items, |n| *n += 1);
        assert!(items.iter().zip(1..).all(|(n, expected)| *n == expected));
    });
}

#[test]
fn join_runs_both_and_returns_both() {
    fn sum(numbers: &[u64]) -> u64 {
        match numbers {
            [] => 0,
            [n] => *n,
            _ => {
                let (left, right) = numbers.split_at(numbers.len() / 2);
                let (left, right) = par::join(|| sum(left), || sum(right));
                left + right
            }
        }
    }
    for threads in [1, 2, 3] {
        let numbers: Vec<u64> = (0..2_000).collect();
        assert_eq!(on(threads, |_| sum(&numbers)), 1_999 * 2_000 / 2);
    }
}

#[test]
fn the_first_closure_of_join_stays_here_and_the_second_may_go() {
    on(2, |_| {
        let (here, second) = (thread::current().id(), Count::default());
        let not_send = std::rc::Rc::new(1);
        let (first, there) = par::join(
            || {
                spin_until(|| second.get() == 1); // so the second runs elsewhere
                (*not_send, thread::current().id())
            },
            || {
                second.add();
                thread::current().id()
            },
        );
        assert_eq!(first, (1, here));
        assert_ne!(there, here);
    });
}

#[test]
fn a_panic_in_join_waits_for_the_other_closure() {
    on(2, |_| {
        for fails_first in [true, false] {
            let ended = Count::default();
            let (slow, fail) = (
                || {
                    fibra::sleep(ms(2));
                    ended.add();
                },
                || quiet_panic("one of two"),
            );
            let both = || {
                if fails_first {
                    par::join(fail, slow);
                } else {
                    par::join(slow, fail);
                }
            };
            assert_eq!(panic_of(both), "one of two");
            // Started before the panic, it ends before `join` does; it need not have started.
            assert!(ended.get() <= 1);
        }
    });
}

#[test]
fn the_second_closure_of_join_runs_here_if_none_has_taken_it() {
    for threads in [1, 2] {
        on(threads, |_| {
            let mut here = 0;
            for _ in 0..1_000 {
                let me = fibra::current().id();
                let (first, second) = par::join(|| fibra::current().id(), || fibra::current().id());
                assert_eq!(first, me);
                here += u32::from(second == me);
            }
            assert!(0 < here && (threads == 2 || here == 1_000), "{here} of 1,000");
        });
    }
}

#[test]
fn the_first_closure_of_join_may_wait_for_the_second() {
    for threads in [1, 2] {
        on(threads, |_| {
            let (sender, receiver) = fibra::sync::mpmc::bounded(1);
            let both = par::join(|| receiver.recv(), || sender.send(7));
            assert_eq!(both, (Ok(7), Ok(())));
        });
    }
}

#[test]
fn after_a_panic_of_the_first_closure_of_join_the_second_still_runs() {
    on(1, |_| {
        let ended = Count::default();
        let text = panic_of(|| par::join(|| quiet_panic("the first"), || ended.add()));
        assert_eq!((text.as_str(), ended.get()), ("the first", 1));
    });
}

#[test]
fn a_kill_of_the_caller_of_join_kills_the_second_closure_and_waits_for_it() {
    on(2, |handle| {
        let (started, cleaned) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (starts, cleans) = (started.clone(), cleaned.clone());
        let owner = handle.spawn_on(0, move || {
            let borrowed = Count::default();
            let _guard = OnDrop(|| assert_eq!((borrowed.get(), cleans.get()), (2, 1)));
            let second = || {
                borrowed.add();
                starts.add();
                fibra::finally(fibra::park, || {
                    fibra::sleep(ms(3));
                    borrowed.add();
                    cleans.add();
                });
            };
            par::join(fibra::park, second);
        });
        while started.get() < 1 {
            fibra::sleep(ms(1));
        }
        owner.kill_with("the user has left");
        let error = owner.join().unwrap_err();
        assert_eq!(error.to_string(), "the fiber was killed: the user has left");
        assert_eq!(cleaned.get(), 1);
    });
}

#[test]
fn a_kill_before_the_second_closure_of_join_has_started_drops_it() {
    fibra::run(|| {
        let (ran, dropped) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (runs, drops) = (ran.clone(), dropped.clone());
        let fiber = fibra::spawn(move || {
            let guard = OnDrop(move || _ = drops.add());
            let second = move || {
                let _guard = guard;
                runs.add();
            };
            let kill_itself = || {
                fibra::current().kill();
                fibra::checkpoint();
            };
            par::join(kill_itself, second);
        });
        assert!(fiber.join().unwrap_err().is_killed());
        assert_eq!((ran.get(), dropped.get()), (0, 1));
    });
}

#[test]
fn a_time_limit_around_a_join_ends_its_second_closure() {
    for threads in [1, 2] {
        on(threads, |_| {
            let ended = Count::default();
            let outcome = fibra::time::timeout(ms(5), || {
                let second = || {
                    let _guard = OnDrop(|| _ = ended.add());
                    fibra::sleep(HOUR);
                };
                par::join(|| fibra::sleep(ms(1)), second);
            });
            assert!(outcome.is_err());
            assert_eq!(ended.get(), 1);
            assert_eq!(on_a_new_job(), 1);
        });
    }
}

#[test]
fn a_long_chain_of_second_closures_overflows_no_stack() {
    fn chain(n: u32) -> u32 {
        if n == 0 { 0 } else { par::join(|| 1, || chain(n - 1)).1 + 1 }
    }
    for threads in [1, 2] {
        assert_eq!(on(threads, |_| par::spawn(|| chain(20_000)).join().unwrap()), 20_000);
    }
}

#[test]
fn joins_within_a_limit_of_queued_jobs_wait_for_room() {
    fn leaves(n: u32) -> u32 {
        if n == 1 {
            return 1;
        }
        let (left, right) = par::join(|| leaves(n / 2), || leaves(n - n / 2));
        left + right
    }
    let runtime = fibra::Runtime::builder().threads(2).max_queued_jobs(12).build().unwrap();
    assert_eq!(runtime.run(|| leaves(1_000)), 1_000);
}

#[test]
fn jobs_that_the_first_closure_of_join_has_spawned_do_not_hide_the_second() {
    on(1, |_| {
        let ran = Arc::new(Count::default());
        for _ in 0..100 {
            let runs = ran.clone();
            let spawn = || par::spawn(move || _ = runs.add()).detach();
            let me = fibra::current().id();
            assert_eq!(par::join(spawn, || fibra::current().id()).1, me);
        }
        while ran.get() < 100 {
            fibra::yield_now();
        }
    });
}

#[test]
fn the_second_closure_of_join_elsewhere_inherits_like_a_job() {
    fibra::local! {
        static inherit send NAME: RefCell<String> = RefCell::new(String::from("none"));
    }
    on(2, |_| {
        NAME.with(|name| *name.borrow_mut() = String::from("mine"));
        let name = || NAME.with(|name| name.borrow().clone());
        let second = Count::default();
        let first = || spin_until(|| second.get() == 1);
        let elsewhere = || {
            second.add();
            name()
        };
        assert_eq!(par::join(first, elsewhere).1, "mine");
        assert_eq!(par::join(|| (), name).1, "mine");
    });
}

#[test]
fn imap_returns_the_results_in_order() {
    on(2, |_| {
        let slow_sometimes = |n: u64| {
            if n % 7 == 0 {
                fibra::sleep(ms(1));
            }
            n * n
        };
        let squares: Vec<u64> = par::imap(0..200, slow_sometimes).collect();
        assert!(squares.iter().zip(0..).all(|(square, n)| *square == n * n));
        assert_eq!(squares.len(), 200);
    });
}

#[test]
fn a_slow_consumer_stops_imap() {
    on(2, |_| {
        let started = Arc::new(Count::default());
        let starts = started.clone();
        let mut results = par::imap_within(NonZero::new(3).unwrap(), 0.., move |n: u32| {
            starts.add();
            n
        });
        for taken in 0..50 {
            assert_eq!(results.next(), Some(taken));
            fibra::sleep(ms(1));
            assert!(started.get() <= taken + 1 + 3, "{} after {taken}", started.get());
        }
    });
}

#[test]
fn a_dropped_imap_kills_its_jobs() {
    on(2, |_| {
        let (started, ended) = (Arc::new(Count::default()), Arc::new(Count::default()));
        let (starts, ends) = (started.clone(), ended.clone());
        let mut results = par::imap_within(NonZero::new(4).unwrap(), 0_u32.., move |n| {
            let _guard = OnDrop(|| _ = ends.add());
            starts.add();
            if n != 0 {
                fibra::park();
            }
            n
        });
        assert_eq!(results.next(), Some(0));
        drop(results);
        // Each job that has started is killed.
        sleep_until(|| ended.get() == started.get());
    });
}

#[test]
fn a_panic_of_an_item_comes_out_of_next() {
    on(2, |_| {
        let mut results = par::imap(0..10_u32, |n| if n == 3 { quiet_panic("item 3") } else { n });
        assert_eq!([results.next(), results.next(), results.next()], [Some(0), Some(1), Some(2)]);
        let text = panic_of(|| results.next());
        assert_eq!(text, "item 3");
    });
}

#[test]
fn in_a_plain_run_all_of_par_works_on_its_one_thread() {
    fibra::run(|| {
        let here = thread::current().id();
        let ids = par::map(&[0; 100], |_| thread::current().id());
        assert!(ids.iter().all(|id| *id == here));
        assert_eq!(par::join(|| 1, || 2), (1, 2));
        assert_eq!(par::imap(0..3, |n| n + 1).collect::<Vec<_>>(), [1, 2, 3]);
        let sum = AtomicU64::new(0);
        par::scope(|s| {
            (0..10).for_each(|n| {
                let sum = &sum;
                s.spawn(move || sum.fetch_add(n, Ordering::Relaxed));
            });
        });
        assert_eq!(sum.into_inner(), 45);
    });
}

#[test]
fn outside_of_a_fiber_par_panics() {
    assert!(caught(|| par::scope(|_| ())));
    assert!(caught(|| par::map(&[1], |n| *n)));
    assert!(caught(|| par::join(|| (), || ())));
    assert!(caught(|| drop(par::imap(0..1, |n| n))));
}

#[test]
fn scopes_nest_and_random_failures_leave_no_borrow_behind() {
    // In a process of its own, because it prints the second panic of each scope.
    let test = name_of!(scopes_nest_and_random_failures_leave_no_borrow_behind);
    let output = in_child(test, &[], random_failures);
    let text = stderr(&output);
    assert!(text.ends_with(DONE_LINE), "{text}");
}

fn random_failures() {
    on(2, |_| {
        let mut random = crate::support::sync::Random::new(11);
        for _ in 0..200 {
            let (fails, kills, depth) = (random.below(6), random.below(4), random.below(3));
            let alive = Count::default();
            let work = |n: u64| {
                alive.add();
                let _guard = OnDrop(|| _ = alive.0.fetch_sub(1, Ordering::SeqCst));
                fibra::yield_now();
                if n == fails {
                    quiet_panic("chosen");
                }
            };
            let work = &work;
            let _ = panic::catch_unwind(AssertUnwindSafe(|| {
                par::scope(|s| {
                    for n in 0..5 {
                        let job = s.spawn(move || {
                            if depth == 0 {
                                return work(n);
                            }
                            par::scope(|inner| {
                                inner.spawn(move || work(n));
                                inner.spawn(move || work(n + 1));
                            });
                        });
                        if n == kills {
                            job.kill();
                        }
                    }
                });
            }));
            assert_eq!(alive.get(), 0);
        }
    });
}
