//! The sizes of the directories below a path, largest first: `fibra::fs`, with a fiber per
//! directory.
//!
//! Calls for files block their thread, so fibra makes them on other threads, and the fiber waits.
//! The walk reads as a recursion: a directory spawns a fiber for each directory in it, joins them
//! and adds up. The scope lets them borrow, and ends them if one fails.
//!
//! ```text
//! $ cargo run --release --example disk_usage [PATH]
//!   6000 bytes  .
//!   3000 bytes  a
//!   2000 bytes  a/deep
//!   2000 bytes  b
//! 4 directories, 6 files
//! ```
//!
//! Without a path the program makes a small tree, and removes it.

mod broken_pipe;

use fibra::fs;
use std::cell::{Cell, RefCell};
use std::io;
use std::path::{Path, PathBuf};

#[derive(Default)]
struct Usage {
    directories: RefCell<Vec<(u64, PathBuf)>>,
    files: Cell<u64>,
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    fibra::run(|| match std::env::args().nth(1) {
        Some(path) => report(Path::new(&path)),
        None => {
            let root = std::env::temp_dir().join(format!("fibra-usage-{}", std::process::id()));
            let outcome = make_tree(&root).and_then(|()| report(&root));
            fs::remove_dir_all(&root)?;
            outcome
        }
    })
}

fn report(root: &Path) -> io::Result<()> {
    let usage = Usage::default();
    usage.walk(root)?;
    let mut directories = usage.directories.into_inner();
    directories.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    for (size, path) in &directories {
        let below = path.strip_prefix(root).unwrap_or(path);
        let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
        println!("{size:6} bytes  {}", below.display());
    }
    println!("{} directories, {} files", directories.len(), usage.files.get());
    Ok(())
}

impl Usage {
    /// Returns the size of the files below `path`, and notes it and those of its directories.
    fn walk(&self, path: &Path) -> io::Result<u64> {
        let size = fibra::scope(|s| {
            let (mut size, mut below) = (0, Vec::new());
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    below.push(s.spawn(move || self.walk(&entry.path())));
                } else {
                    self.files.set(self.files.get() + 1);
                    size += entry.metadata()?.len();
                }
            }
            for directory in below {
                size += directory.join().expect("a walk does not panic")?;
            }
            io::Result::Ok(size)
        })?;
        self.directories.borrow_mut().push((size, path.into()));
        Ok(size)
    }
}

fn make_tree(root: &Path) -> io::Result<()> {
    for directory in ["a/deep", "b"] {
        fs::create_dir_all(root.join(directory))?;
    }
    for file in ["1", "a/2", "a/deep/3", "a/deep/4", "b/5", "b/6"] {
        fs::write(root.join(file), [b'.'; 1000])?;
    }
    Ok(())
}
