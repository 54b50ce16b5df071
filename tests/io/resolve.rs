//! Tests looking up names: addresses that need no lookup, callers that share an answer, callers
//! that leave.

#![allow(clippy::disallowed_methods, reason = "plain threads, which may block")]

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use fibra::net::{Resolver, lookup_host};
use fibra::time::timeout;
use fibra::{spawn, yield_now};

use crate::support::{check, log, ms, run_virtually};

const HOST: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// A resolver that answers when the test sends an answer, and counts its calls.
struct Slow {
    resolver: Resolver,
    asked: Arc<AtomicUsize>,
    begun: Receiver<String>,
    answer: Sender<io::Result<Vec<IpAddr>>>,
}

fn slow() -> Slow {
    let asked = Arc::new(AtomicUsize::new(0));
    let (begin, begun) = channel();
    let (answer, answers) = channel();
    let (counts, ends) = (asked.clone(), Mutex::new((begin, answers)));
    let resolver = Resolver::new(move |name| {
        counts.fetch_add(1, Ordering::SeqCst);
        let ends = ends.lock().unwrap();
        ends.0.send(name.to_owned()).unwrap();
        ends.1.recv().unwrap()
    });
    Slow { resolver, asked, begun, answer }
}

fn found(addrs: impl Iterator<Item = SocketAddr>) -> String {
    addrs.map(|addr| addr.to_string()).collect::<Vec<_>>().join(" ")
}

#[test]
fn addresses_need_no_resolver() {
    let never = Resolver::new(|name| panic!("asked for {name}"));
    let addr: SocketAddr = ([127, 0, 0, 1], 80).into();
    fibra::run(|| {
        let found = |addrs: io::Result<fibra::net::LookupHost>| found(addrs.unwrap());
        assert_eq!(found(never.lookup_host(addr)), "127.0.0.1:80");
        assert_eq!(found(never.lookup_host("127.0.0.1:80")), "127.0.0.1:80");
        assert_eq!(found(never.lookup_host("[::1]:80")), "[::1]:80");
        assert_eq!(found(never.lookup_host(("::1", 80))), "[::1]:80");
        assert_eq!(found(never.lookup_host((Ipv6Addr::LOCALHOST, 80))), "[::1]:80");
        assert_eq!(found(never.lookup_host((Ipv4Addr::LOCALHOST, 80))), "127.0.0.1:80");
        assert_eq!(found(never.lookup_host(&[addr, addr][..])), "127.0.0.1:80 127.0.0.1:80");
        assert_eq!(found(never.lookup_host(String::from("1.2.3.4:5"))), "1.2.3.4:5");
        for text in ["", "localhost", "localhost:", "localhost:http", "a:b:c"] {
            assert_eq!(never.lookup_host(text).unwrap_err().kind(), ErrorKind::InvalidInput);
        }
    });
}

#[test]
fn the_system_knows_this_machine() {
    let here = |addrs: fibra::net::LookupHost| {
        assert_ne!(addrs.len(), 0);
        addrs.for_each(|addr| assert!(addr.ip().is_loopback() && addr.port() == 80));
    };
    fibra::run(|| {
        here(lookup_host("localhost:80").unwrap());
        here(lookup_host(("localhost", 80)).unwrap());
        here(Resolver::system().lookup_host("localhost:80").unwrap());
    });
    here(lookup_host("localhost:80").unwrap()); // on a plain thread
}

#[test]
fn an_error_of_the_system_names_the_host() {
    // A label of a name cannot be empty, so no server has to be asked.
    let fails = || lookup_host("no..name:80").unwrap_err().to_string();
    assert!(fails().contains("cannot look up no..name: "), "{}", fails());
    assert_eq!(fibra::run(fails), fails());
}

#[test]
fn other_fibers_run_while_a_name_is_looked_up() {
    let Slow { resolver, begun, answer, .. } = slow();
    fibra::run(|| {
        let asker = spawn(move || log(found(resolver.lookup_host("host:80").unwrap())));
        yield_now();
        log(begun.recv().unwrap());
        yield_now();
        log("meanwhile");
        answer.send(Ok(vec![HOST, Ipv6Addr::LOCALHOST.into()])).unwrap();
        asker.join().unwrap();
    });
    check("host meanwhile 10.0.0.1:80 [::1]:80");
}

#[test]
fn callers_that_ask_for_the_same_name_share_the_answer() {
    let Slow { resolver, asked, begun, answer } = slow();
    fibra::run(|| {
        let askers: Vec<_> = (0..10)
            .map(|port| {
                let resolver = resolver.clone();
                spawn(move || found(resolver.lookup_host(("host", port)).unwrap()))
            })
            .collect();
        yield_now();
        begun.recv().unwrap();
        // From another thread as well.
        let elsewhere = thread::spawn({
            let resolver = resolver.clone();
            move || fibra::run(|| found(resolver.lookup_host("host:99").unwrap()))
        });
        answer.send(Ok(vec![HOST])).unwrap();
        for (port, asker) in askers.into_iter().enumerate() {
            assert_eq!(asker.join().unwrap(), format!("10.0.0.1:{port}"));
        }
        // This holds whether or not the thread came in time to share the lookup.
        answer.send(Ok(vec![HOST])).unwrap();
        assert_eq!(elsewhere.join().unwrap(), "10.0.0.1:99");
        let before = asked.load(Ordering::SeqCst);
        assert!((1..=2).contains(&before));
        // No answer is remembered.
        if before == 2 {
            answer.send(Ok(vec![HOST])).unwrap();
        }
        assert_eq!(found(resolver.lookup_host("host:1").unwrap()), "10.0.0.1:1");
        assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    });
}

