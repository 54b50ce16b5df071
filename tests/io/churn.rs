//! Thousands of connections that come and go at random, with kills, and leave nothing behind.

use std::cell::Cell;
use std::io::{self, Read, Write};
use std::rc::Rc;
use std::time::Duration;

use fibra::JoinHandle;
use fibra::io::{Waitable, wait_readable};
use fibra::net::{TcpListener, TcpStream, UnixDatagram, UnixStream};

use crate::support::net::{check_end, open_fds, soon};
use crate::support::{in_child, name_of};

/// Chooses among the possible events at random, with the same choices in each run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % sides
    }
}

/// Returns the memory of this process that no file backs, in KiB. The number of mapped pages of the
/// program itself, and the time at which they are mapped, depend on the caches of the system.
fn anonymous() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Echoes, until the other side closes the connection or the fiber is killed.
fn echo(stream: &TcpStream) {
    let mut buffer = [0; 256];
    while let Ok(length @ 1..) = (&*stream).read(&mut buffer) {
        if (&*stream).write_all(&buffer[..length]).is_err() {
            break;
        }
    }
}

/// Sends and receives for a while, and ends in one of several ways.
fn talk(stream: &TcpStream, dice: &mut Dice) {
    for _ in 0..dice.roll(4) {
        let data = [dice.roll(256) as u8; 100];
        if (&*stream).write_all(&data).is_err() {
            return;
        }
        if dice.roll(4) == 0 {
            continue;
        }
        let mut answer = [0; 100];
        let mut read = || (&*stream).read(&mut answer);
        match dice.roll(3) {
            0 => drop(fibra::time::timeout(Duration::from_micros(dice.roll(300)), read)),
            _ => drop(read()),
        }
    }
}

/// Opens and closes `connections`, at most 64 at a time.
fn churn(seed: u64, connections: u32) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let echoes = Rc::new(Cell::new(0u32));
    let counted = echoes.clone();
    let serves = fibra::spawn(move || {
        let mut dice = Dice(seed + 1);
        let mut running: Vec<JoinHandle<()>> = Vec::new();
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            counted.set(counted.get() + 1);
            running.retain(|fiber| !fiber.is_finished());
            running.push(fibra::spawn(move || echo(&stream)));
            if dice.roll(4) == 0 {
                running[dice.roll(running.len() as u64) as usize].kill();
            }
        }
    });
    let pool = fibra::pool::Pool::new(64);
    let mut dice = Dice(seed);
    let mut running = Vec::new();
    for number in 0..connections {
        let mut own = Dice(seed ^ u64::from(number) << 20);
        running.retain(|client: &JoinHandle<()>| !client.is_finished());
        running.push(pool.spawn(move || {
            let Ok(stream) = TcpStream::connect(address) else { return };
            // The ports can then be used again immediately.
            rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO)).unwrap();
            talk(&stream, &mut own);
        }));
        if dice.roll(5) == 0 {
            running[dice.roll(running.len() as u64) as usize].kill();
        }
    }
    // A client that waits for an answer from a killed fiber has seen the end of its connection.
    soon(|| pool.join()).unwrap();
    serves.kill();
    assert!(serves.join().is_err());
    assert!(connections / 4 < echoes.get(), "hardly any connection came about");
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer keeps freed memory")]
fn connections_that_come_and_go_leave_nothing() {
    let output = in_child(name_of!(connections_that_come_and_go_leave_nothing), &[], || {
        fibra::run(|| {
            churn(1, 500);
            settle();
            let (fds, memory) = (open_fds(), anonymous());
            for seed in 2..5 {
                churn(seed, 1000);
                settle();
                assert_eq!(open_fds(), fds);
            }
            let grown = anonymous().saturating_sub(memory);
            assert!(grown < 4096, "{grown} KiB more than before");
            assert_eq!(fibra::stats().timers, 0);
        });
    });
    check_end(&output);
}

/// Waits until the servers have seen that their clients are gone.
fn settle() {
    crate::support::net::yield_until(|| fibra::stats().fibers == 1);
}

