//! Descriptors of all kinds: `Waitable`, and waiting for descriptors that other code owns.

use std::cell::{Cell, RefCell};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixDatagram;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use fibra::channel::Channel;
use fibra::generator;
use fibra::io::{
    Waitable, wait_readable, wait_readable_timeout, wait_writable, wait_writable_timeout,
};

use crate::support::net::{fill, kind_of, pair, soon, yield_until};
use crate::support::{check, go, log, ms, panic_of};

/// Creates a pipe whose ends fibers can wait for.
fn pipe() -> (Waitable<io::PipeReader>, Waitable<io::PipeWriter>) {
    let (reader, writer) = io::pipe().unwrap();
    (Waitable::new(reader).unwrap(), Waitable::new(writer).unwrap())
}

/// Creates two sockets; fibers can wait for the first.
fn datagrams() -> (Waitable<UnixDatagram>, UnixDatagram) {
    let (a, b) = UnixDatagram::pair().unwrap();
    (Waitable::new(a).unwrap(), b)
}

fn receive(socket: &Waitable<UnixDatagram>) -> u8 {
    let mut byte = [0];
    assert_eq!(socket.read_with(|socket| socket.recv(&mut byte)).unwrap(), 1);
    byte[0]
}

#[test]
fn a_pipe_carries_more_than_it_holds() {
    fibra::run(|| {
        let (mut reader, mut writer) = pipe();
        let data: Vec<u8> = (0..1_000_000u32).map(|i| (i % 251) as u8).collect();
        let expected = data.clone();
        go(move || writer.write_all(&data).unwrap());
        let mut got = Vec::new();
        soon(|| reader.read_to_end(&mut got)).unwrap();
        assert!(got == expected);
    });
}

#[test]
fn a_pipe_without_a_reader_breaks() {
    fibra::run(|| {
        let (reader, writer) = pipe();
        fill(writer.get_ref());
        let write = fibra::spawn(move || kind_of((&writer).write_all(b"!")));
        fibra::yield_now();
        drop(reader);
        assert_eq!(soon(|| write.join()).unwrap(), ErrorKind::BrokenPipe);
    });
}

#[test]
fn what_is_ready_does_not_make_the_fiber_leave() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        b.send(b"!").unwrap();
        go(|| log("another"));
        wait_readable(&a).unwrap();
        wait_writable(&a).unwrap();
        wait_readable_timeout(&a, ms(1)).unwrap();
        check("");
        fibra::yield_now();
        check("another");
    });
}

#[test]
fn two_waiters_for_one_foreign_descriptor_are_woken_in_turn() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let a = Rc::new(a);
        for name in ["first", "second"] {
            let a = a.clone();
            go(move || {
                wait_readable(&a).unwrap();
                log(name);
            });
        }
        fibra::yield_now();
        check("");
        b.send(b"!").unwrap();
        yield_until(|| Rc::strong_count(&a) == 1);
        check("first second");
    });
}

#[test]
fn the_second_waiter_goes_on_when_the_first_is_killed() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let a = Rc::new(a);
        let waits = [(); 2].map(|()| {
            let a = a.clone();
            fibra::spawn(move || wait_readable(&a).unwrap())
        });
        fibra::yield_now();
        waits[0].kill();
        b.send(b"!").unwrap();
        let [killed, other] = waits;
        soon(|| other.join()).unwrap();
        assert!(killed.join().is_err());
    });
}

#[test]
fn time_limits_of_waits() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        a.set_nonblocking(true).unwrap();
        let began = fibra::now();
        assert_eq!(kind_of(wait_readable_timeout(&a, ms(5))), ErrorKind::TimedOut);
        while a.send(b"!").is_ok() {}
        assert_eq!(kind_of(wait_writable_timeout(&a, ms(5))), ErrorKind::TimedOut);
        assert!(ms(10) <= fibra::now() - began);
        assert_eq!(kind_of(wait_readable_timeout(&a, Duration::ZERO)), ErrorKind::TimedOut);
        wait_readable_timeout(&b, Duration::MAX).unwrap();
        assert_eq!(fibra::stats().timers, 0);
    });
}

#[test]
fn waiting_for_a_socket_that_another_fiber_reads() {
    fibra::run(|| {
        let (mut client, server) = pair();
        let server = Rc::new(server);
        let reader = server.clone();
        let reads = fibra::spawn(move || {
            let mut byte = [0];
            (&*reader).read_exact(&mut byte).map(|()| byte[0])
        });
        let waiter = server.clone();
        let waits = fibra::spawn(move || wait_readable(&*waiter));
        fibra::yield_now();
        client.write_all(b"!?").unwrap();
        assert_eq!(soon(|| reads.join()).unwrap().unwrap(), b'!');
        soon(|| waits.join()).unwrap().unwrap();
        let mut byte = [0];
        soon(|| (&*server).read_exact(&mut byte)).unwrap();
        assert_eq!(byte[0], b'?');
    });
}