#[test]
fn different_names_are_looked_up_at_the_same_time() {
    let meeting = Arc::new(std::sync::Barrier::new(3));
    let resolver = Resolver::new(move |_| {
        meeting.wait();
        Ok(vec![HOST])
    });
    fibra::run(|| {
        fibra::scope(|s| {
            for name in ["a", "b", "c"] {
                let resolver = &resolver;
                s.spawn(move || assert_eq!(resolver.lookup_host((name, 1)).unwrap().len(), 1));
            }
        });
    });
}

#[test]
fn a_caller_that_leaves_cancels_nothing_for_the_others() {
    let Slow { resolver, asked, begun, answer } = slow();
    fibra::run(|| {
        let ask = || {
            let resolver = resolver.clone();
            spawn(move || found(resolver.lookup_host("host:80").unwrap()))
        };
        let (first, second) = (ask(), ask());
        let limited = {
            let resolver = resolver.clone();
            spawn(move || timeout(ms(1), || resolver.lookup_host("host:80")).is_err())
        };
        yield_now();
        begun.recv().unwrap();
        first.kill();
        assert!(first.join().unwrap_err().is_killed());
        assert!(limited.join().unwrap());
        let third = ask();
        yield_now();
        answer.send(Ok(vec![HOST])).unwrap();
        assert_eq!(second.join().unwrap(), "10.0.0.1:80");
        assert_eq!(third.join().unwrap(), "10.0.0.1:80");
        assert_eq!(asked.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_time_limit_frees_the_caller_of_a_resolver_that_never_answers() {
    let Slow { resolver, begun, answer, .. } = slow();
    fibra::run(|| {
        let asks = resolver.clone();
        let patient = spawn(move || asks.lookup_host("host:80"));
        yield_now();
        begun.recv().unwrap();
        for _ in 0..3 {
            assert!(timeout(ms(2), || resolver.lookup_host("host:80")).is_err());
        }
        patient.kill();
        assert!(patient.join().unwrap_err().is_killed());
        // All of them have waited for one lookup, which is still running.
        assert!(begun.try_recv().is_err());
        assert_eq!(format!("{resolver:?}"), "Resolver { lookups: 1, .. }");
        answer.send(Ok(vec![HOST])).unwrap();
        while format!("{resolver:?}") != "Resolver { lookups: 0, .. }" {
            yield_now();
        }
    });
}

#[test]
fn an_error_reaches_all_waiters() {
    let Slow { resolver, begun, answer, .. } = slow();
    fibra::run(|| {
        let askers = [(); 3].map(|()| {
            let resolver = resolver.clone();
            spawn(move || resolver.lookup_host("host:80").unwrap_err())
        });
        yield_now();
        begun.recv().unwrap();
        answer.send(Err(io::Error::new(ErrorKind::HostUnreachable, "no way"))).unwrap();
        for error in askers.map(|asker| asker.join().unwrap()) {
            assert_eq!(
                (error.kind(), error.to_string().as_str()),
                (ErrorKind::HostUnreachable, "no way")
            );
        }
    });
}

#[test]
fn a_resolver_that_panics_fails_the_look_up_and_nothing_else() {
    let times = AtomicUsize::new(0);
    let resolver = Resolver::new(move |_| match times.fetch_add(1, Ordering::SeqCst) {
        0 => panic!("in a resolver"),
        _ => Ok(vec![HOST]),
    });
    fibra::run(|| {
        let error = resolver.lookup_host("host:80").unwrap_err();
        assert_eq!(error.to_string(), "the resolver's function panicked");
        assert_eq!(found(resolver.lookup_host("host:80").unwrap()), "10.0.0.1:80");
    });
}

#[test]
fn a_full_pool_for_jobs_does_not_stop_names() {
    let (open, opened) = channel::<()>();
    let opened = Arc::new(Mutex::new(opened));
    fibra::run(|| {
        let jobs: Vec<_> = (0..200)
            .map(|_| {
                let opened = opened.clone();
                fibra::blocking::global().spawn(move || opened.lock().unwrap().recv().is_err())
            })
            .collect();
        assert!(lookup_host("localhost:80").is_ok());
        drop(open);
        jobs.into_iter().for_each(|job| assert!(job.join().unwrap()));
    });
}

#[test]
fn a_table_answers_without_a_thread() {
    let table = [("a", HOST), ("b", HOST), ("a", Ipv4Addr::LOCALHOST.into())];
    let resolver = Resolver::fixed(table);
    run_virtually(|| {
        // A fixed answer needs no wait for another thread, so the short limit is not reached.
        let addrs = timeout(ms(1), || resolver.lookup_host("a:80").unwrap()).unwrap();
        assert_eq!(found(addrs), "10.0.0.1:80 127.0.0.1:80");
        let error = resolver.lookup_host("c:80").unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::NotFound, "c is not in the table")
        );
    });
}

#[test]
fn handles_may_go_anywhere() {
    fn is_both<T: Send + Sync>() {}
    is_both::<Resolver>();
    is_both::<fibra::net::LookupHost>();
}
