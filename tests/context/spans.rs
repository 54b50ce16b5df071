//! Spans of the crate tracing: what a subscriber sees of fibers that wait.

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;

use fibra::tracing::{in_span, instrument, with_default};
use fibra::{spawn, yield_now};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Span, Subscriber, dispatcher, info, info_span};
use tracing_core::span::Current;

use crate::support::{check, log};

thread_local! {
    /// The spans that are entered on this thread, the innermost last.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// A subscriber that logs each event with the names of the spans that are entered on the thread.
#[derive(Default)]
struct Names(Mutex<Vec<&'static Metadata<'static>>>);

impl Names {
    fn metadata(&self, id: &Id) -> &'static Metadata<'static> {
        self.0.lock().unwrap()[usize::try_from(id.into_u64()).unwrap() - 1]
    }
}

impl Subscriber for Names {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.0.lock().unwrap();
        spans.push(span.metadata());
        Id::from_u64(spans.len() as u64)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
                self.0 = format!("{value:?}");
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        ENTERED.with_borrow(|ids| {
            let names: Vec<_> = ids.iter().map(|id| self.metadata(id).name()).collect();
            log(format_args!("{}[{}]", message.0, names.join(",")));
        });
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|ids| ids.push(id.clone()));
    }

    fn exit(&self, id: &Id) {
        // Like a registry, it tolerates another order.
        ENTERED.with_borrow_mut(|ids| {
            if let Some(at) = ids.iter().rposition(|entered| entered == id) {
                ids.remove(at);
            }
        });
    }

    fn current_span(&self) -> Current {
        ENTERED.with_borrow(|ids| match ids.last() {
            Some(id) => Current::new(id.clone(), self.metadata(id)),
            None => Current::none(),
        })
    }
}

/// Runs `f` in `run`, with a [`Names`] as the subscriber of the thread.
fn observed(f: impl FnOnce()) {
    let dispatch = Dispatch::new(Names::default());
    dispatcher::with_default(&dispatch, || fibra::run(f));
    ENTERED.with_borrow(|ids| assert!(ids.is_empty()));
}

#[test]
fn guards_that_are_held_across_a_wait_mix_the_spans() {
    observed(|| {
        let serve = |span: Span| {
            move || {
                let _entered = span.enter();
                yield_now();
                info!("end");
            }
        };
        let (a, b) = (spawn(serve(info_span!("a"))), spawn(serve(info_span!("b"))));
        yield_now();
        info!("main");
        a.join().unwrap();
        b.join().unwrap();
    });
    check("main[a,b] end[a,b] end[b]");
}

#[test]
fn in_span_keeps_the_spans_apart() {
    observed(|| {
        let serve = |span: Span| {
            move || {
                in_span(&span, || {
                    yield_now();
                    in_span(&info_span!("inner"), || {
                        yield_now();
                        info!("inner");
                    });
                    info!("end");
                });
            }
        };
        let (a, b) = (spawn(serve(info_span!("a"))), spawn(serve(info_span!("b"))));
        yield_now();
        info!("main");
        a.join().unwrap();
        b.join().unwrap();
    });
    check("main[] inner[a,inner] end[a] inner[b,inner] end[b]");
}

#[test]
fn a_fiber_may_run_in_the_span_of_its_maker() {
    observed(|| {
        in_span(&info_span!("a"), || {
            let plain = spawn(|| info!("plain"));
            let child = spawn(instrument(Span::current(), || {
                yield_now();
                info!("child");
            }));
            plain.join().unwrap();
            child.join().unwrap();
            info!("parent");
        });
    });
    check("plain[] child[a] parent[a]");
}

#[test]
fn a_job_on_another_scheduler_runs_in_the_span_that_it_was_given() {
    fn send<F: Send>(f: F) -> F {
        f
    }
    let dispatch = Dispatch::new(Names::default());
    let span = dispatcher::with_default(&dispatch, || info_span!("a"));
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    runtime.run(|| {
        let job = send(instrument(span, move || {
            yield_now();
            with_default(&dispatch, || Span::current().metadata().map(Metadata::name))
        }));
        let name = fibra::Handle::current().spawn(job).join().unwrap();
        assert_eq!(name, Some("a"));
    });
}

#[test]
fn a_kill_exits_the_spans() {
    observed(|| {
        let victim = spawn(instrument(info_span!("a"), fibra::park));
        yield_now();
        victim.kill();
        assert!(victim.join().unwrap_err().is_killed());
        info!("main");
    });
    check("main[]");
}

#[test]
fn a_dispatcher_stays_with_its_fiber() {
    let dispatch = Dispatch::new(Names::default());
    fibra::run(move || {
        let loud = spawn(move || {
            with_default(&dispatch, || {
                info!("begin");
                yield_now();
                info!("end");
            });
        });
        yield_now();
        info!("not seen");
        loud.join().unwrap();
        info!("not seen");
    });
    check("begin[] end[]");
}
