//! What can be done with a dump: JSON for tools, the difference of two, and the removal of what is
//! not for all eyes.

#![forbid(unsafe_code)]

use crate::fiber::dump_difference::DumpDifference;
use crate::fiber::dump_json::{self, Json};
use crate::fiber::snapshot::{Dump, FiberSnapshot};
use crate::fiber::waits_for::WaitsFor;

impl Dump {
    /// Returns the dump as JSON, in one line.
    ///
    /// The fields are those of [`Dump`] and [`FiberSnapshot`], with these forms:
    ///
    /// | field of a fiber | value |
    /// |---|---|
    /// | `id` | `{"scheduler": 1, "number": 3}`; schedulers are numbered within the process |
    /// | `name` | a string, or `null` |
    /// | `state` | `"not started"`, `"running"`, `"runnable"`, `"waiting"` or `"abandoned"` |
    /// | `wait` | the text of [`Activity::Waiting`](crate::Activity::Waiting), or `null` |
    /// | `waits_for` | an array: see below |
    /// | `held_by` | a string, or `null` |
    /// | `location`, `spawned_at` | `{"file": "src/main.rs", "line": 3, "column": 5}` |
    /// | `has_waited`, `kill_pending` | a boolean |
    /// | `waiting_us`, `ends_in_us` | the microseconds of `waiting_for` and `ends_in`, or `null` |
    /// | `parent` | like `id`, or `null` |
    /// | `stack_used`, `stack_size` | bytes |
    ///
    /// An item of `waits_for` has a `kind`:
    ///
    /// | `kind` | other fields |
    /// |---|---|
    /// | `"fiber"` | `id`, `name` |
    /// | `"channel"` | `made_at`, like `location` |
    /// | `"descriptor"` | `number`; `peer` and `local`, strings or `null` |
    ///
    /// More fields and kinds may be added.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let json = fibra::dump().to_json();
    ///     assert!(json.starts_with(r#"{"fibers":[{"id":{"scheduler":"#));
    ///     assert!(json.contains(r#""number":1},"name":"main","state":"running","wait":null,"#));
    /// });
    /// ```
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut json = Json::default();
        dump_json::dump(&mut json, self);
        json.into_text()
    }

    /// Returns how this dump differs from `before`, which was made earlier: for each place where
    /// fibers were spawned and each place where they wait, how many there were and are. A leak
    /// shows as the growth that goes on.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let before = fibra::dump();
    ///     let line = line!() + 2;
    ///     for _ in 0..1_000 {
    ///         fibra::spawn(fibra::park).detach();
    ///     }
    ///     fibra::yield_now(); // they wait now
    ///     let difference = fibra::dump().difference(&before);
    ///     println!("{difference}");
    ///     // +1000 (0 before, 1000 after): parked at src/main.rs:5:9, spawned at src/main.rs:5:9
    ///     let leak = &difference.changes[0];
    ///     assert_eq!((leak.before, leak.after, leak.spawned_at.line()), (0, 1_000, line));
    /// });
    /// ```
    #[must_use]
    pub fn difference(&self, before: &Dump) -> DumpDifference {
        DumpDifference::between(before.fibers.iter(), self.fibers.iter())
    }

    /// Returns the dump without the names of fibers and the addresses of sockets, which may be
    /// about people or secret. Places in the source and numbers stay.
    ///
    /// # Examples
    ///
    /// ```
    /// fibra::run(|| {
    ///     let patient = fibra::Builder::new().name("Ada Lovelace").spawn(fibra::park);
    ///     fibra::yield_now();
    ///     assert!(!fibra::dump().redacted().to_string().contains("Ada"));
    ///     patient.kill();
    /// });
    /// ```
    #[must_use]
    pub fn redacted(mut self) -> Dump {
        self.fibers.iter_mut().for_each(FiberSnapshot::redact);
        self
    }
}

impl FiberSnapshot {
    fn redact(&mut self) {
        self.name = None;
        if let Some(holder) = &mut self.held_by {
            *holder = without_name(holder);
        }
        for target in &mut self.waits_for {
            match target {
                WaitsFor::Fiber { name, .. } => *name = None,
                WaitsFor::Channel(_) => {}
                WaitsFor::Descriptor(descriptor) => {
                    let redact = |address: &mut Option<String>| {
                        address.iter_mut().for_each(|text| *text = String::from("(redacted)"));
                    };
                    redact(&mut descriptor.peer);
                    redact(&mut descriptor.local);
                }
            }
        }
    }
}

/// Returns "fiber (#3)" of "fiber 'writer' (#3)". A name may contain quotes, and what is around it
/// does not.
fn without_name(holder: &str) -> String {
    match (holder.find('\''), holder.rfind('\'')) {
        (Some(from), Some(to)) if from < to => {
            format!("{}{}", &holder[..from], holder[to + 1..].trim_start())
        }
        _ => String::from(holder),
    }
}