#[test]
fn plain_threads_block() {
    let (mut reader, mut writer) = pipe();
    let (a, b) = UnixDatagram::pair().unwrap();
    std::thread::scope(|threads| {
        threads.spawn(|| {
            wait_readable(&reader).unwrap();
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text.len(), 200_000);
            b.send(b"!").unwrap();
        });
        writer.write_all(&[b'x'; 200_000]).unwrap();
        drop(writer);
        wait_readable(&a).unwrap();
    });
    a.recv(&mut [0]).unwrap();
    assert_eq!(kind_of(wait_readable_timeout(&a, ms(5))), ErrorKind::TimedOut);
}

#[test]
fn what_it_was_made_of_is_given_back() {
    fibra::run(|| {
        let (a, b) = datagrams();
        go({
            let b = b.try_clone().unwrap();
            move || b.send(b"1")
        });
        assert_eq!(receive(&a), b'1');
        let number = a.as_fd().as_raw_fd();
        let a = a.into_inner();
        assert_eq!(a.as_raw_fd(), number);
        // The descriptor can be registered again.
        let a = Waitable::new(a).unwrap();
        go(move || b.send(b"2"));
        assert_eq!(soon(|| receive(&a)), b'2');
    });
}

#[test]
fn a_file_is_read_and_written() {
    fibra::run(|| {
        let file = Waitable::new(std::fs::File::open("/proc/self/stat").unwrap()).unwrap();
        let mut text = String::new();
        (&file).read_to_string(&mut text).unwrap();
        assert!(text.starts_with(&std::process::id().to_string()));
        wait_readable(&file).unwrap();
    });
}

#[test]
fn the_event_outlives_an_operation_that_panics() {
    fibra::run(|| {
        let (a, b) = datagrams();
        let a = Rc::new(a);
        let panics = fibra::spawn({
            let a = a.clone();
            move || {
                let mut turn = 0;
                a.read_with(|_| {
                    turn += 1;
                    if turn == 1 { Err::<(), _>(ErrorKind::WouldBlock.into()) } else { panic!("!") }
                })
            }
        });
        fibra::yield_now();
        b.send(b"1").unwrap();
        assert!(soon(|| panics.join()).is_err());
        assert_eq!(soon(|| receive(&a)), b'1');
    });
}

#[test]
fn the_event_outlives_an_operation_that_is_killed() {
    fibra::run(|| {
        let (a, b) = datagrams();
        let a = Rc::new(a);
        let never = Channel::<()>::new();
        let waits = fibra::spawn({
            let (a, never) = (a.clone(), never.clone());
            let mut turn = 0;
            move || {
                a.read_with(|_| {
                    turn += 1;
                    if turn == 1 {
                        return Err(ErrorKind::WouldBlock.into());
                    }
                    never.recv().map_err(io::Error::other)
                })
            }
        });
        fibra::yield_now();
        b.send(b"1").unwrap();
        yield_until(|| never.balance() == -1);
        // Other fibers are not delayed meanwhile.
        assert_eq!(soon(|| receive(&a)), b'1');
        b.send(b"2").unwrap();
        waits.kill();
        assert!(waits.join().is_err());
        assert_eq!(soon(|| receive(&a)), b'2');
    });
}

#[test]
fn an_operation_may_wait_and_use_its_own_descriptor() {
    fibra::run(|| {
        let (a, b) = datagrams();
        go({
            let b = b.try_clone().unwrap();
            move || b.send(b"0")
        });
        assert_eq!(receive(&a), b'0'); // the call has waited, so the descriptor is registered
        for byte in b"123" {
            b.send(&[*byte]).unwrap();
        }
        let got = soon(|| {
            a.read_with(|_| {
                fibra::sleep(ms(1));
                Ok([receive(&a), receive(&a)])
            })
        });
        assert_eq!(got.unwrap(), *b"12");
        assert_eq!(soon(|| receive(&a)), b'3');
    });
}

#[test]
fn what_arrives_while_an_operation_waits_is_seen() {
    fibra::run(|| {
        let (a, b) = datagrams();
        let go_on = Channel::new();
        let waits = fibra::spawn({
            let go_on = go_on.clone();
            move || {
                let receive = || {
                    a.read_with(|a| {
                        let got = a.recv(&mut [0]);
                        go_on.recv().map_err(io::Error::other)?;
                        got
                    })
                };
                (0..3).for_each(|_| assert_eq!(receive().unwrap(), 1));
            }
        });
        for _ in 0..3 {
            // The operation has found no data, and the event comes before it returns `WouldBlock`.
            yield_until(|| go_on.balance() == -1);
            b.send(b"!").unwrap();
            (0..200).for_each(|_| fibra::yield_now());
            go_on.send(()).unwrap();
            yield_until(|| go_on.balance() == -1);
            go_on.send(()).unwrap();
        }
        soon(|| waits.join()).unwrap();
    });
}

