//! A service that reads its settings again at SIGHUP, while it serves.
//!
//! `signal::on` calls a closure in a fiber for each signal, so the closure may wait: it reads the
//! file and takes the write lock. The signal handler itself only sets a bit. Requests hold the read
//! lock for as long as they need the same settings.
//!
//! A lock on the file keeps the editor of the settings, usually another process, from writing while
//! they are read. The service manager learns the state by datagrams, as with systemd's `sd_notify`.
//!
//! ```text
//! $ cargo run --release --example reload
//! request 1: hello, world
//! the settings were read again
//! request 2: good evening, world
//! the settings were kept: no line 'greeting = ...'
//! request 3: good evening, world
//! the manager has heard: READY=1 RELOADING=1 READY=1 RELOADING=1 READY=1
//! ```
//!
//! The program sends the signals to itself.

mod broken_pipe;

use fibra::channel::{Receiver, unbounded};
use fibra::fs::File;
use fibra::net::UnixDatagram;
use fibra::process::Command;
use fibra::signal::{self, Signal};
use fibra::sync::RwLock;
use std::io::{self, Write};
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
    write(file, "greeting = hello\n")?;
    *GREETING.write() = read(file)?;
    let (service, manager) = UnixDatagram::pair()?; // systemd's has a path, in NOTIFY_SOCKET
    service.send(b"READY=1")?;
    let (done, reloads) = unbounded();
    let path = PathBuf::from(file);
    let handler = signal::on(Signal::SIGHUP, move || {
        let _ = service.send(b"RELOADING=1");
        match read(&path) {
            Ok(greeting) => {
                *GREETING.write() = greeting;
                println!("the settings were read again");
            }
            Err(error) => println!("the settings were kept: {error}"),
        }
        let _ = service.send(b"READY=1");
        let _ = done.send(());
    })?;
    request(1);
    write(file, "greeting = good evening\n")?;
    hang_up(&reloads)?;
    request(2);
    write(file, "a mistake\n")?;
    hang_up(&reloads)?;
    request(3);
    drop(handler);
    print!("the manager has heard:");
    for _ in 0..5 {
        let mut state = [0; 32];
        let length = manager.recv(&mut state)?; // One datagram, which is one state.
        print!(" {}", String::from_utf8_lossy(&state[..length]));
    }
    println!();
    Ok(())
}

/// Replaces the settings. Waits while they are read; the lock ends with the file.
fn write(file: &Path, text: &str) -> io::Result<()> {
    let mut file = File::options().write(true).create(true).truncate(false).open(file)?;
    file.lock()?;
    file.set_len(0)?;
    file.write_all(text.as_bytes())
}

/// Reads the greeting from the file. Others may read it at the same time.
fn read(file: &Path) -> io::Result<String> {
    let file = File::open(file)?;
    file.lock_shared()?;
    let text = io::read_to_string(file)?;
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
