//! Contexts at the waits and yields of a fiber.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fibra::channel::{self, Channel, Preference};
use fibra::sync::{Mutex, mpmc};
use fibra::{sleep, spawn, yield_now};

use crate::support::{check, log, ms, run_virtually};
use crate::{named, show};

#[test]
fn a_yield_takes_the_context_off_and_puts_it_back() {
    fibra::run(|| {
        let other = spawn(|| show("other"));
        named("a", || {
            show("in");
            yield_now();
            show("back");
        });
        show("out");
        other.join().unwrap();
    });
    check("+a in[a] -a other[] +a back[a] -a out[]");
}

#[test]
fn regions_nest() {
    fibra::run(|| {
        spawn(|| {
            named("x", || {
                show("x");
                yield_now();
                show("x")
            })
        });
        named("a", || {
            named("b", || {
                named("c", || {
                    yield_now();
                    show("abc")
                })
            })
        });
        yield_now();
    });
    check("+a +b +c -c -b -a +x x[x] -x +a +b +c abc[a,b,c] -c -b -a +x x[x] -x");
}

#[test]
fn many_regions_are_entered_from_the_outermost_inwards() {
    const NAMES: [&str; 40] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
        "17", "18", "19", "20", "21", "22", "23", "24", "25", "26", "27", "28", "29", "30", "31",
        "32", "33", "34", "35", "36", "37", "38", "39",
    ];
    fn nest(depth: usize) {
        if depth == NAMES.len() {
            crate::support::forget_trace();
            yield_now();
            return check(&expected());
        }
        named(NAMES[depth], || nest(depth + 1));
    }
    fn expected() -> String {
        let left = NAMES.iter().rev().map(|name| format!("-{name}"));
        left.chain(NAMES.iter().map(|name| format!("+{name}"))).collect::<Vec<_>>().join(" ")
    }
    fibra::run(|| nest(0));
}

#[test]
fn a_park_takes_the_context_off() {
    fibra::run(|| {
        let parked = spawn(|| {
            named("a", || {
                fibra::park();
                show("unparked");
            });
        });
        yield_now();
        show("main");
        parked.fiber().unpark();
        parked.join().unwrap();
    });
    check("+a -a main[] +a unparked[a] -a");
}

#[test]
fn a_wait_that_need_not_suspend_changes_nothing() {
    fibra::run(|| {
        let (tx, rx) = channel::bounded(1);
        named("a", || {
            tx.send(1).unwrap();
            show("sent");
            rx.recv().unwrap();
            fibra::current().unpark();
            fibra::park();
        });
    });
    check("+a sent[a] -a");
}

#[test]
fn a_spurious_wake_does_not_call_the_context() {
    run_virtually(|| {
        let waiter = spawn(|| {
            named("a", || fibra::sync::Event::new().wait_timeout(ms(5)).unwrap_err());
        });
        yield_now();
        waiter.fiber().unpark();
        yield_now();
        log("main");
        waiter.join().unwrap();
    });
    check("+a -a main +a -a");
}

#[test]
fn a_sleep_and_a_time_limit() {
    run_virtually(|| {
        let sleeper = spawn(|| {
            named("s", || {
                sleep(ms(1));
                show("slept");
                fibra::park_timeout(ms(1));
                show("parked");
                assert!(fibra::time::timeout(ms(1), fibra::park).is_err());
                show("cancelled");
            });
        });
        yield_now();
        show("main");
        sleeper.join().unwrap();
    });
    check("+s -s main[] +s slept[s] -s +s parked[s] -s +s cancelled[s] -s");
}

#[test]
fn a_channel_that_prefers_the_receiver() {
    exchange(Preference::Receiver);
    check("+r -r +s -s +r 1[r] -r +s sent[s] -s +r 2[r] -r +s sent[s] -s main[]");
}

#[test]
fn a_channel_that_prefers_the_sender() {
    exchange(Preference::Sender);
    check("+r -r +s sent[s] -s +r 1[r] -r +s sent[s] -s main[] +r 2[r] -r");
}

#[test]
fn a_channel_without_preference() {
    exchange(Preference::Neither);
    check("+r -r +s sent[s] -s +r 1[r] 2[r] -r +s sent[s] -s main[]");
}

fn exchange(preference: Preference) {
    fibra::run(|| {
        let channel = Channel::new();
        channel.set_preference(preference);
        let other = channel.clone();
        let receiver = spawn(move || {
            named("r", || {
                show(other.recv().unwrap());
                show(other.recv().unwrap());
            });
        });
        yield_now();
        named("s", || {
            channel.send("1").unwrap();
            show("sent");
            channel.send("2").unwrap();
            show("sent");
        });
        show("main");
        receiver.join().unwrap();
    });
}