#[test]
fn waitables_of_one_descriptor_do_not_disturb_each_other() {
    fn all_go_on<const N: usize>(sender: &UnixDatagram, waits: [fibra::JoinHandle<()>; N]) {
        fibra::yield_now();
        sender.send(b"!").unwrap();
        waits.into_iter().for_each(|wait| soon(|| wait.join()).unwrap());
    }
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let a = Arc::new(a);
        let outer = Rc::new(Waitable::new(a.clone()).unwrap());
        let inner = Rc::new(Waitable::new(a.clone()).unwrap());
        let receives = |own: &Rc<Waitable<Arc<UnixDatagram>>>| {
            let own = own.clone();
            fibra::spawn(move || assert_eq!(own.read_with(|a| a.recv(&mut [0])).unwrap(), 1))
        };
        let waits = |own: &Rc<Waitable<Arc<UnixDatagram>>>| {
            let own = own.clone();
            fibra::spawn(move || own.wait_readable().unwrap())
        };
        let guest = || {
            let a = a.clone();
            fibra::spawn(move || wait_readable(&a).unwrap())
        };
        all_go_on(&b, [waits(&inner), receives(&outer), guest()]);
        all_go_on(&b, [receives(&inner), waits(&outer), guest(), guest()]);
        // One registration is dropped while the others wait.
        let others = [receives(&outer), guest()];
        fibra::yield_now();
        drop(inner);
        all_go_on(&b, others);
        let others = [guest(), guest()];
        fibra::yield_now();
        drop(outer);
        all_go_on(&b, others);
    });
}

#[test]
fn a_source_that_comes_while_its_descriptor_is_waited_for_may_go_again() {
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        soon(|| {
            fibra::scope(|s| {
                let guest = s.spawn(|| wait_readable(&a).unwrap());
                fibra::yield_now();
                let own = Waitable::new(&a).unwrap();
                let owner = s.spawn(move || drop(own.read_with(|a| a.recv(&mut [0]))));
                fibra::yield_now();
                owner.kill(); // this also drops the Waitable
                assert!(owner.join().is_err());
                b.send(b"!").unwrap();
                guest.join().unwrap();
            });
        });
    });
}

#[test]
fn io_inside_of_generators_inside_of_fibers() {
    fibra::run(|| {
        let (reader, mut writer) = pipe();
        go(move || {
            for byte in b"abc" {
                writer.write_all(&[*byte]).unwrap();
                fibra::yield_now();
            }
        });
        let bytes = generator::iter(move |y| {
            let mut byte = [0];
            while (&reader).read(&mut byte).unwrap() != 0 {
                y.yield_(byte[0]);
            }
        });
        assert_eq!(soon(|| bytes.collect::<Vec<u8>>()), b"abc");
    });
}

#[test]
fn a_generator_that_is_dropped_between_two_reads_leaves_its_descriptor() {
    fibra::run(|| {
        let (reader, writer) = pipe();
        let reader = Rc::new(reader);
        let mut bytes = generator::iter({
            let reader = reader.clone();
            move |y| {
                let mut byte = [0];
                while (&*reader).read(&mut byte).unwrap() != 0 {
                    y.yield_(byte[0]);
                }
            }
        });
        go(move || (&writer).write_all(b"abc").unwrap());
        assert_eq!(soon(|| bytes.next()), Some(b'a'));
        drop(bytes);
        let mut rest = String::new();
        soon(|| (&*reader).read_to_string(&mut rest)).unwrap();
        assert_eq!(rest, "bc");
    });
}

#[test]
fn in_a_frame_without_a_scheduler_io_blocks_the_thread() {
    let (reader, writer) = pipe();
    let bytes: Vec<u8> = fibra::frame(|| {
        std::thread::scope(|threads| {
            threads.spawn(move || (&writer).write_all(b"abc").unwrap());
            generator::iter(move |y| {
                let mut byte = [0];
                while (&reader).read(&mut byte).unwrap() != 0 {
                    y.yield_(byte[0]);
                }
            })
            .collect()
        })
    });
    assert_eq!(bytes, b"abc");
}

#[test]
fn fibers_of_a_scope_borrow_a_descriptor() {
    fibra::run(|| {
        let (reader, writer) = pipe();
        let text = RefCell::new(String::new());
        fibra::scope(|s| {
            s.spawn(|| (&reader).read_to_string(&mut text.borrow_mut()).unwrap());
            (&writer).write_all(b"borrowed").unwrap();
            drop(writer);
        });
        assert_eq!(text.into_inner(), "borrowed");
    });
}

