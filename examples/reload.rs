//! A service that reads its settings again at SIGHUP, while it serves.
//!
//! `signal::on` calls a closure in a fiber for each signal, so the closure may wait: it reads the
//! file and takes the write lock. The signal handler itself only sets a bit. Requests hold the read
//! lock for as long as they need the same settings.
//!
//! ```text
//! $ cargo run --release --example reload
//! request 1: hello, world
//! the settings were read again
//! request 2: good evening, world
//! the settings were kept: no line 'greeting = ...'
//! request 3: good evening, world
//! ```
//!
//! The program sends the signals to itself.

mod broken_pipe;

use fibra::channel::{Receiver, unbounded};
use fibra::process::Command;
use fibra::signal::{self, Signal};
use fibra::sync::RwLock;
use std::io;
use std::path::{Path, PathBuf};

/// The greeting. A fiber that waits while it holds the lock holds up the writer, not the thread.
static GREETING: RwLock<String> = RwLock::new(String::new());

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let file = std::env::temp_dir().join(format!("fibra-reload-{}", std::process::id()));
    let outcome = fibra::run(|| serve(&file));
    std::fs::remove_file(&file)?;
    outcome
}

fn serve(file: &Path) -> io::Result<()> {
    fibra::fs::write(file, "greeting = hello\n")?;
    *GREETING.write() = read(file)?;
    let (done, reloads) = unbounded();
    let path = PathBuf::from(file);
    let handler = signal::on(Signal::SIGHUP, move || {
        match read(&path) {
            Ok(greeting) => {
                *GREETING.write() = greeting;
                println!("the settings were read again");
            }
            Err(error) => println!("the settings were kept: {error}"),
        }
        let _ = done.send(());
    })?;
    request(1);
    fibra::fs::write(file, "greeting = good evening\n")?;
    hang_up(&reloads)?;
    request(2);
    fibra::fs::write(file, "a mistake\n")?;
    hang_up(&reloads)?;
    request(3);
    drop(handler);
    Ok(())
}

/// Reads the greeting from the file.
fn read(file: &Path) -> io::Result<String> {
    let text = fibra::fs::read_to_string(file)?;
    let greeting = text.lines().find_map(|line| line.strip_prefix("greeting = "));
    greeting.map(String::from).ok_or_else(|| io::Error::other("no line 'greeting = ...'"))
}

fn request(number: u32) {
    let greeting = GREETING.read();
    fibra::yield_now(); // Any wait: the greeting stays the same.
    println!("request {number}: {greeting}, world");
}

/// Sends SIGHUP to this process, and waits until it was handled.
fn hang_up(reloads: &Receiver<()>) -> io::Result<()> {
    let me = std::process::id().to_string();
    Command::new("kill").args(["-HUP", &me]).status()?;
    reloads.recv().map_err(io::Error::other)
}
