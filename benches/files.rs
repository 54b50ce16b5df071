//! Files that are in the page cache: reads of 4 KiB, and a whole tree of files, beside std and
//! tokio.
//!
//! `benches/README.md` defines the measured region.

#![allow(clippy::disallowed_methods, reason = "files of std are contenders")]

mod timing;

use std::hint::black_box;
use std::io::{self, Read, Seek};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use timing::timed;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

/// The bytes of one read.
const BLOCK: usize = 4 << 10;

/// The blocks of the file that is read in blocks.
const BLOCKS: u64 = 256;

/// The directories of the tree, and the files in each.
const DIRECTORIES: u64 = 20;
const FILES: u64 = 50;

/// The fibers or tasks that read a tree together.
const CROWD: usize = 16;

type Run = fn(&Fixture, u64) -> u64;
type Walk = fn(&Path) -> u64;

fn main() {
    let fixture = Fixture::new().expect("a folder for files");
    let mut criterion = timing::criterion(20);
    let reads_at: [(&str, Run); 4] =
        [("pread", pread), ("std", std_at), ("fibra", fibra_at), ("tokio, blocking", tokio_at)];
    let reads: [(&str, Run); 3] = [("std", std_read), ("fibra", fibra_read), ("tokio", tokio_read)];
    let groups = [("files/read_at 4 KiB", &reads_at[..]), ("files/read 4 KiB", &reads[..])];
    for (name, contenders) in groups {
        let mut group = criterion.benchmark_group(name);
        for &(name, run) in contenders {
            let run = |n| timed(sum_of_blocks(n), || run(&fixture, black_box(n)));
            group.bench_function(name, |b| b.iter_custom(run));
        }
    }
    let trees: [(&str, Walk); 5] = [
        ("std", std_tree),
        ("fibra", fibra_tree),
        ("fibra, 16 fibers", fibra_tree_together),
        ("tokio", tokio_tree),
        ("tokio, 16 tasks", tokio_tree_together),
    ];
    let mut group = criterion.benchmark_group("files/tree, a file");
    for (name, run) in trees {
        group.bench_function(name, |b| b.iter_custom(|n| time_of_files(&fixture, n, run)));
    }
    drop(group);
    criterion.final_summary();
}

/// Returns the time of reading that many files, from that of reading whole trees.
fn time_of_files(fixture: &Fixture, files: u64, run: Walk) -> Duration {
    let all = DIRECTORIES * FILES;
    let trees = files.div_ceil(all);
    let time = timed(trees * sum_of_tree(), || (0..trees).map(|_| run(&fixture.tree())).sum());
    time.mul_f64(files as f64 / (trees * all) as f64)
}

/// The files that are read, removed at the end.
struct Fixture(PathBuf);

impl Fixture {
    fn new() -> io::Result<Fixture> {
        let fixture =
            Fixture(std::env::temp_dir().join(format!("fibra-bench-files-{}", std::process::id())));
        let blocks: Vec<u8> = (0..BLOCKS).flat_map(|n| [byte_of(n); BLOCK]).collect();
        std::fs::create_dir_all(&fixture.0)?;
        std::fs::write(fixture.blocks(), blocks)?;
        for directory in 0..DIRECTORIES {
            let path = fixture.tree().join(directory.to_string());
            std::fs::create_dir_all(&path)?;
            for file in 0..FILES {
                let contents = vec![byte_of(file); size_of(directory, file)];
                std::fs::write(path.join(file.to_string()), contents)?;
            }
        }
        Ok(fixture)
    }

    fn blocks(&self) -> PathBuf {
        self.0.join("blocks")
    }

    fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn byte_of(n: u64) -> u8 {
    (n % 251) as u8
}

/// The sizes of a source tree: most files are small, a few have 50 KB.
fn size_of(directory: u64, file: u64) -> usize {
    (500 + directory * 100 + file * file * 20) as usize
}

fn sum_of_blocks(n: u64) -> u64 {
    (0..n).map(|n| answer_of(&[byte_of(n % BLOCKS); BLOCK])).sum()
}

fn sum_of_tree() -> u64 {
    let files = (0..DIRECTORIES).flat_map(|d| (0..FILES).map(move |f| (d, f)));
    files.map(|(d, f)| size_of(d, f) as u64 + 2 * u64::from(byte_of(f))).sum()
}

/// The part of an answer that some bytes contribute: their number, the first and the last.
fn answer_of(bytes: &[u8]) -> u64 {
    bytes.len() as u64 + u64::from(bytes[0]) + u64::from(bytes[bytes.len() - 1])
}

/// Reads `n` blocks, at `0`, `BLOCK`, and so on, from the beginning again after the last.
fn read_at(n: u64, mut read: impl FnMut(&mut [u8], u64) -> usize) -> u64 {
    let mut buf = [0; BLOCK];
    let mut answer = |n| {
        let read = read(&mut buf, n % BLOCKS * BLOCK as u64);
        answer_of(&buf[..read])
    };
    (0..n).map(&mut answer).sum()
}

fn pread(fixture: &Fixture, n: u64) -> u64 {
    let file = std::fs::File::open(fixture.blocks()).expect("a file");
    read_at(n, |buf, offset| rustix::io::pread(&file, buf, offset).expect("a block"))
}

fn std_at(fixture: &Fixture, n: u64) -> u64 {
    let file = std::fs::File::open(fixture.blocks()).expect("a file");
    read_at(n, |buf, offset| file.read_at(buf, offset).expect("a block"))
}

fn fibra_at(fixture: &Fixture, n: u64) -> u64 {
    fibra::run(|| {
        let file = fibra::fs::File::open(fixture.blocks()).expect("a file");
        read_at(n, |buf, offset| file.read_at(buf, offset).expect("a block"))
    })
}

/// tokio's files have no `read_at`; its users make the call on a thread for blocking calls.
fn tokio_at(fixture: &Fixture, n: u64) -> u64 {
    let path = fixture.blocks();
    on_tokio(async move {
        let file = std::sync::Arc::new(std::fs::File::open(path).expect("a file"));
        let mut sum = 0;
        for n in 0..n {
            let file = file.clone();
            let block = tokio::task::spawn_blocking(move || {
                let mut buf = vec![0; BLOCK];
                let n = file.read_at(&mut buf, n % BLOCKS * BLOCK as u64).expect("a block");
                buf.truncate(n);
                buf
            });
            sum += answer_of(&block.await.expect("it does not fail"));
        }
        sum
    })
}

/// Reads `n` blocks at the position of the file, and goes back to its start after the last.
fn read(n: u64, mut file: impl Read + Seek) -> u64 {
    let (mut buf, mut sum) = ([0; BLOCK], 0);
    for n in 0..n {
        if n != 0 && n % BLOCKS == 0 {
            file.rewind().expect("a position");
        }
        let read = file.read(&mut buf).expect("a block");
        sum += answer_of(&buf[..read]);
    }
    sum
}

fn std_read(fixture: &Fixture, n: u64) -> u64 {
    read(n, std::fs::File::open(fixture.blocks()).expect("a file"))
}

fn fibra_read(fixture: &Fixture, n: u64) -> u64 {
    fibra::run(|| read(n, fibra::fs::File::open(fixture.blocks()).expect("a file")))
}

fn tokio_read(fixture: &Fixture, n: u64) -> u64 {
    let path = fixture.blocks();
    on_tokio(async move {
        let mut file = tokio::fs::File::open(path).await.expect("a file");
        // Its own buffer holds 2 MiB, and would be filled by the first read.
        file.set_max_buf_size(BLOCK);
        let (mut buf, mut sum) = (vec![0; BLOCK], 0);
        for n in 0..n {
            if n != 0 && n % BLOCKS == 0 {
                file.rewind().await.expect("a position");
            }
            let read = file.read(&mut buf).await.expect("a block");
            sum += answer_of(&buf[..read]);
        }
        sum
    })
}

/// Runs `future` in a task, because `block_on` itself is slower.
fn on_tokio(future: impl Future<Output = u64> + Send + 'static) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async { tokio::spawn(future).await.expect("it does not fail") })
}

fn std_tree(root: &Path) -> u64 {
    let entries = std::fs::read_dir(root).expect("a directory");
    let answer_of_entry = |entry: io::Result<std::fs::DirEntry>| {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("a type").is_dir() {
            true => std_tree(&entry.path()),
            false => answer_of(&std::fs::read(entry.path()).expect("a file")),
        }
    };
    entries.map(answer_of_entry).sum()
}

fn fibra_tree(root: &Path) -> u64 {
    fibra::run(|| fibra_files(root, |path| answer_of(&fibra::fs::read(path).expect("a file"))))
}

/// Calls `each` for each file below `root`, and returns the sum of the results.
fn fibra_files(root: &Path, mut each: impl FnMut(&Path) -> u64) -> u64 {
    let (mut sum, mut directories) = (0, vec![root.to_path_buf()]);
    while let Some(directory) = directories.pop() {
        for entry in fibra::fs::read_dir(&directory).expect("a directory") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                directories.push(entry.path());
            } else {
                sum += each(&entry.path());
            }
        }
    }
    sum
}

