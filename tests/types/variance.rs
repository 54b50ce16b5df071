//! Tests how each parameter of each public type varies: whether a long lifetime may become shorter
//! in it, and a short one longer; and whether the contents of the type must outlive it.
//!
//! A type that only returns values may be covariant; a type that only accepts values may be
//! contravariant; a type that does both must be invariant, or a short reference goes in and a long
//! one comes out. To be invariant is always sound.
//!
//! Only the compiler knows all this. So a crate is written with one function on each line,
//! one for each question, and the lines that do not compile are the answers.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::public::public_types;
use Does::{Borrows, Both, Gives, Named, Scopes, Takes};
use Drops::{Checked, Free, Unasked};
use Variance::{Contravariant, Covariant, Invariant};

/// The use that a type makes of the values of its parameter.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Does {
    Gives,
    Takes,
    Both,
    /// It looks a value up by the identity of the type, which a subtype does not share.
    Named,
    /// A lifetime: that of the values it borrows.
    Borrows,
    /// A lifetime: that of a place for values that must end in time.
    Scopes,
}

#[derive(Copy, Clone, Debug, PartialEq)]
enum Variance {
    Covariant,
    Contravariant,
    Invariant,
}

/// Whether the compiler assumes that a destructor of the type accesses the contents.
#[derive(Copy, Clone, Debug, PartialEq)]
enum Drops {
    Checked,
    /// Its destructor drops no value of the parameter.
    Free,
    /// The parameter is a lifetime, or is `'static` or bounded.
    Unasked,
}

