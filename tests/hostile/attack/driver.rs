//! Plays the product in child processes, in slices, and judges the outcomes.
//!
//! A child writes, on its standard error, `@begin n` before a combination and `@end n ...` after
//! it. The lines in between belong to that combination. The death of a child is attributed to the
//! combination that it had begun, and another child continues after that combination.

use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, panic, thread};

use super::actions::{self, Action};
use super::combination;
use super::rules::{self, Rule};
use super::scenarios::{self, Play, Scenario};

/// The combinations that a child plays: `first..end`.
const SLICE: &str = "FIBRA_HOSTILE_SLICE";

/// A part of "point / action": combinations that do not contain it are left out.
const ONLY: &str = "FIBRA_HOSTILE_ONLY";

/// The number of combinations that a child plays.
const SLICE_LENGTH: usize = 300;

/// The exit status of the action that exits.
pub(crate) const EXIT_STATUS: i32 = 77;

/// The time that a combination may take on a busy machine. Time is virtual: no combination waits
/// long.
const PATIENCE: Duration = Duration::from_secs(60);

fn combinations() -> Vec<(&'static Scenario, &'static Action)> {
    let only = env::var(ONLY).unwrap_or_default();
    let wanted = |scenario: &Scenario, action: &Action| {
        format!("{} / {}", scenario.point, action.name).contains(&only)
    };
    let all =
        scenarios::all().flat_map(|scenario| actions::all().map(move |action| (scenario, action)));
    all.filter(|(scenario, action)| {
        wanted(scenario, action) && rules::rule(scenario, action) != Rule::Skipped
    })
    .collect()
}

/// Returns whether this process must play a slice.
#[allow(dead_code, reason = "for the program with `panic = \"abort\"`")]
pub(crate) fn is_child() -> bool {
    env::var_os(SLICE).is_some()
}

/// Plays the slice that the environment names. Does nothing if it names none.
pub(crate) fn child() {
    let Ok(slice) = env::var(SLICE) else { return };
    let (first, end) = slice.split_once("..").unwrap();
    quiet_panics();
    let all = combinations();
    let (first, end): (usize, usize) = (first.parse().unwrap(), end.parse().unwrap());
    for (n, &(scenario, action)) in all.iter().enumerate().take(end).skip(first) {
        eprintln!("@begin {n}");
        match combination::play(scenario, action, PATIENCE) {
            Some(outcome) => eprintln!("@end {n} {}", outcome.line()),
            None => {
                eprintln!("@hangs");
                std::process::abort();
            }
        }
    }
}

/// Prints one line per panic, with its place.
fn quiet_panics() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let text = info.payload_as_str().unwrap_or("a value that is not a string");
        let first_line = text.lines().next().unwrap_or_default();
        eprintln!("@panic {}: {first_line}", place.unwrap_or_default());
        super::scenarios::in_panic_hook();
    }));
}

impl combination::Outcome {
    fn line(&self) -> String {
        let result = match &self.result {
            Ok(text) => format!("ok:{text}"),
            Err(text) => format!("unwound:{}", text.lines().next().unwrap_or_default()),
        };
        format!(
            "strikes={}|panicking={}|left={}|twice={}|outside={}|{result}",
            self.strikes,
            self.panicking,
            self.left.join(","),
            self.dropped_twice.join(","),
            self.struck_outside,
        )
    }
}

/// Plays all combinations and returns the faults.
pub(crate) fn drive(command: &(dyn Fn() -> Command + Sync)) -> Vec<String> {
    let all = combinations();
    let next = AtomicUsize::new(0);
    let faults = Mutex::new(Vec::new());
    let worker = || loop {
        let first = next.fetch_add(SLICE_LENGTH, Ordering::Relaxed);
        if all.len() <= first {
            break;
        }
        let mut at = first;
        let end = all.len().min(first + SLICE_LENGTH);
        while at < end {
            at = play_from(at..end, command(), &mut |n, ended| {
                let (scenario, action) = all[n];
                if let Some(fault) = judge(scenario, action, ended) {
                    let mut faults = faults.lock().unwrap_or_else(PoisonError::into_inner);
                    faults.push((n, format!("{} / {}: {fault}", scenario.point, action.name)));
                }
            });
        }
    };
    thread::scope(|s| {
        (0..2).for_each(|_| drop(s.spawn(worker)));
    });
    let mut faults = faults.into_inner().unwrap_or_else(PoisonError::into_inner);
    faults.sort();
    eprintln!("{} combinations were played", all.len());
    faults.into_iter().map(|(_, fault)| fault).collect()
}

/// The end of a combination, with the lines that were printed before it.
enum Ended<'a> {
    /// The combination printed this `@end` line, after these lines.
    Line(&'a str, &'a [String]),
    /// The process ended, after these lines.
    Process(ExitStatus, &'a [String]),
}

