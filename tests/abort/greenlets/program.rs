//! The program that `tests/abort/greenlets.rs` builds with `panic = "abort"`.

use fibra::greenlet::{self, Greenlet, GreenletExit, SwitchError};

fn say(text: impl std::fmt::Display) {
    eprintln!("> {text}");
}

struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        say(self.0);
    }
}

fn suspended(unreachable: &'static str) -> Greenlet<i64> {
    let g = Greenlet::new(move |n: i64| {
        let _never = Says(unreachable);
        greenlet::main().switch(n).unwrap()
    });
    g.switch(1).unwrap();
    g
}

fn main() {
    fibra::frame(|| {
        let g = Greenlet::new(|n: i64| match greenlet::main().switch(n) {
            Err(SwitchError::Unraised(payload)) if payload.is::<GreenletExit>() => -1,
            other => panic!("{other:?}"),
        });
        g.switch(1).unwrap();
        say(format!("kill: it got the exit as an error, and returned {}", g.kill().unwrap()));

        let main = greenlet::main::<i64>();
        match main.throw("at oneself") {
            Err(SwitchError::Unraised(payload)) => {
                say(format!("throw: {:?}", payload.message()));
            }
            other => panic!("{other:?}"),
        }
        let unstarted = Greenlet::new(|n: i64| n);
        say(format!("unstarted: {:?}", unstarted.kill()));
        drop(Greenlet::new({
            let owned = Says("an unstarted one drops its closure");
            move |n: i64| n + i64::from(owned.0.is_empty())
        }));
        drop(suspended("unreachable: its stack is kept"));
        say("one was dropped");
        let kept = suspended("unreachable: its stack is kept, too");
        let ended = kept.clone();
        std::mem::forget(kept);
        std::mem::forget(ended);
    });
    say("the frame has ended");
    fibra::run(|| {
        let fiber = fibra::spawn(|| drop(suspended("unreachable: a fiber's")));
        fiber.join().unwrap();
    });
    say("run has ended");
}