/// The type, with `@` for the part that varies: `'@` for a lifetime, `Fn@` for a type that must be
/// `'static`; and with `'any` for a lifetime that stays the same.
type Row = (&'static str, Does, Variance, Drops);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("FiberLocal<Fn@>", Named, Invariant, Unasked),
    ("Guest<&'@ u8>", Gives, Invariant, Checked),
    ("JoinHandle<&'@ u8>", Gives, Covariant, Checked),
    ("RemoteHandle<&'@ u8>", Gives, Invariant, Checked),
    ("Scope<'@, 'static>", Scopes, Invariant, Unasked),
    ("Scope<'@, '@>", Scopes, Invariant, Unasked),
    ("ScopedJoinHandle<'@, u8>", Borrows, Covariant, Unasked),
    ("ScopedJoinHandle<'any, &'@ u8>", Gives, Covariant, Checked),
    ("TrySpawnError<&'@ u8>", Gives, Covariant, Checked),
    ("blocking::JobFuture<&'@ u8>", Gives, Invariant, Checked),
    ("blocking::JobHandle<&'@ u8>", Gives, Invariant, Checked),
    ("blocking::Owned<Fn@>", Both, Invariant, Unasked),
    ("blocking::OwnedBuilder<Fn@>", Both, Invariant, Unasked),
    ("blocking::OwnedPool<Fn@>", Both, Invariant, Unasked),
    ("blocking::OwnedPoolBuilder<Fn@>", Both, Invariant, Unasked),
    ("channel::Channel<&'@ u8>", Both, Invariant, Checked),
    ("channel::IntoIter<&'@ u8>", Gives, Invariant, Checked),
    ("channel::IntoValues<&'@ u8>", Gives, Invariant, Checked),
    ("channel::Iter<'@, u8>", Borrows, Covariant, Unasked),
    ("channel::Iter<'any, &'@ u8>", Gives, Invariant, Free),
    ("channel::OneshotReceiver<&'@ u8>", Gives, Invariant, Checked),
    ("channel::OneshotSender<&'@ u8>", Takes, Invariant, Checked),
    ("channel::Receiver<&'@ u8>", Gives, Invariant, Checked),
    ("channel::SendError<&'@ u8>", Gives, Covariant, Checked),
    ("channel::SendTimeoutError<&'@ u8>", Gives, Covariant, Checked),
    ("channel::Sender<&'@ u8>", Takes, Invariant, Checked),
    ("channel::TrySendError<&'@ u8>", Gives, Covariant, Checked),
    ("channel::Values<'@, u8>", Borrows, Covariant, Unasked),
    ("channel::Values<'any, &'@ u8>", Gives, Invariant, Free),
    ("future::FiberFuture<&'@ u8>", Gives, Invariant, Checked),
    ("future::Iter<fibra::sync::mpmc::RecvStream<&'@ u8>>", Gives, Invariant, Checked),
    ("future::JoinAll<std::future::Ready<&'@ u8>>", Gives, Invariant, Checked),
    ("future::JoinFuture<&'@ u8>", Gives, Invariant, Checked),
    ("future::ScopedJoinFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("future::ScopedJoinFuture<'any, &'@ u8>", Gives, Covariant, Checked),
    ("future::MaybeDone<std::future::Ready<&'@ u8>>", Gives, Invariant, Checked),
    ("future::Race<std::future::Ready<&'@ u8>>", Gives, Covariant, Checked),
    ("generator::Borrowed<'@>", Scopes, Invariant, Unasked),
    ("generator::CloseError<&'@ u8>", Gives, Covariant, Checked),
    ("generator::Generator<&'@ u8, u8, u8>", Gives, Invariant, Checked),
    ("generator::Generator<u8, &'@ u8, u8>", Takes, Invariant, Checked),
    ("generator::Generator<u8, u8, &'@ u8>", Gives, Invariant, Checked),
    ("generator::Generator<u8, u8, u8, generator::Borrowed<'@>>", Scopes, Invariant, Unasked),
    ("generator::GeneratorState<&'@ u8, u8>", Gives, Covariant, Checked),
    ("generator::GeneratorState<u8, &'@ u8>", Gives, Covariant, Checked),
    ("generator::ResumeError<&'@ u8>", Gives, Covariant, Checked),
    ("generator::Scope<'@, 'static>", Scopes, Invariant, Unasked),
    ("generator::Scope<'@, '@>", Scopes, Invariant, Unasked),
    ("generator::Yielder<&'@ u8, u8>", Takes, Invariant, Free),
    ("generator::Yielder<u8, &'@ u8>", Gives, Invariant, Free),
    ("greenlet::Greenlet<Fn@>", Named, Invariant, Unasked),
    ("greenlet::SwitchError<&'@ u8>", Gives, Covariant, Checked),
    ("http::BodyReader<Carries<'@>>", Gives, Invariant, Unasked),
    ("http::Connection<Carries<'@>>", Takes, Invariant, Unasked),
    ("http::Io<&'@ u8>", Gives, Covariant, Checked),
    ("io::Readiness<'@>", Borrows, Covariant, Unasked),
    ("io::StdinLock<'@>", Borrows, Covariant, Unasked),
    ("io::Waitable<std::os::fd::BorrowedFd<'@>>", Gives, Covariant, Unasked),
    ("net::Incoming<'@>", Borrows, Covariant, Unasked),
    ("net::ReadHalf<&'@ u8>", Gives, Covariant, Checked),
    ("net::ReuniteError<&'@ u8>", Gives, Invariant, Checked),
    ("net::UnixIncoming<'@>", Borrows, Covariant, Unasked),
    ("net::WriteHalf<&'@ u8>", Gives, Invariant, Checked),
    ("par::Imap<&'@ u8, u8, u8>", Gives, Covariant, Checked),
    ("par::Imap<u8, &'@ u8, u8>", Gives, Invariant, Checked),
    ("par::Imap<u8, u8, &'@ u8>", Gives, Covariant, Checked),
    ("par::Scope<'@, 'static>", Scopes, Invariant, Unasked),
    ("par::Scope<'@, '@>", Scopes, Invariant, Unasked),
    ("par::ScopedHandle<'@, u8>", Borrows, Covariant, Unasked),
    ("par::ScopedHandle<'any, &'@ u8>", Gives, Invariant, Checked),
    ("pool::AsCompleted<&'@ u8>", Gives, Invariant, Checked),
    ("pool::Group<&'@ u8>", Gives, Invariant, Checked),
    ("pool::Imap<&'@ u8>", Gives, Invariant, Checked),
    ("pool::ImapUnordered<&'@ u8>", Gives, Invariant, Checked),
    ("pool::IntoItems<&'@ u8, pool::Oldest>", Gives, Invariant, Checked),
    ("pool::Items<'@, u8, pool::Oldest>", Borrows, Covariant, Unasked),
    ("pool::Items<'any, &'@ u8, pool::Oldest>", Gives, Invariant, Free),
    ("pool::Outcomes<'@, u8>", Borrows, Covariant, Unasked),
    ("pool::Outcomes<'any, &'@ u8>", Gives, Invariant, Free),
    ("pool::Permit<'@>", Borrows, Covariant, Unasked),
    ("pool::Ranked<&'@ u8, u8>", Gives, Covariant, Checked),
    ("pool::Ranked<u8, &'@ u8>", Gives, Covariant, Checked),
    ("pool::Retry<'@, u8>", Borrows, Covariant, Unasked),
    ("pool::Retry<'any, &'@ u8>", Gives, Invariant, Checked),
    ("pool::RetryError<&'@ u8>", Gives, Covariant, Checked),
    ("pool::SpawnTimeoutError<&'@ u8>", Gives, Covariant, Checked),
    ("pool::Task<&'@ u8, pool::Oldest>", Both, Invariant, Checked),
    ("pool::TrySpawnError<&'@ u8>", Gives, Covariant, Checked),
    ("pool::Backoff<'@>", Borrows, Covariant, Unasked),
    ("pool::WorkQueue<&'@ u8, pool::Oldest>", Both, Invariant, Checked),
    ("select::FutureOp<std::future::Ready<&'@ u8>>", Gives, Invariant, Checked),
    ("select::JoinOp<'@, u8>", Borrows, Covariant, Unasked),
    ("select::JoinOp<'any, &'@ u8>", Gives, Invariant, Free),
    ("select::RemoteJoinOp<'@, u8>", Borrows, Covariant, Unasked),
    ("select::RemoteJoinOp<'any, &'@ u8>", Gives, Invariant, Free),
    ("select::RecvOp<'@, u8>", Borrows, Covariant, Unasked),
    ("select::RecvOp<'any, &'@ u8>", Gives, Invariant, Checked),
    ("select::Select<'@, u8>", Borrows, Covariant, Unasked),
    ("select::Select<'any, &'@ u8>", Gives, Invariant, Checked),
    ("select::SendOp<'@, u8>", Borrows, Covariant, Unasked),
    ("select::SendOp<'any, &'@ u8>", Takes, Invariant, Checked),
    ("select::WaitOp<'@>", Borrows, Covariant, Unasked),
    ("server::Server<&'@ u8>", Gives, Covariant, Checked),
    ("signal::Iter<'@>", Borrows, Covariant, Unasked),
    ("stackless::Bound<Fn@>", Named, Invariant, Unasked),
    ("stackless::Channel<&'@ u8>", Both, Invariant, Checked),
    ("stackless::ChannelEvent<'@>", Borrows, Covariant, Unasked),
    ("stackless::ChannelIter<'@, u8>", Borrows, Covariant, Unasked),
    ("stackless::ChannelIter<'any, &'@ u8>", Gives, Invariant, Free),
    ("stackless::IntoChannelIter<&'@ u8>", Gives, Invariant, Checked),
    ("stackless::IntoSharedIter<&'@ u8>", Gives, Invariant, Checked),
    ("stackless::SendError<&'@ u8>", Gives, Covariant, Checked),
    ("stackless::SharedChannel<&'@ u8>", Both, Invariant, Checked),
    ("stackless::SharedIter<'@, u8>", Borrows, Covariant, Unasked),
    ("stackless::SharedIter<'any, &'@ u8>", Gives, Invariant, Free),
    ("sync::LazyLock<&'@ u8, u8>", Gives, Invariant, Checked),
    ("sync::LazyLock<u8, &'@ u8>", Gives, Invariant, Checked),
    ("sync::Mutex<&'@ u8>", Both, Invariant, Checked),
    ("sync::MutexGuard<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::MutexGuard<'any, &'@ u8>", Both, Invariant, Checked),
    ("sync::OnceCell<&'@ u8>", Both, Invariant, Checked),
    ("sync::OneshotReceiver<&'@ u8>", Gives, Invariant, Checked),
    ("sync::OneshotSender<&'@ u8>", Takes, Invariant, Checked),
    ("sync::Permit<'@>", Borrows, Covariant, Unasked),
    ("sync::Promise<&'@ u8>", Takes, Invariant, Checked),
    ("sync::Promised<&'@ u8>", Gives, Invariant, Checked),
    ("sync::ReentrantMutex<&'@ u8>", Gives, Covariant, Checked),
    ("sync::ReentrantMutexGuard<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::ReentrantMutexGuard<'any, &'@ u8>", Gives, Covariant, Checked),
    ("sync::RwLock<&'@ u8>", Both, Invariant, Checked),
    ("sync::RwLockReadGuard<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::RwLockReadGuard<'any, &'@ u8>", Gives, Invariant, Checked),
    ("sync::RwLockWriteGuard<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::RwLockWriteGuard<'any, &'@ u8>", Both, Invariant, Checked),
    ("sync::Worker<'@>", Borrows, Covariant, Unasked),
    ("sync::futures::AcquireFuture<'@>", Borrows, Covariant, Unasked),
    ("sync::futures::BarrierFuture<'@>", Borrows, Covariant, Unasked),
    ("sync::futures::ConditionFuture<'@, 'any, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::ConditionFuture<'any, '@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::ConditionFuture<'any, 'any, &'@ u8>", Both, Invariant, Checked),
    ("sync::futures::EventFuture<'@>", Borrows, Covariant, Unasked),
    ("sync::futures::LockFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::LockFuture<'any, &'@ u8>", Both, Invariant, Checked),
    ("sync::futures::OneshotFuture<&'@ u8>", Gives, Invariant, Checked),
    ("sync::futures::PromisedFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::PromisedFuture<'any, &'@ u8>", Gives, Invariant, Checked),
    ("sync::futures::ReadFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::ReadFuture<'any, &'@ u8>", Gives, Invariant, Checked),
    ("sync::futures::RecvFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::RecvFuture<'any, &'@ u8>", Gives, Invariant, Checked),
    ("sync::futures::SendFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::SendFuture<'any, &'@ u8>", Takes, Invariant, Checked),
    ("sync::futures::WaitGroupFuture<'@>", Borrows, Covariant, Unasked),
    ("sync::futures::WriteFuture<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::futures::WriteFuture<'any, &'@ u8>", Both, Invariant, Checked),
    ("sync::futures::TaskGuard<&'@ u8>", Gives, Covariant, Checked),
    ("sync::futures::TaskGuard<fibra::sync::MutexGuard<'any, &'@ u8>>", Both, Invariant, Checked),
    ("sync::mpmc::IntoValues<&'@ u8>", Gives, Invariant, Checked),
    ("sync::mpmc::Receiver<&'@ u8>", Gives, Invariant, Checked),
    ("sync::mpmc::RecvStream<&'@ u8>", Gives, Invariant, Checked),
    ("sync::mpmc::SendSink<&'@ u8>", Takes, Invariant, Checked),
    ("sync::mpmc::Sender<&'@ u8>", Takes, Invariant, Checked),
    ("sync::mpmc::Values<'@, u8>", Borrows, Covariant, Unasked),
    ("sync::mpmc::Values<'any, &'@ u8>", Gives, Invariant, Free),
    ("tls::TlsStream<&'@ u8>", Gives, Covariant, Checked),
];

/// Parameters that only types of this crate can stand for, none of which has parameters.
const MARKERS: &[(&str, usize)] =
    &[("pool::IntoItems", 1), ("pool::Items", 2), ("pool::Task", 1), ("pool::WorkQueue", 1)];

/// The beginning of the crate of questions.
const PRELUDE: &str = "#![allow(dead_code, unused, clippy::all)] use fibra::*; \
    type FnLong = for<'x> fn(&'x u8); type FnShort = fn(&'static u8); \
    pub struct Loud<'a>(&'a String); impl Drop for Loud<'_> { fn drop(&mut self) {} } \
    pub struct Carries<'a>(&'a u8); \
    impl fibra::http::hyper::body::Body for Carries<'_> { \
    type Data = std::collections::VecDeque<u8>; type Error = std::io::Error; \
    fn poll_frame(self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) \
    -> std::task::Poll<Option<Result<fibra::http::hyper::body::Frame<Self::Data>, Self::Error>>> \
    { loop {} } }\n";

/// The number of questions about one row: whether long becomes short, whether short becomes long,
/// and whether a value may die before its owner.
const QUESTIONS: usize = 3;

fn questions_about(row: &Row, number: usize) -> String {
    let (pattern, ..) = row;
    let long = pattern.replace("'@", "'long").replace("Fn@", "FnLong");
    let short = pattern.replace("'@", "'short").replace("Fn@", "FnShort");
    let mut lines = String::new();
    for (name, from, to) in [("shorten", &long, &short), ("lengthen", &short, &long)] {
        writeln!(
            lines,
            "fn {name}_{number}<'long: 'short, 'short: 'any, 'any>(x: fibra::{from}) -> fibra::{to} {{ x }}"
        )
        .unwrap();
    }
    if row.3 == Unasked {
        lines.push('\n');
    } else {
        let loud = pattern.replace("&'@ u8", "Loud<'a>").replace("'any", "'a");
        writeln!(
            lines,
            "fn drop_{number}(make: for<'a> fn(&'a String) -> fibra::{loud}) \
             {{ let owner; let value = String::new(); owner = make(&value); }}"
        )
        .unwrap();
    }
    lines
}

/// Returns the numbers of the lines of `code` that do not compile because of a lifetime.
fn lines_refused(code: &str) -> BTreeSet<usize> {
    let root = env!("CARGO_MANIFEST_DIR");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("variance");
    let manifest = format!(
        "[package]\nname = \"variance\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\nfibra = {{ path = {root:?}, features = [\"tls\", \"http2\", \"greenlet\", \"stream\", \"tokio\"] }}\n"
    );
    fs::create_dir_all(folder.join("src")).unwrap();
    fs::write(folder.join("Cargo.toml"), manifest).unwrap();
    fs::write(folder.join("src/lib.rs"), code).unwrap();
    // Use the versions that are already there.
    let _ = fs::copy(Path::new(root).join("Cargo.lock"), folder.join("Cargo.lock"));
    let checked = Command::new(env!("CARGO"))
        .args(["check", "--offline", "--quiet", "--message-format=short", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", folder.join("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    let about = |line: &str| line.strip_prefix("src/lib.rs:").map(String::from);
    let mut refused = BTreeSet::new();
    for line in said.lines().filter_map(about) {
        let number = line.split(':').next().and_then(|number| number.parse::<usize>().ok());
        let number = number.unwrap_or_else(|| panic!("no number of a line in {line:?}"));
        let source = code.lines().nth(number - 1).unwrap_or_default();
        let is_about_lifetimes = line.contains("error: lifetime may not live long enough")
            || line.contains("error[E0597]")
            || line.contains("error[E0308]") && source.contains("FnLong");
        assert!(is_about_lifetimes, "{line}\n{source}\n{said}");
        refused.insert(number);
    }
    assert!(!refused.is_empty() || checked.status.success(), "{said}");
    refused
}

/// Returns the compiler's answers about each of `rows`.
fn ask(rows: &[Row]) -> Vec<(Variance, Drops)> {
    let mut code = String::from(PRELUDE);
    assert_eq!(code.lines().count(), 1);
    for (number, row) in rows.iter().enumerate() {
        code += &questions_about(row, number);
    }
    let refused = lines_refused(&code);
    let answer = |(number, row): (usize, &Row)| {
        let first = 2 + number * QUESTIONS;
        let variance = match [first, first + 1].map(|line| !refused.contains(&line)) {
            [true, false] => Covariant,
            [false, true] => Contravariant,
            [false, false] => Invariant,
            [true, true] => panic!("{} does not vary at all: is there an @ in it?", row.0),
        };
        let drops = match row.3 {
            Unasked => Unasked,
            _ if refused.contains(&(first + 2)) => Checked,
            _ => Free,
        };
        (variance, drops)
    };
    rows.iter().enumerate().map(answer).collect()
}

fn line((pattern, does, variance, drops): &Row) -> String {
    format!("    (\"{pattern}\", {does:?}, {variance:?}, {drops:?}),\n")
}

#[test]
fn parameters_vary_as_far_as_they_may() {
    let found: Vec<Row> = ROWS
        .iter()
        .zip(ask(ROWS))
        .map(|(&(pattern, does, ..), (variance, drops))| (pattern, does, variance, drops))
        .collect();
    let table = |rows: &[Row]| rows.iter().map(line).collect::<String>();
    crate::assert_table(&table(&found), &table(ROWS));
}

#[test]
fn what_gives_and_takes_is_invariant() {
    for row @ (_, does, variance, _) in ROWS {
        let is_sound = match does {
            Gives | Borrows => *variance != Contravariant,
            Takes => *variance != Covariant,
            Both | Named | Scopes => *variance == Invariant,
        };
        assert!(is_sound, "{}", line(row));
    }
}

#[test]
fn every_parameter_of_a_public_type_has_its_row() {
    let has_row = |path: &str, place: usize| {
        let is_about = |(pattern, ..): &&Row| {
            let arguments = pattern.strip_prefix(path).and_then(|rest| rest.strip_prefix('<'));
            arguments.is_some_and(|list| list.split(", ").nth(place).unwrap_or("").contains('@'))
        };
        ROWS.iter().any(|row| is_about(&row)) || MARKERS.contains(&(path, place))
    };
    let mut missing = Vec::new();
    for public in public_types() {
        for (place, name) in public.parameters.iter().enumerate() {
            if !has_row(&public.path, place) {
                missing.push(format!("{}: {name}", public.path));
            }
        }
    }
    assert!(missing.is_empty(), "no row for {missing:#?}");
}
