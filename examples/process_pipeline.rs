//! A pipeline of processes with fibers between them, which wait at the pipes.
//!
//! ```text
//!   yes --> [fiber: one word a line] --> sort --> [fiber: drops articles] --> uniq -c --> main
//! ```
//!
//! All stages run at the same time, on one thread. A stage that writes faster than the next one
//! reads waits: a pipe holds 64 KiB, and nothing else is buffered.
//!
//! ```text
//! $ cargo run --release --example process_pipeline [COPIES = 1000]
//! 2000 x fiber
//! 1000 x parks
//! 1000 x thread
//! 1000 x waits
//! 4 different words of 8000; every process has succeeded
//! ```

mod arguments;
mod broken_pipe;

use std::cell::Cell;
use std::io::{self, BufRead, BufReader, Write};
use std::rc::Rc;

use fibra::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let copies = arguments::number(1, "COPIES", 1..=1_000_000, 1000);
    fibra::run(|| pipeline(copies))
}

fn pipeline(copies: usize) -> io::Result<()> {
    let text = "a fiber waits\nthe fiber parks a thread\n";
    let mut yes = start("sh", &["-c", &format!("yes '{text}' | head -n {}", copies * 3)])?;
    let mut sort = start("sort", &[])?;
    let mut uniq = start("uniq", &["-c"])?;

    let words = Rc::new(Cell::new(0));
    let count = words.clone();
    let split = between(&mut yes, &mut sort, move |line, next| {
        count.set(count.get() + line.split_whitespace().count());
        line.split_whitespace().try_for_each(|word| writeln!(next, "{word}"))
    });
    let drop_articles = between(&mut sort, &mut uniq, |word, next| {
        if ["a", "the"].contains(&word) { Ok(()) } else { writeln!(next, "{word}") }
    });

    let mut different = 0;
    for line in BufReader::new(output_of(&mut uniq)).lines() {
        let line = line?;
        let (count, word) = line.trim().split_once(' ').expect("uniq -c counts");
        println!("{count} x {word}");
        different += 1;
    }
    split.join().expect("it does not panic")?;
    drop_articles.join().expect("it does not panic")?;
    let mut well = true;
    for child in [&mut yes, &mut sort, &mut uniq] {
        well &= child.wait()?.success();
    }
    let end = if well { "every process has succeeded" } else { "a process has failed" };
    println!("{different} different words of {}; {end}", words.get());
    Ok(())
}

fn start(program: &str, arguments: &[&str]) -> io::Result<Child> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C").stdin(Stdio::piped()).stdout(Stdio::piped());
    command.kill_on_drop(true).spawn()
}

fn output_of(child: &mut Child) -> ChildStdout {
    child.stdout.take().expect("it was started with a pipe")
}

/// Spawns a fiber that calls `pass` with each line from one process. `pass` writes to the input of
/// another one.
fn between(
    from: &mut Child,
    to: &mut Child,
    mut pass: impl FnMut(&str, &mut io::BufWriter<ChildStdin>) -> io::Result<()> + 'static,
) -> fibra::JoinHandle<io::Result<()>> {
    let lines = BufReader::new(output_of(from)).lines();
    let mut next = io::BufWriter::new(to.stdin.take().expect("it was started with a pipe"));
    fibra::spawn(move || {
        for line in lines {
            pass(&line?, &mut next)?;
        }
        next.flush()
        // Here `next` is closed, and the other process reads the end.
    })
}
