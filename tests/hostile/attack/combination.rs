//! One scenario with one action: plays the pair in a `run` on its own thread, and records the
//! outcome.

use std::any::Any;
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::rc::Rc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use fibra::channel::Channel;

use super::actions::Action;
use super::ledger::{Counted, Page};
use super::scenarios::{Play, Scenario};
use super::stage::Stage;

/// The outcome of a combination. It is one line of text in the output of a child process.
pub(crate) struct Outcome {
    pub(crate) strikes: u32,
    /// The text that the scenario made, or the text of the panic.
    pub(crate) result: Result<String, String>,
    pub(crate) left: Vec<&'static str>,
    pub(crate) dropped_twice: Vec<&'static str>,
    /// Whether the thread believes that it unwinds although it does not.
    pub(crate) panicking: bool,
    /// Whether user code ran outside all fibers.
    pub(crate) struck_outside: bool,
}

struct Played {
    strikes: u32,
    result: Result<String, String>,
    panicking: bool,
    struck_outside: bool,
}

/// Plays `scenario` with `action`. Returns `None` if that did not end within `patience`.
pub(crate) fn play(
    scenario: &'static Scenario,
    action: &'static Action,
    patience: Duration,
) -> Option<Outcome> {
    let page = Page::open();
    let (sender, receiver) = mpsc::channel();
    let (report, end) = mpsc::channel();
    let builder = thread::Builder::new().stack_size(1 << 20);
    let thread = builder.spawn(move || {
        // Made first, so destroyed last.
        AT_END.with(|at_end| at_end.0.set(Some(report)));
        let _ = sender.send(play_here(scenario, action));
    });
    drop(thread.unwrap());
    let played = receiver.recv_timeout(patience).ok()?;
    // A thread on which stacks were abandoned does not end, and is not joined. Where panics abort,
    // that is nearly every thread.
    if cfg!(panic = "unwind") && page.left().is_empty() {
        let _ = end.recv_timeout(Duration::from_millis(100));
    }
    let (left, dropped_twice) = (page.left(), page.dropped_twice());
    let Played { strikes, result, panicking, struck_outside } = played;
    Some(Outcome { strikes, result, left, dropped_twice, panicking, struck_outside })
}

/// Sends a message when its thread has destroyed all other thread-locals.
struct AtEnd(Cell<Option<mpsc::Sender<()>>>);

impl Drop for AtEnd {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            let _ = report.send(());
        }
    }
}

thread_local! {
    static AT_END: AtEnd = const { AtEnd(Cell::new(None)) };
}
fn play_here(scenario: &Scenario, action: &'static Action) -> Played {
    let stage = Stage::set_up(action);
    let for_play = stage.clone();
    let result = panic::catch_unwind(AssertUnwindSafe(|| match scenario.play {
        Play::Inside(play) => run_virtually(|| play_among_others(&for_play, play)),
        Play::Whole(play) => play(&for_play),
    }));
    let panicking = thread::panicking();
    let (strikes, struck_outside) = (stage.strikes(), stage.struck_outside());
    let result = result.map_err(|payload| {
        let text = text_of(&*payload);
        // The payload's destructor is user code.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| drop(payload)));
        text
    });
    drop(for_play);
    let _ = panic::catch_unwind(Stage::take_down);
    Played { strikes, result, panicking, struck_outside }
}

/// Like `fibra::run`, but on a virtual clock.
pub(crate) fn run_virtually<T>(f: impl FnOnce() -> T) -> T {
    fibra::Runtime::builder().virtual_clock().build().unwrap().run(f)
}

/// Plays while other fibers sleep, wait at a channel, and are tasklets.
fn play_among_others(stage: &Rc<Stage>, play: fn(&Rc<Stage>) -> String) -> String {
    let sleeper = fibra::spawn(|| {
        let _counted = Counted::new("the sleeper's");
        for _ in 0..5 {
            fibra::sleep(Duration::from_millis(3));
        }
    });
    stage.know(sleeper.fiber());
    let channel = Channel::<Counted>::new();
    let listener = fibra::spawn(move || {
        let _counted = Counted::new("the listener's");
        drop(channel.recv());
    });
    stage.know(listener.fiber());
    let blocked = fibra::stackless::spawn(|| {
        let _counted = Counted::new("the tasklet's");
        drop(fibra::stackless::Channel::<Counted>::new().receive());
    });
    stage.know_tasklet(&blocked);
    drop(blocked);
    stage.know(&fibra::current());
    fibra::yield_now();
    let text = play(stage);
    stage.clear();
    text
}

/// The text of a panic's payload.
pub(crate) fn text_of(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(ToString::to_string);
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .or_else(|| payload.downcast_ref::<fibra::Killed>().map(ToString::to_string))
        .unwrap_or_else(|| "a value that is not a string".into())
}
