//! The program that `tests/abort/generators.rs` builds with `panic = "abort"`.

use fibra::generator::{self, CloseError, Generator, Yielder};

fn say(text: impl std::fmt::Display) {
    eprintln!("> {text}");
}

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        say(self.0);
    }
}

fn left_in_the_middle() -> Generator<u32> {
    let mut one = generator::iter(|y| {
        let _never = Says("unreachable: its stack is kept");
        (1..).for_each(|n| y.yield_(n));
    });
    assert_eq!(one.next(), Some(1));
    one
}

fn plain() {
    let kept = fibra::frame(|| {
        let all = generator::iter(|y| (1..=3).for_each(|n| y.yield_(n)));
        say(all.map(|n: u32| n.to_string()).collect::<Vec<_>>().join(" "));
        let mut one = left_in_the_middle();
        if let Err(CloseError::Refused) = one.close() {
            say("close: refused");
        }
        say(format!("went on after that: {}", one.next().unwrap()));
        drop(one);
        let owned = Says("an unstarted one dropped its closure");
        drop(generator::iter(move |y: &Yielder<()>| y.yield_(drop(owned))));
        left_in_the_middle()
    });
    assert!(kept.is_finished());
    say("the frame has ended");
    fibra::run(|| {
        fibra::spawn(|| drop(left_in_the_middle())).join().unwrap();
        fibra::spawn(|| std::mem::forget(left_in_the_middle())).join().unwrap();
        say("the fiber has ended");
        std::mem::forget(left_in_the_middle());
    });
    say("run has ended");
    let word = String::from("borrowed");
    fibra::frame(|| {
        generator::scope(|s| assert_eq!(s.iter(|y| y.yield_(&word)).count(), 1));
    });
    say("a borrowing one that ran to its end is no trouble");
}

/// Leaves a generator in the middle while another one is on top of it.
fn tower() {
    let make = || {
        let mut outer = generator::iter(|y: &Yielder<u32>| {
            generator::iter(|z: &Yielder<u32>| z.yield_(1)).for_each(drop);
            generator::scope(|s| s.iter(|_: &Yielder<()>| y.yield_(2)).for_each(drop));
        });
        assert_eq!(outer.next(), Some(2));
        outer
    };
    fibra::frame(|| {
        drop(make());
        say("dropped");
    });
    say("the frame has ended");
    fibra::run(|| fibra::spawn(move || std::mem::forget(make())).join().unwrap());
    say("the fiber has ended");
}

fn borrows() {
    let word = String::from("borrowed");
    fibra::frame(|| {
        generator::scope(|s| drop(s.iter(|y| y.yield_(&word)).next()));
        say("after");
    });
}

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("plain") => plain(),
        Some("tower") => tower(),
        _ => borrows(),
    }
    std::process::exit(42);
}
