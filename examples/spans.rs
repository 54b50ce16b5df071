//! Log lines of two requests that are served by fibers of one thread, each with the span of its
//! request.
//!
//! A subscriber of the crate tracing keeps the current span per thread. `in_span` takes it off the
//! thread while the fiber waits, and so the lines of one request do not get the span of the other.
//! The subscriber of this example is a minimal one: it prints the names of the spans.
//!
//! ```text
//! $ cargo run --release --example spans --features tracing
//! [GET] begin
//! [PUT] begin
//! [GET:query] 3 rows
//! [PUT:query] 3 rows
//! [GET] end
//! [PUT] end
//! [] all requests are served
//! ```

mod broken_pipe;

use std::cell::RefCell;
use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use fibra::tracing::{in_span, instrument};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Span, Subscriber, info, info_span};
use tracing_core::span::Current;

fn main() {
    broken_pipe::end_quietly();
    tracing::subscriber::set_global_default(Printer::default()).expect("there is no other");
    fibra::run(|| {
        let requests = [info_span!("GET"), info_span!("PUT")]
            .map(|span| fibra::spawn(move || in_span(&span, serve)));
        requests.into_iter().for_each(|request| request.join().unwrap());
        info!("all requests are served");
    });
}

fn serve() {
    info!("begin");
    fibra::sleep(Duration::from_millis(10));
    // The query runs in a fiber of its own, and in the span of its request.
    let query = fibra::spawn(instrument(Span::current(), query));
    query.join().unwrap();
    info!("end");
}

fn query() {
    in_span(&info_span!("query"), || {
        fibra::sleep(Duration::from_millis(10));
        info!("3 rows");
    });
}

thread_local! {
    /// The spans that are entered on this thread, the innermost last.
    static ENTERED: RefCell<Vec<Id>> = const { RefCell::new(Vec::new()) };
}

/// A subscriber that prints the text of each event, and the spans that are entered.
#[derive(Default)]
struct Printer {
    spans: Mutex<Vec<&'static Metadata<'static>>>,
}

impl Printer {
    fn metadata(&self, id: &Id) -> &'static Metadata<'static> {
        self.spans.lock().unwrap()[id.into_u64() as usize - 1]
    }
}

impl Subscriber for Printer {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.spans.lock().unwrap();
        spans.push(span.metadata());
        Id::from_u64(spans.len() as u64)
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        let entered = ENTERED.with_borrow(Vec::clone);
        let names: Vec<_> = entered.iter().map(|id| self.metadata(id).name()).collect();
        println!("[{}] {}", names.join(":"), message.0);
    }

    fn enter(&self, id: &Id) {
        ENTERED.with_borrow_mut(|entered| entered.push(id.clone()));
    }

    fn exit(&self, _: &Id) {
        ENTERED.with_borrow_mut(Vec::pop);
    }

    fn current_span(&self) -> Current {
        let innermost = ENTERED.with_borrow(|entered| entered.last().cloned());
        innermost.map_or_else(Current::none, |id| {
            let metadata = self.metadata(&id);
            Current::new(id, metadata)
        })
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}
}

/// The text of an event.
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, _: &Field, value: &dyn fmt::Debug) {
        self.0 = format!("{value:?}");
    }
}
