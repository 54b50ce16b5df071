//! Servers for the tests: each is a process with its data in a temporary folder, and ends with its
//! [`Server`].
//!
//! A function returns `None`, and prints a line, if the program is not installed: the test returns
//! then.

#![allow(clippy::disallowed_methods, reason = "plain threads, in real time")]

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// A user that is not root, for servers that refuse to run as root: `nobody`.
const NOBODY: u32 = 65_534;
/// The time within which a server must accept connections.
const START: Duration = Duration::from_secs(30);

/// A server that runs. It accepts connections at a port of this machine and at a socket in its
/// folder. Dropping it ends it and removes the folder.
#[derive(Debug)]
pub struct Server {
    process: Child,
    command: Command,
    /// The port at 127.0.0.1.
    pub port: u16,
    /// The folder with its data and its socket.
    pub folder: Folder,
}

/// A temporary folder, which is removed when it is dropped.
#[derive(Debug)]
pub struct Folder(PathBuf);

/// Starts Redis, which keeps nothing on the disk. Its socket is `redis.sock` in its folder.
pub fn redis() -> Option<Server> {
    if !is_installed("redis-server") {
        return None;
    }
    let folder = Folder::new();
    let port = free_port();
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.arg("--unixsocket").arg(folder.join("redis.sock")).current_dir(&*folder);
    Some(Server::start(command, port, folder))
}

/// Starts Redis, which writes every command to the disk before it answers. So [`Server::restart`]
/// loses nothing that was answered.
pub fn durable_redis() -> Option<Server> {
    if !is_installed("redis-server") {
        return None;
    }
    let folder = Folder::new();
    let port = free_port();
    let mut command = Command::new("redis-server");
    command.args(["--save", "", "--bind", "127.0.0.1", "--port", &port.to_string()]);
    command.args(["--appendonly", "yes", "--appendfsync", "always"]).current_dir(&*folder);
    Some(Server::start(command, port, folder))
}

/// Returns the Python that has this module: that of the environment variable `FIBRA_PYTHON`, or
/// `python3` in the path.
pub fn python_with(module: &str) -> Option<PathBuf> {
    let python = std::env::var_os("FIBRA_PYTHON").unwrap_or_else(|| "python3".into());
    let import = Command::new(&python).args(["-c", &format!("import {module}")]).output();
    if import.is_ok_and(|output| output.status.success()) {
        return Some(python.into());
    }
    println!("SKIPPED: {python:?} has no module `{module}`: set FIBRA_PYTHON to one that has it");
    None
}

/// Starts PostgreSQL with a superuser `test`, who needs no password. Its socket is in its folder.
///
/// PostgreSQL refuses to run as root: then it runs as `nobody`.
pub fn postgres() -> Option<Server> {
    if !is_installed("initdb") || !is_installed("postgres") {
        return None;
    }
    let folder = Folder::new();
    let port = free_port();
    let is_root = fs::metadata(&*folder).expect("it was made").uid() == 0;
    if is_root {
        chown(&*folder, Some(NOBODY), Some(NOBODY)).expect("root may do that");
    }
    let command = |program: &str| {
        let mut command = Command::new(program);
        command.arg("-D").arg(folder.join("data")).current_dir(&*folder);
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    };
    let mut initdb = command("initdb");
    initdb.args(["--username=test", "--auth=trust", "--no-sync", "--encoding=UTF8"]);
    let output = initdb.output().expect("it is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut postgres = command("postgres");
    postgres.args(["-F", "-h", "127.0.0.1", "-p", &port.to_string(), "-k"]).arg(&*folder);
    Some(Server::start(postgres, port, folder))
}

fn is_installed(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        println!("SKIPPED: the program `{program}` is not installed");
    }
    found
}

/// Returns a port that was free just now.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there are free ports");
    listener.local_addr().expect("it is bound").port()
}

impl Server {
    fn start(mut command: Command, port: u16, folder: Folder) -> Server {
        let log = fs::File::create(folder.join("log")).expect("the folder can be written");
        let errors = log.try_clone().expect("a descriptor is free");
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        let process = command.spawn().expect("it is installed");
        let mut server = Server { process, command, port, folder };
        server.wait_for_start();
        server
    }

    fn wait_for_start(&mut self) {
        let start = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            let ended = self.process.try_wait().expect("it is a child");
            if ended.is_some() || START < start.elapsed() {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("the server does not start:\n{log}");
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Kills the server, and starts it again with the same data after `pause`.
    pub fn restart(&mut self, pause: Duration) {
        self.process.kill().expect("it is a child");
        self.process.wait().expect("it is a child");
        thread::sleep(pause);
        self.process = self.command.spawn().expect("it is installed");
        self.wait_for_start();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT: PostgreSQL ends its processes and gives its shared memory back, without waiting
        // for clients. Redis ends by SIGKILL.
        let _ = Command::new("kill").arg("-QUIT").arg(self.process.id().to_string()).status();
        let start = Instant::now();
        while let Ok(None) = self.process.try_wait() {
            if Duration::from_secs(5) < start.elapsed() {
                let _ = self.process.kill();
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Folder {
    /// Creates an empty folder.
    pub fn new() -> Folder {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fibra-crates-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap_or_else(|error: io::Error| panic!("{path:?}: {error}"));
        Folder(path)
    }

    /// Returns the path of a file in the folder.
    pub fn join(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.join(name.as_ref())
    }
}

impl Default for Folder {
    fn default() -> Folder {
        Folder::new()
    }
}

impl std::ops::Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
