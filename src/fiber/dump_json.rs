//! Dumps as JSON, for tools.
//!
//! The fields are documented at [`Dump::to_json`](crate::Dump::to_json).

#![forbid(unsafe_code)]

use std::fmt::{self, Write};
use std::panic::Location;
use std::time::Duration;

use crate::fiber::id::FiberId;
use crate::fiber::snapshot::{Activity, Dump, FiberSnapshot};
use crate::fiber::waits_for::WaitsFor;

/// A writer of JSON. It keeps commas and quotes right, and the caller the order of the calls.
#[derive(Debug, Default)]
pub(crate) struct Json {
    text: String,
}

impl Json {
    pub(crate) fn into_text(self) -> String {
        self.text
    }

    /// Writes an object, whose fields `f` writes.
    pub(crate) fn object(&mut self, f: impl FnOnce(&mut Json)) {
        self.within('{', '}', f);
    }

    /// Writes an array with an item for each of `items`, which `f` writes.
    pub(crate) fn array<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut f: impl FnMut(&mut Json, T),
    ) {
        self.within('[', ']', |json| {
            for item in items {
                json.comma();
                f(json, item);
            }
        });
    }

    fn within(&mut self, open: char, close: char, f: impl FnOnce(&mut Json)) {
        self.text.push(open);
        f(self);
        self.text.push(close);
    }

    /// Begins the field `name` of an object. The caller writes one value after it.
    pub(crate) fn field(&mut self, name: &str) -> &mut Json {
        self.comma();
        self.string(name);
        self.text.push(':');
        self
    }

    fn comma(&mut self) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
    }

    pub(crate) fn null(&mut self) {
        self.text.push_str("null");
    }

    /// Writes a number or a boolean.
    pub(crate) fn plain(&mut self, value: impl fmt::Display) {
        let _ = write!(self.text, "{value}");
    }

    /// Writes `value` by `f`, or `null`.
    pub(crate) fn option<T>(&mut self, value: Option<T>, f: impl FnOnce(&mut Json, T)) {
        match value {
            Some(value) => f(self, value),
            None => self.null(),
        }
    }

    /// Writes a string.
    pub(crate) fn string(&mut self, text: &str) {
        self.text.push('"');
        for char in text.chars() {
            match char {
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '\n' => self.text.push_str("\\n"),
                // Control characters, and those that end a line in JavaScript.
                char if char.is_control() || matches!(char, '\u{2028}' | '\u{2029}') => {
                    let _ = write!(self.text, "\\u{:04x}", u32::from(char));
                }
                char => self.text.push(char),
            }
        }
        self.text.push('"');
    }

    /// Writes a time as its microseconds.
    pub(crate) fn micros(&mut self, time: Duration) {
        self.plain(time.as_micros());
    }

    /// Writes the two numbers of a fiber.
    fn id(&mut self, id: FiberId) {
        self.object(|json| {
            json.field("scheduler").plain(id.scheduler);
            json.field("number").plain(id.number);
        });
    }

    fn place(&mut self, place: &Location<'_>) {
        self.object(|json| {
            json.field("file").string(place.file());
            json.field("line").plain(place.line());
            json.field("column").plain(place.column());
        });
    }
}

/// Writes `dump`.
pub(crate) fn dump(json: &mut Json, dump: &Dump) {
    json.object(|json| {
        json.field("fibers").array(&dump.fibers, fiber);
        json.field("left_out").plain(dump.left_out);
        json.field("other_schedulers").plain(dump.other_schedulers);
    });
}

fn fiber(json: &mut Json, fiber: &FiberSnapshot) {
    let wait = match fiber.activity {
        Activity::Waiting(text) => Some(text),
        _ => None,
    };
    json.object(|json| {
        json.field("id").id(fiber.id);
        json.field("name").option(fiber.name.as_deref(), Json::string);
        json.field("state").string(state(fiber.activity));
        json.field("wait").option(wait, Json::string);
        json.field("waits_for").array(&fiber.waits_for, target);
        json.field("held_by").option(fiber.held_by.as_deref(), Json::string);
        json.field("location").place(fiber.location);
        json.field("has_waited").plain(fiber.has_waited);
        json.field("waiting_us").option(fiber.waiting_for, Json::micros);
        json.field("ends_in_us").option(fiber.ends_in, Json::micros);
        json.field("kill_pending").plain(fiber.kill_pending);
        json.field("spawned_at").place(fiber.spawned_at);
        json.field("parent").option(fiber.parent, Json::id);
        json.field("stack_used").plain(fiber.stack_used);
        json.field("stack_size").plain(fiber.stack_size);
    });
}

fn state(activity: Activity) -> &'static str {
    match activity {
        Activity::NotStarted => "not started",
        Activity::Running => "running",
        Activity::Runnable => "runnable",
        Activity::Waiting(_) => "waiting",
        Activity::Abandoned => "abandoned",
    }
}

fn target(json: &mut Json, target: &WaitsFor) {
    json.object(|json| match target {
        WaitsFor::Fiber { id, name } => {
            json.field("kind").string("fiber");
            json.field("id").id(*id);
            json.field("name").option(name.as_deref(), Json::string);
        }
        WaitsFor::Channel(place) => {
            json.field("kind").string("channel");
            json.field("made_at").place(place);
        }
        WaitsFor::Descriptor(descriptor) => {
            json.field("kind").string("descriptor");
            json.field("number").plain(descriptor.number);
            json.field("peer").option(descriptor.peer.as_deref(), Json::string);
            json.field("local").option(descriptor.local.as_deref(), Json::string);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_escaped() {
        let mut json = Json::default();
        json.string("a \"b\" \\ c\n\t\u{0}\u{2028} \u{1f41f}");
        let expected = "\"a \\\"b\\\" \\\\ c\\n\\u0009\\u0000\\u2028 \u{1f41f}\"";
        assert_eq!(json.into_text(), expected);
    }
}
