//! The thread that writes reports: looking up names takes long, and the watchdog goes on meanwhile.
//!
//! Invariant: the thread that looks owns this one, and joins it. It starts with the first report.

#![forbid(unsafe_code)]

use std::sync::mpsc::{self, Sender};
use std::thread::{self, JoinHandle};

use crate::watchdog::report::Report;

/// The owner of the thread.
#[derive(Debug, Default)]
pub(super) struct Writer(Option<(Sender<Report>, JoinHandle<()>)>);

impl Writer {
    /// Lets the thread write `report`. If there is none, and none can be started, writes it here.
    pub(super) fn send(&mut self, report: Report) {
        if self.0.is_none() {
            self.0 = start();
        }
        match &self.0 {
            Some((reports, _)) => {
                if let Err(unsent) = reports.send(report) {
                    unsent.0.write();
                }
            }
            None => report.write(),
        }
    }

    /// Waits until all reports are written.
    pub(super) fn join(self) {
        if let Some((reports, thread)) = self.0 {
            drop(reports);
            // An error is a panic, which was printed.
            let _ = thread.join();
        }
    }
}

fn start() -> Option<(Sender<Report>, JoinHandle<()>)> {
    let (reports, received) = mpsc::channel::<Report>();
    let thread = thread::Builder::new().name("fibra-reports".into());
    let thread = thread.spawn(move || received.iter().for_each(|report| report.write()));
    thread.ok().map(|thread| (reports, thread))
}