/// Plays `slice` in one child. Returns the combination to continue with.
fn play_from(
    slice: std::ops::Range<usize>,
    mut command: Command,
    judge: &mut dyn FnMut(usize, Ended<'_>),
) -> usize {
    command.env(SLICE, format!("{}..{}", slice.start, slice.end)).env_remove("RUST_BACKTRACE");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut at = None;
    let mut said = Vec::new();
    for line in BufReader::new(child.stderr.take().unwrap()).split(b'\n') {
        let line = String::from_utf8_lossy(&line.unwrap()).into_owned();
        if let Some(n) = line.strip_prefix("@begin ") {
            at = Some(n.parse().unwrap());
            said.clear();
        } else if let Some(line) = line.strip_prefix("@end ") {
            let n = at.take().expect("it has begun");
            judge(n, Ended::Line(line, &said));
            said.clear();
        } else {
            said.push(line);
        }
    }
    let status = child.wait().unwrap();
    match at {
        Some(n) => {
            judge(n, Ended::Process(status, &said));
            n + 1
        }
        None if status.success() => slice.end,
        None => panic!("a child died between combinations: {status}\n{}", said.join("\n")),
    }
}

/// Returns the fault in the end of a combination, if there is one.
fn judge(scenario: &Scenario, action: &Action, ended: Ended<'_>) -> Option<String> {
    let rule = rules::rule(scenario, action);
    let (fault, said) = match ended {
        Ended::Line(line, said) => (judge_line(scenario, rule, line, said), said),
        Ended::Process(status, said) => {
            let hangs = said.iter().any(|line| line == "@hangs");
            let exited = rule == Rule::Exits && status.code() == Some(EXIT_STATUS);
            let aborted = rule == Rule::Aborts && !hangs && is_stated_abort(status, said);
            let how = if hangs { "hangs".into() } else { format!("the process died: {status}") };
            ((!exited && !aborted).then_some(how), said)
        }
    };
    let said = said.iter().map(|line| format!("\n      {line}")).collect::<String>();
    fault.map(|fault| format!("{fault}{said}"))
}

/// Returns whether the process has aborted and printed why.
fn is_stated_abort(status: ExitStatus, said: &[String]) -> bool {
    let says_why = |line: &String| line.contains("aborting") || line.starts_with("@panic ");
    status.to_string().contains("SIGABRT") && said.iter().any(says_why)
}

fn judge_line(scenario: &Scenario, rule: Rule, line: &str, said: &[String]) -> Option<String> {
    let fields: Vec<&str> = line.splitn(6, '|').collect();
    let field = |n: usize, name: &str| fields[n].split_once(name).map_or("", |(_, value)| value);
    let result = fields[5];
    let gave_up = |line: &String| GIVEN_UP.iter().any(|text| line.contains(text));
    let may_leave = rule == Rule::Leaks
        || matches!(rule, Rule::GivesUp | Rule::Aborts) && said.iter().any(gave_up);
    if field(0, "strikes=") == "0" {
        return Some(format!("the point was not reached ({result})"));
    }
    if let Some(fault) = said.iter().find_map(|line| line.strip_prefix("@fault: ")) {
        return Some(fault.into());
    }
    if !field(3, "twice=").is_empty() {
        return Some(format!("dropped twice: {}", field(3, "twice=")));
    }
    if let Some(panic) = said.iter().find(|line| is_inner_panic(line)) {
        return Some(format!("a panic inside of the library: {panic}"));
    }
    if field(4, "outside=") == "true" && matches!(scenario.play, Play::Inside(_)) {
        return Some("user code ran outside of every fiber".into());
    }
    if field(1, "panicking=") == "true" && !may_leave {
        return Some("the thread still unwinds".into());
    }
    if !field(2, "left=").is_empty() && !may_leave {
        return Some(format!("never dropped: {} ({result})", field(2, "left=")));
    }
    if rule == Rule::Right && result != format!("ok:{}", scenario.makes) {
        return Some(format!("made {result:?} in place of {:?}", scenario.makes));
    }
    if rule == Rule::Exits {
        return Some(format!("did not exit ({result})"));
    }
    None
}

/// Texts that the library prints when it abandons a stack.
const GIVEN_UP: &[&str] = &["its stack is kept", "given up", "leaked"];

/// Returns whether a panic was raised by the library's own code, and not on behalf of the caller.
fn is_inner_panic(line: &str) -> bool {
    let by_caller = [
        "@panic tests/",
        "tests/hostile/",
        "works only inside a fiber",
        "outside of `fibra::frame(|| ...)`",
        // The failures of jobs, which the caller of `par` gets.
        "the second closure has no result",
        "a result could not be computed",
    ];
    line.starts_with("@panic ") && !by_caller.iter().any(|text| line.contains(text))
}
