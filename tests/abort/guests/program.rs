//! The program that `tests/abort/guests.rs` builds with `panic = "abort"`: fibers as a future of
//! tokio. Its argument names the scene.

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use fibra::Guest;
use fibra::channel::Channel;

const HOUR: Duration = Duration::from_secs(3_600);
const MS: Duration = Duration::from_millis(1);

fn say(text: impl std::fmt::Display) {
    eprintln!("> {text}");
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Polls a guest with the main closure `f` until it sleeps, and drops it. Starts another one.
async fn drop_one(name: &str, f: impl FnOnce() + 'static) {
    let limit = tokio::time::timeout(5 * MS, fibra::guest(f));
    if limit.await.is_ok() {
        say(format!("{name}: WRONG, it does not wait"));
    }
    let next = fibra::guest(|| fibra::spawn(|| 1).join().unwrap()).await;
    say(format!("{name}: next: {next:?}"));
}

fn park() {
    loop {
        fibra::park();
    }
}

fn dropped() {
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            drop_one("park", park).await;
            drop_one("sleep", || fibra::sleep(HOUR)).await;
            drop_one("park in a shield", || fibra::shield(park)).await;
            drop_one("park in a scope", || {
                let word = String::from("lent");
                fibra::scope(|s| {
                    s.spawn(|| {
                        park();
                        say(&word);
                    });
                });
                say("WRONG, the scope was left");
            })
            .await;
            drop_one("recv", || {
                let error = Channel::<()>::new().recv().unwrap_err();
                say(format!("recv failed: {error}"));
            })
            .await;
            drop_one("catches", || {
                loop {
                    let _ = Channel::<()>::new().recv();
                }
            })
            .await;
            drop_one("a child parks", || {
                fibra::spawn(park);
                let _ = Channel::<()>::new().recv();
            })
            .await;
        });
    });
}

fn poll<T: 'static>(guest: &mut Guest<T>) {
    let _ = Pin::new(guest).poll(&mut Context::from_waker(Waker::noop()));
}

fn forgotten() {
    fibra::frame(|| {
        tokio_runtime().block_on(async {
            let mut guest = fibra::guest(|| {
                fibra::spawn(park);
                park();
            });
            poll(&mut guest);
            std::mem::forget(guest);
        });
    });
    say("the frame has ended");
    say(format!("run: {}", fibra::run(|| 2)));
}

fn refuses() {
    fibra::frame(|| {
        let tokio = tokio_runtime();
        let ended = Rc::new(Cell::new(false));
        let ends = ended.clone();
        let outcome = tokio.block_on(fibra::guest(move || {
            let main = fibra::current();
            fibra::spawn(move || {
                let _ = Channel::<()>::new().recv();
                ends.set(true);
            });
            fibra::spawn(move || main.kill());
            loop {
                let _ = Channel::<()>::new().recv();
            }
        }));
        let outcome: Result<(), _> = outcome;
        say(format!("{outcome:?}"));
        say(format!("the other fiber has ended: {}", ended.get()));
        say(format!("next: {:?}", tokio.block_on(fibra::guest(|| 1))));
    });
}

fn panics() {
    fibra::frame(|| {
        let _ = tokio_runtime().block_on(fibra::guest(|| panic!("in a guest")));
    });
    say("WRONG, it goes on");
}

thread_local! { static CURRENT: Cell<u32> = const { Cell::new(0) } }

fn contexts() {
    use fibra::context::with_value;

    fibra::frame(|| {
        let tokio = tokio_runtime();
        tokio.block_on(async {
            let mut guest = fibra::guest(|| {
                let fiber = fibra::spawn(|| {
                    with_value(&CURRENT, 1, || {
                        let _ = Channel::<()>::new().recv();
                        say(format!("recv failed in fiber a, {} is current", CURRENT.get()));
                    });
                    say(format!("after the region, {} is current", CURRENT.get()));
                });
                fibra::spawn(|| with_value(&CURRENT, 2, park));
                fibra::spawn(|| with_value(&CURRENT, 3, || fibra::shield(park)));
                fibra::yield_now();
                fiber.kill();
                fiber.join().unwrap();
                say(format!("main: {} is current", CURRENT.get()));
                with_value(&CURRENT, 4, park);
            });
            poll(&mut guest);
            poll(&mut guest);
            drop(guest);
            say(format!("main after the guest: {} is current", CURRENT.get()));
        });
    });
}

fn main() {
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        eprintln!("> WRONG, it hangs");
        std::process::exit(9);
    });
    let scene = std::env::args().nth(1);
    match scene.as_deref() {
        Some("dropped") => dropped(),
        Some("forgotten") => forgotten(),
        Some("refuses") => refuses(),
        Some("panics") => panics(),
        Some("contexts") => contexts(),
        _ => panic!("which scene?"),
    }
    say("over");
}
