//! The program that `tests/abort/runtimes.rs` builds with `panic = "abort"`: runtimes of two
//! schedulers. Its argument names the scene.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use fibra::net::TcpStream;
use fibra::server::Server;
use fibra::sync::{Event, mpmc};
use fibra::{Handle, RemoteHandle, Runtime, par};

const MS: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(20);

fn say(text: impl std::fmt::Display) {
    eprintln!("> {text}");
}

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        say(self.0);
    }
}

fn on_two<T>(f: impl FnOnce(Handle) -> T) -> T {
    Runtime::builder().threads(2).build().unwrap().run(|| f(Handle::current()))
}

/// Starts `wait` as a job of the other scheduler, and kills it twice while it waits.
fn kill_in<T: Send + 'static>(
    handle: &Handle,
    wait: impl FnOnce() -> T + Send + 'static,
) -> RemoteHandle<T> {
    let started = Arc::new(AtomicBool::new(false));
    let starts = started.clone();
    let job = handle.spawn_on(1, move || {
        starts.store(true, Ordering::SeqCst);
        wait()
    });
    while !started.load(Ordering::SeqCst) {
        fibra::yield_now();
    }
    for _ in 0..2 {
        fibra::sleep(5 * MS);
        job.kill();
    }
    fibra::sleep(5 * MS);
    job
}

fn kills() {
    on_two(|handle| {
        let (_sender, receiver) = mpmc::bounded::<()>(1);
        let received = kill_in(&handle, move || receiver.recv().unwrap_err().to_string());
        say(format!("recv: {}", received.join().unwrap()));

        let parked = handle.spawn_on(0, fibra::park);
        let joins = kill_in(&handle, move || parked.join().unwrap_err().to_string());
        say(format!("join: {}", joins.join().unwrap()));

        let event = Arc::new(Event::new());
        let waits = event.clone();
        let goes_on = kill_in(&handle, move || waits.wait());
        say(format!("an infallible wait has ended: {}", goes_on.is_finished()));
        event.set();
        say(format!("it is complete: {}", goes_on.join().is_ok()));

        let killed = Arc::new(AtomicBool::new(false));
        let is_killed = killed.clone();
        let blocks = handle.spawn_on(1, move || {
            while !is_killed.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        });
        let says = Says("a job that had not started dropped its closure");
        let queued = handle.spawn_on(1, move || drop(says));
        queued.kill();
        killed.store(true, Ordering::SeqCst);
        say(format!("a queued job: {}", queued.join().unwrap_err()));
        blocks.join().unwrap();
        handle.spawn_on(1, || ()).join().unwrap();

        let numbers: Vec<u64> = (0..1_000).collect();
        say(format!("map: {}", par::map(&numbers, |n| 2 * n).into_iter().sum::<u64>()));
    });
    say("over");
}

fn ask(address: std::net::SocketAddr, request: &[u8]) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.write_all(request).unwrap();
    client
}

/// The number of handlers that wait until they are killed.
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn serve(mut stream: TcpStream) {
    let mut request = [0];
    stream.read_exact(&mut request).unwrap();
    if request != *b"q" {
        WAITING.fetch_add(1, Ordering::SeqCst);
    }
    match &request {
        // It ends when it is killed, because the read returns an error.
        b"r" => say(format!("is killed: {}", stream.read(&mut [0]).is_err())),
        // It never ends.
        b"p" => loop {
            fibra::park();
        },
        _ => stream.write_all(b"served").unwrap(),
    }
}

fn serves() {
    on_two(|_| {
        let start = || {
            let server = Server::bind("127.0.0.1:0").unwrap();
            let address = server.listener().local_addr().unwrap();
            (server.start_on_each(|stream: TcpStream, _| serve(stream)), address)
        };
        let (running, address) = start();
        let answers = (0..10).map(|_| io::read_to_string(ask(address, b"q")).unwrap());
        say(format!("{} were served", answers.filter(|answer| answer == "served").count()));
        let _reader = ask(address, b"r");
        while WAITING.load(Ordering::SeqCst) != 1 || running.connections() != 1 {
            fibra::sleep(MS);
        }
        say(format!("{} was killed", running.shutdown(10 * MS).killed));

        let (running, address) = start();
        let _clients = [(); 4].map(|()| ask(address, b"p"));
        while WAITING.load(Ordering::SeqCst) != 1 + 4 {
            fibra::sleep(MS);
        }
        drop(running);
    });
    say("over");
}

fn ends() {
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Counts(Arc<AtomicUsize>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (begun, started) = (Instant::now(), Arc::new(AtomicUsize::new(0)));
    let (parked, queued, unparker) = on_two(|handle| {
        fibra::spawn(fibra::park);
        let (send, unparker) = mpsc::channel();
        let mut parked: Vec<_> = [0, 1, 0, 1]
            .into_iter()
            .map(|index| {
                let (send, started) = (send.clone(), started.clone());
                handle.spawn_on(index, move || {
                    send.send(fibra::current().unparker()).unwrap();
                    started.fetch_add(1, Ordering::SeqCst);
                    loop {
                        fibra::park();
                    }
                })
            })
            .collect();
        let starts = started.clone();
        parked.push(handle.spawn(move || {
            starts.fetch_add(1, Ordering::SeqCst);
            loop {
                fibra::sleep(Duration::from_secs(3_600));
            }
        }));
        while started.load(Ordering::SeqCst) != 5 {
            fibra::sleep(MS);
        }
        let queued: Vec<_> = (0..100)
            .map(|n| {
                let counts = Counts(dropped.clone());
                let body = move || drop(counts);
                if n % 2 == 0 { handle.spawn(body) } else { handle.spawn_on(n % 4 / 2, body) }
            })
            .collect();
        (parked, queued, unparker)
    });
    say(format!("in time: {}", begun.elapsed() < LONG));
    say(format!("closures dropped: {}", dropped.load(Ordering::SeqCst)));
    unparker.try_iter().for_each(|unparker| unparker.unpark());
    let abandoned = parked.into_iter().map(RemoteHandle::join);
    say(format!("parked: {:?}", abandoned.collect::<Vec<_>>()));
    let mut errors = queued.into_iter().filter_map(|job| job.join().err());
    say(format!("queued: {}", errors.all(|error| error.is_shutdown())));
    for _ in 0..20 {
        on_two(|handle| {
            (0..10).for_each(|n| handle.spawn_on(n % 2, fibra::park).detach());
            fibra::sleep(2 * MS);
        });
    }
    say("over");
}

fn main() {
    std::thread::spawn(|| {
        std::thread::sleep(2 * LONG);
        say("WRONG, it hangs");
        std::process::exit(9);
    });
    match std::env::args().nth(1).as_deref() {
        Some("kills") => kills(),
        Some("serves") => serves(),
        Some("ends") => ends(),
        _ => on_two(|handle| {
            let job = handle.spawn_on(1, || panic!("out of milk"));
            say(format!("WRONG, it was joined: {:?}", job.join()));
        }),
    }
}
