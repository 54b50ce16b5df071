//! A program that is built with `panic = "abort"`: it kills waits for several fibers.

use fibra::JoinError;
use fibra::pool::{Group, Pool, as_completed, race, try_join_all};

fn killed(what: &str, f: impl FnOnce() -> String + 'static) {
    let fiber = fibra::spawn(f);
    fibra::yield_now();
    fibra::yield_now();
    fiber.kill();
    eprintln!("> {what}: {}", fiber.join().unwrap());
}

fn never() -> fibra::JoinHandle<()> {
    fibra::spawn(|| fibra::sleep(std::time::Duration::from_secs(3600)))
}

fn texts(outcomes: impl Iterator<Item = Result<(), JoinError>>) -> String {
    outcomes.map(|outcome| outcome.unwrap_err().to_string()).collect::<Vec<_>>().join(", ")
}

fn main() {
    fibra::run(|| {
        killed("group", || {
            let group = Group::new();
            group.add(never());
            group.add(never());
            texts(group.iter())
        });
        killed("as_completed", || texts(as_completed([never(), never()])));
        killed("try_join_all", || try_join_all([never(), never()]).unwrap_err().to_string());
        killed("imap", || {
            let pool = Pool::new(2);
            texts(pool.imap(0..9, |_| fibra::park_timeout(std::time::Duration::from_secs(1))))
        });
        let short = || fibra::sleep(std::time::Duration::from_millis(200));
        killed("race", move || race([short, short]).unwrap_err().to_string());
        killed("map", move || Pool::new(2).map(0..9, |_| short()).unwrap_err().to_string());
        let future = fibra::future::spawn(fibra::park);
        fibra::yield_now();
        drop(future);
    });
    eprintln!("> over");
}