#[test]
fn a_descriptor_outlives_the_run_that_registered_it() {
    thread_local! {
        static KEPT: Cell<Option<Waitable<UnixDatagram>>> = const { Cell::new(None) };
    }
    static SHARED: std::sync::OnceLock<Waitable<UnixDatagram>> = std::sync::OnceLock::new();
    let (a, b) = datagrams();
    let (c, d) = datagrams();
    SHARED.set(c).unwrap();
    let shared = SHARED.get().unwrap();
    KEPT.set(Some(a));
    for round in 0..3 {
        fibra::run(|| {
            let a = KEPT.take().unwrap();
            let (b, d) = (b.try_clone().unwrap(), d.try_clone().unwrap());
            go(move || {
                b.send(&[round]).unwrap();
                d.send(&[round]).unwrap();
            });
            assert_eq!(soon(|| receive(&a)), round);
            assert_eq!(soon(|| receive(shared)), round);
            KEPT.set(Some(a));
        });
        // The socket also works between two runs, on the thread.
        d.send(&[9]).unwrap();
        assert_eq!(receive(shared), 9);
    }
}

#[test]
fn a_descriptor_that_cannot_be_polled_is_always_ready() {
    fibra::run(|| {
        let file = std::fs::File::open("/proc/self/exe").unwrap();
        wait_readable(&file).unwrap();
        wait_writable_timeout(&file, ms(1)).unwrap();
    });
}

#[test]
fn a_scope_that_panics_takes_its_readers_along() {
    fibra::run(|| {
        let (reader, writer) = pipe();
        let text = panic_of(|| {
            fibra::nursery(|n| {
                n.spawn(|| drop((&reader).read(&mut [0])));
                n.spawn(|| panic!("the first failure"));
            });
        });
        assert!(text.contains("failure"), "{text}");
        (&writer).write_all(b"!").unwrap();
        let mut byte = [0];
        soon(|| (&reader).read_exact(&mut byte)).unwrap();
    });
}

#[test]
fn the_end_of_the_run_unwinds_the_waiters() {
    let (a, b) = datagrams();
    let a = Arc::new(a);
    fibra::run(|| {
        for _ in 0..3 {
            let a = a.clone();
            go(move || {
                let _end = crate::support::Noisy("unwound");
                receive(&a);
            });
        }
        fibra::yield_now();
    });
    check("unwound unwound unwound");
    assert_eq!(Arc::strong_count(&a), 1);
    b.send(b"!").unwrap();
    assert_eq!(receive(&a), b'!');
}

#[test]
fn a_destructor_reads_while_its_fiber_unwinds() {
    fibra::run(|| {
        let (a, b) = datagrams();
        let (c, _d) = datagrams();
        let unwinds = fibra::spawn(move || {
            let _reads = crate::support::OnDrop(|| log(receive(&a)));
            receive(&c);
        });
        fibra::yield_now();
        unwinds.kill();
        fibra::yield_now();
        assert!(!unwinds.is_finished());
        b.send(&[7]).unwrap();
        assert!(soon(|| unwinds.join()).is_err());
        check("7");
    });
}

#[test]
#[cfg(target_os = "linux")]
fn descriptors_of_all_kinds_are_waited_for() {
    use rustix::event::{EventfdFlags, eventfd};
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    fibra::run(|| {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC).unwrap();
        let soonest = Timespec { tv_sec: 0, tv_nsec: 2_000_000 };
        let spec = Itimerspec { it_interval: Timespec::default(), it_value: soonest };
        timerfd_settime(&timer, TimerfdTimerFlags::empty(), &spec).unwrap();
        soon(|| wait_readable(&timer)).unwrap();
        let mut expirations = [0; 8];
        rustix::io::read(&timer, &mut expirations).unwrap();
        assert_eq!(u64::from_ne_bytes(expirations), 1);

        let counter = Rc::new(Waitable::new(eventfd(0, EventfdFlags::CLOEXEC).unwrap()).unwrap());
        let adds = counter.clone();
        go(move || adds.write_with(|fd| Ok(rustix::io::write(fd, &5u64.to_ne_bytes())?)).unwrap());
        let mut count = [0; 8];
        let read = || counter.read_with(|fd| Ok(rustix::io::read(fd, &mut count)?));
        assert_eq!(soon(read).unwrap(), 8);
        assert_eq!(u64::from_ne_bytes(count), 5);
    });
}

#[test]
fn an_operation_that_waits_for_what_cannot_be_polled_fails() {
    fibra::run(|| {
        let file = Waitable::new(std::fs::File::open("/proc/self/exe").unwrap()).unwrap();
        let never = || file.read_with(|_| Err::<(), _>(ErrorKind::WouldBlock.into()));
        assert_eq!(kind_of(soon(never)), ErrorKind::PermissionDenied);
    });
}