#[test]
fn bounded_channels_and_locks() {
    fibra::run(|| {
        let (tx, rx) = channel::bounded(1);
        let lock = std::rc::Rc::new(Mutex::new(0));
        let shared = lock.clone();
        let sender = spawn(move || {
            named("s", || {
                tx.send(1).unwrap();
                tx.send(2).unwrap();
                *shared.lock() += 1;
                show("locked");
            });
        });
        let guard = lock.lock();
        yield_now();
        show("main");
        assert_eq!(rx.recv(), Ok(1));
        assert_eq!(rx.recv(), Ok(2));
        yield_now();
        show("main");
        drop(guard);
        sender.join().unwrap();
    });
    check("+s -s main[] +s -s main[] +s locked[s] -s");
}

#[test]
fn select_and_channels_of_other_threads() {
    fibra::run(|| {
        let (tx, rx) = mpmc::unbounded::<u32>();
        let (local_tx, local_rx) = channel::unbounded::<u32>();
        let chooser = spawn(move || {
            named("c", || {
                for _ in 0..2 {
                    fibra::select! {
                        value = recv(rx) => { log(value.unwrap()) },
                        value = recv(local_rx) => { log(value.unwrap()) },
                    }
                    show("chose");
                }
            });
        });
        yield_now();
        show("main");
        let other = tx.clone();
        std::thread::scope(|scope| scope.spawn(|| other.send(1)).join().unwrap().unwrap());
        sleep(ms(1));
        show("main");
        local_tx.send(2).unwrap();
        chooser.join().unwrap();
        drop(tx);
    });
    check("+c -c main[] +c 1 chose[c] -c main[] +c 2 chose[c] -c");
}

#[test]
fn an_external_wait() {
    fibra::run(|| {
        let (tx, rx) = std::sync::mpsc::channel();
        let blocked = spawn(move || {
            named("b", || {
                fibra::blocking(move || rx.recv().unwrap());
                show("done");
            });
        });
        yield_now();
        show("main");
        tx.send(()).unwrap();
        blocked.join().unwrap();
    });
    check("+b -b main[] +b done[b] -b");
}

#[test]
fn scopes_and_joins() {
    fibra::run(|| {
        named("a", || {
            fibra::scope(|scope| {
                scope.spawn(|| show("child"));
                show("body");
            });
            show("scope");
            spawn(|| show("joined")).join().unwrap();
            fibra::spawn_now(|| show("now")).join().unwrap();
            show("end");
        });
    });
    check("+a body[a] -a child[] +a scope[a] -a joined[] +a -a now[] +a end[a] -a");
}

#[test]
fn a_borrowed_stack_is_a_part_of_the_fiber() {
    fibra::run(|| {
        named("a", || {
            fibra::with_stack_size(1 << 20, || {
                named("b", || {
                    yield_now();
                    show("large");
                });
            });
            yield_now();
            show("small");
        });
    });
    check("+a +b -b -a +a +b large[a,b] -b -a +a small[a] -a");
}

#[test]
fn tasklets_switch_with_their_contexts() {
    use fibra::stackless;

    fibra::run(|| {
        let print = |name: &'static str| {
            stackless::spawn(move || {
                named(name, || {
                    stackless::schedule();
                    show("again");
                });
            })
        };
        let (a, b) = (print("a"), print("b"));
        named("m", || {
            a.run().unwrap();
            show("ran");
            b.run().unwrap();
            show("ran");
            let main = stackless::getcurrent();
            let last = stackless::spawn(move || main.insert().unwrap());
            last.switch().unwrap();
            show("switched");
            stackless::run();
            show("run");
        });
    });
    check(
        "+m -m +a -a +b -b +m ran[m] -m +b again[b] -b +m ran[m] -m +a again[a] -a +m switched[m] \
         -m +m run[m] -m",
    );
}

#[test]
fn a_runtime_of_two_threads() {
    static BOTH: AtomicBool = AtomicBool::new(false);
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    runtime.run(|| {
        let handle = fibra::Handle::current();
        let jobs: Vec<_> = (0..20)
            .map(|_| {
                handle.spawn(|| {
                    named("j", || {
                        for _ in 0..10 {
                            yield_now();
                            crate::CURRENT.with_borrow(|names| assert_eq!(*names, ["j"]));
                            sleep(Duration::from_micros(50));
                            crate::CURRENT.with_borrow(|names| assert_eq!(*names, ["j"]));
                        }
                    });
                    BOTH.store(true, Ordering::Relaxed);
                })
            })
            .collect();
        jobs.into_iter().for_each(|job| job.join().unwrap());
        crate::CURRENT.with_borrow(|names| assert!(names.is_empty()));
    });
    crate::support::forget_trace();
    assert!(BOTH.load(Ordering::Relaxed));
}