#[test]
#[cfg_attr(sanitized, ignore = "the sanitizer keeps freed memory")]
fn pairs_that_come_and_go_leave_nothing() {
    let output = in_child(name_of!(pairs_that_come_and_go_leave_nothing), &[], || {
        fibra::run(|| {
            let mut dice = Dice(7);
            let mut round = |pairs: u32| {
                for _ in 0..pairs {
                    let (a, b) = UnixStream::pair().unwrap();
                    let reads = fibra::spawn(move || (&a).read(&mut [0]).is_ok());
                    match dice.roll(4) {
                        0 => {}
                        1 => fibra::yield_now(),
                        2 => assert_eq!((&b).write(b"!").unwrap(), 1),
                        _ => {
                            fibra::yield_now();
                            reads.kill();
                        }
                    }
                    drop(b);
                    drop(soon(|| reads.join()));
                }
            };
            round(200);
            let (fds, memory) = (open_fds(), anonymous());
            round(5000);
            assert_eq!(open_fds(), fds);
            let grown = anonymous().saturating_sub(memory);
            assert!(grown < 2048, "{grown} KiB more than before");
        });
    });
    check_end(&output);
}

/// Sends `MESSAGES` to receivers that are killed or give up all the time. Each message is counted
/// by exactly one receiver.
fn count_messages(seed: u64, receive: fn(&UnixDatagram) -> io::Result<usize>) {
    const MESSAGES: u32 = 3000;
    fibra::run(|| {
        let (a, b) = UnixDatagram::pair().unwrap();
        let (a, counted) = (Rc::new(a), Rc::new(Cell::new(0)));
        let mut dice = Dice(seed);
        let mut running: Vec<JoinHandle<()>> = Vec::new();
        let mut sent = 0;
        while counted.get() < MESSAGES {
            match dice.roll(6) {
                0 if running.len() < 8 => {
                    let (a, counted) = (a.clone(), counted.clone());
                    let patience = Duration::from_micros(dice.roll(500));
                    let gives_up = dice.roll(2) == 0;
                    running.push(fibra::spawn(move || {
                        let count = || {
                            receive(&a).unwrap();
                            counted.set(counted.get() + 1);
                        };
                        match gives_up {
                            true => drop(fibra::time::timeout(patience, count)),
                            false => count(),
                        }
                    }));
                }
                1 if !running.is_empty() => {
                    running.swap_remove(dice.roll(running.len() as u64) as usize).kill();
                }
                // No more than the queue holds: a blocked sender would start no further receivers.
                2 | 3 if sent < MESSAGES.min(counted.get() + 20) => {
                    b.send(b"!").unwrap();
                    sent += 1;
                }
                _ => fibra::yield_now(),
            }
            running.retain(|fiber| !fiber.is_finished());
        }
        running.iter().for_each(JoinHandle::kill);
        assert_eq!((counted.get(), sent), (MESSAGES, MESSAGES));
        let none = fibra::time::timeout(Duration::from_millis(1), || a.recv(&mut [0]));
        assert!(none.is_err());
    });
}

#[test]
fn kills_and_time_limits_lose_no_message() {
    (1..4).for_each(|seed| count_messages(seed, |socket| socket.recv(&mut [0])));
}

#[test]
fn kills_and_time_limits_lose_no_message_of_a_foreign_operation() {
    fn receive(socket: &UnixDatagram) -> io::Result<usize> {
        // One per call: they share a descriptor, and come and go while others wait.
        Waitable::new(socket)?
            .read_with(|socket| rustix::io::read(socket, &mut [0; 1][..]).map_err(io::Error::from))
    }
    (1..4).for_each(|seed| count_messages(seed, receive));
}

#[test]
fn kills_and_time_limits_lose_no_message_of_the_first_waiter() {
    fn receive(socket: &UnixDatagram) -> io::Result<usize> {
        loop {
            wait_readable(socket)?;
            match rustix::io::read(socket, &mut [0; 1][..]) {
                Err(rustix::io::Errno::AGAIN) => {}
                result => return Ok(result?),
            }
        }
    }
    (1..4).for_each(|seed| count_messages(seed, receive));
}
