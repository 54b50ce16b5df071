//! The commands, and the texts that answer them.

use std::fmt::Write;
use std::time::Duration;

use crate::jobs::desk::Request;
use crate::jobs::dump;
use crate::jobs::runtime_dump::RuntimeDump;
use crate::jobs::shared::Shared;

/// The time within which a scheduler answers unless its fiber computes or blocks the thread.
pub(super) const PATIENCE: Duration = Duration::from_millis(200);

/// The shortest and the longest time between two answers of `watch`.
const REPEATS: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(3600)];

const HELP: &str = "\
ps               all fibers: what each waits for, where, and for how long
tree             the fibers as a tree: which has spawned which
stacks           the fibers with their stacks, equal ones together
stats            the counters of each scheduler
json             everything as one line of JSON
watch [seconds]  ps, again and again, until the next line
help             this list";

/// A command of a client.
#[derive(Debug, PartialEq)]
pub(super) enum Command {
    Ps,
    Tree,
    Stacks,
    Stats,
    Json,
    Watch(Duration),
    Help,
    /// An empty line.
    Nothing,
    TooLong,
    Unknown(String),
}

impl Command {
    pub(super) fn parse(line: &str) -> Command {
        let mut words = line.split_whitespace();
        let command = match (words.next(), words.next()) {
            (None, _) => Command::Nothing,
            (Some("ps"), None) => Command::Ps,
            (Some("tree"), None) => Command::Tree,
            (Some("stacks"), None) => Command::Stacks,
            (Some("stats"), None) => Command::Stats,
            (Some("json"), None) => Command::Json,
            (Some("help" | "?"), None) => Command::Help,
            (Some("watch"), None) => Command::Watch(Duration::from_secs(1)),
            (Some("watch"), Some(seconds)) => {
                match seconds.parse().map(Duration::try_from_secs_f64) {
                    Ok(Ok(every)) => Command::Watch(every.clamp(REPEATS[0], REPEATS[1])),
                    _ => Command::Unknown(line.trim().into()),
                }
            }
            _ => Command::Unknown(line.trim().into()),
        };
        if words.next().is_some() { Command::Unknown(line.trim().into()) } else { command }
    }
}

/// Returns the answer to `command`, for which it asks the schedulers of `shared`.
pub(super) fn answer(command: &Command, shared: &Shared) -> String {
    let schedulers = shared.seats.len();
    let ask = |request| dump::of_all(shared, request, PATIENCE, None);
    let dump = || ask(Request::new(schedulers, usize::MAX, false));
    match command {
        Command::Ps | Command::Watch(_) => dump().text(usize::MAX),
        Command::Tree => dump().text(0),
        Command::Stacks => ask(Request::with_stacks(schedulers)).text(usize::MAX),
        Command::Stats => stats(&ask(Request::new(schedulers, 0, false))),
        Command::Json => dump().to_json(),
        Command::Help => HELP.into(),
        Command::Nothing => String::new(),
        Command::TooLong => "the line is too long".into(),
        Command::Unknown(line) => format!("unknown command `{}`\n{HELP}", line.escape_default()),
    }
}

/// Returns the counters of each scheduler, one per line.
fn stats(dump: &RuntimeDump) -> String {
    let mut text = String::new();
    for scheduler in &dump.schedulers {
        let _ = writeln!(text, "scheduler {} {}", scheduler.index, scheduler.state);
        let Some(stats) = &scheduler.stats else { continue };
        let queued = ("queued_jobs", scheduler.queued_jobs as u64);
        for (name, number) in stats.list().into_iter().chain([queued]) {
            let _ = writeln!(text, "  {name:<18} {number}");
        }
    }
    let _ = writeln!(text, "queued_jobs {}", dump.queued_jobs);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_one_word_and_perhaps_a_number() {
        let watch = |millis| Command::Watch(Duration::from_millis(millis));
        let known = [
            ("ps", Command::Ps),
            (" tree \r\n", Command::Tree),
            ("\n", Command::Nothing),
            ("watch", watch(1000)),
            ("watch 0.25", watch(250)),
            ("watch 0", watch(100)),
            ("watch 1e9", watch(3_600_000)),
        ];
        for (line, command) in known {
            assert_eq!(Command::parse(line), command, "{line}");
        }
        for line in ["PS", "ps ps", "watch x", "watch -1", "watch NaN", "watch 1 2", "kill"] {
            assert_eq!(Command::parse(line), Command::Unknown(line.into()));
        }
    }
}