fn fibra_tree_together(root: &Path) -> u64 {
    fibra::run(|| {
        let (send, receive) = fibra::channel::bounded::<PathBuf>(CROWD);
        let readers: Vec<_> = (0..CROWD)
            .map(|_| {
                let receive = receive.clone();
                let read = |path: PathBuf| answer_of(&fibra::fs::read(path).expect("a file"));
                fibra::spawn(move || receive.iter().map(read).sum::<u64>())
            })
            .collect();
        fibra_files(root, |path| {
            send.send(path.into()).expect("readers are there");
            0
        });
        drop(send);
        readers.into_iter().map(|reader| reader.join().expect("it does not fail")).sum()
    })
}

fn tokio_tree(root: &Path) -> u64 {
    let root = root.to_path_buf();
    on_tokio(async move {
        let (mut sum, mut directories) = (0, vec![root]);
        while let Some(directory) = directories.pop() {
            let mut entries = tokio::fs::read_dir(&directory).await.expect("a directory");
            while let Some(entry) = entries.next_entry().await.expect("an entry") {
                if entry.file_type().await.expect("a type").is_dir() {
                    directories.push(entry.path());
                } else {
                    sum += answer_of(&tokio::fs::read(entry.path()).await.expect("a file"));
                }
            }
        }
        sum
    })
}

fn tokio_tree_together(root: &Path) -> u64 {
    let root = root.to_path_buf();
    on_tokio(async move {
        let (send, receive) = async_channel::bounded::<PathBuf>(CROWD);
        let readers: Vec<_> = (0..CROWD)
            .map(|_| {
                let receive = receive.clone();
                tokio::spawn(async move {
                    let mut sum = 0;
                    while let Ok(path) = receive.recv().await {
                        sum += answer_of(&tokio::fs::read(path).await.expect("a file"));
                    }
                    sum
                })
            })
            .collect();
        let mut directories = vec![root];
        while let Some(directory) = directories.pop() {
            let mut entries = tokio::fs::read_dir(&directory).await.expect("a directory");
            while let Some(entry) = entries.next_entry().await.expect("an entry") {
                if entry.file_type().await.expect("a type").is_dir() {
                    directories.push(entry.path());
                } else {
                    send.send(entry.path()).await.expect("readers are there");
                }
            }
        }
        drop(send);
        let mut sum = 0;
        for reader in readers {
            sum += reader.await.expect("it does not fail");
        }
        sum
    })
}
