//! The files below a path that have the same contents: a walk on all cores, with its progress.
//!
//! Each directory and each file is a job, which may run on any core. The jobs spawn further jobs in
//! the scope in which they run, and borrow the state of the walk. Threads of `fibra::fs` read the
//! files, the fibers wait for that, and hash. A semaphore limits how many files are open. The whole
//! walk is a job too, so that the main fiber can print how far it has come, to standard error.
//!
//! ```text
//! $ cargo run --release --example parallel_walk [PATH]
//! 3 times 2000 bytes, hash 0454fd1dd6075265
//!   a/2
//!   a/deep/3
//!   b/5
//! 6 files with 8300 bytes, 4 different contents, in 1.9ms
//! ```
//!
//! Without a path the program makes a small tree, and removes it.

mod broken_pipe;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fibra::fs::{self, DirEntry};
use fibra::par::{self, Scope};
use fibra::sync::{Mutex, Semaphore};
use fibra::{Handle, Runtime};

/// The files that have been found, by their length and hash, and what could not be read.
#[derive(Default)]
struct Found {
    files: BTreeMap<(u64, u64), Vec<PathBuf>>,
    bytes: u64,
    errors: Vec<String>,
}

struct Walk {
    found: Mutex<Found>,
    may_open: Semaphore,
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    Runtime::builder().all_cores().build()?.run(|| match std::env::args().nth(1) {
        Some(path) => {
            report(Path::new(&path));
            Ok(())
        }
        None => {
            let root = std::env::temp_dir().join(format!("fibra-walk-{}", std::process::id()));
            make_tree(&root)?;
            report(&root);
            fs::remove_dir_all(&root)
        }
    })
}

fn report(root: &Path) {
    let begun = fibra::now();
    let walk = Arc::new(Walk { found: Mutex::default(), may_open: Semaphore::new(64) });
    let (worker, start) = (walk.clone(), root.to_owned());
    let mut job = Handle::current().spawn(move || par::scope(|s| worker.directory(s, start)));
    while job.join_timeout(Duration::from_millis(100)).is_none() {
        let found = walk.found.lock();
        let files: usize = found.files.values().map(Vec::len).sum();
        eprint!("\r{files} files, {} MB", found.bytes >> 20);
    }
    let found = walk.found.lock();
    found.errors.iter().for_each(|error| eprintln!("{error}"));
    let mut files = 0;
    for ((length, hash), paths) in &found.files {
        files += paths.len();
        if 1 < paths.len() {
            println!("{} times {length} bytes, hash {hash:016x}", paths.len());
            let mut paths: Vec<_> = paths.iter().flat_map(|it| it.strip_prefix(root)).collect();
            paths.sort();
            paths.iter().for_each(|path| println!("  {}", path.display()));
        }
    }
    let (bytes, contents, time) = (found.bytes, found.files.len(), begun.elapsed());
    println!("{files} files with {bytes} bytes, {contents} different contents, in {time:.1?}");
}

impl Walk {
    /// Spawns a job for each entry.
    fn directory<'scope>(&'scope self, s: &'scope Scope<'scope, '_>, path: PathBuf) {
        let spawn = |entry: io::Result<DirEntry>| {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                s.spawn(move || self.directory(s, path));
            } else if kind.is_file() {
                let permit = self.may_open.acquire(); // before the job: few fibers at a time
                s.spawn(move || {
                    let _permit = permit;
                    self.note(&path, self.file(&path));
                });
            }
            Ok(())
        };
        self.note(&path, fs::read_dir(&path).and_then(|mut entries| entries.try_for_each(spawn)));
    }

    fn file(&self, path: &Path) -> io::Result<()> {
        let contents = fs::read(path)?;
        let (length, hash) = (contents.len() as u64, hash(&contents));
        let mut found = self.found.lock();
        found.bytes += length;
        found.files.entry((length, hash)).or_default().push(path.to_owned());
        Ok(())
    }

    fn note(&self, path: &Path, outcome: io::Result<()>) {
        if let Err(error) = outcome {
            self.found.lock().errors.push(format!("{}: {error}", path.display()));
        }
    }
}

/// FNV-1a: short, and good enough for an example.
fn hash(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

fn make_tree(root: &Path) -> io::Result<()> {
    for directory in ["a/deep", "b", "empty"] {
        fs::create_dir_all(root.join(directory))?;
    }
    let (once, twice) = ([b'.'; 1000], [b'.'; 2000]);
    for file in ["a/2", "a/deep/3", "b/5"] {
        fs::write(root.join(file), twice)?;
    }
    for (file, length) in [("1", 500), ("a/deep/4", 800), ("b/6", 1000)] {
        fs::write(root.join(file), &once[..length])?;
    }
    Ok(())
}
