//! Answers to requests that were never made.

use std::io::{self, Read, Write};

use fibra::process::{Command, Stdio, WorkerPool};

use crate::support::name_of;

const WORKER: &str = "FIBRA_TEST_ANSWERS_TWICE";

/// The body of the worker and not a test: it speaks the protocol itself, and answers each request
/// twice.
#[test]
fn side_of_the_worker() {
    if std::env::var_os(WORKER).is_some() {
        // It fails when the pool no longer exists.
        let _ = answer_twice();
    }
}

fn answer_twice() -> io::Result<()> {
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    output.write_all(b"\0fibra worker 2\n")?;
    output.flush()?;
    loop {
        let mut head = [0; 12];
        input.read_exact(&mut head)?;
        let length = u32::from_le_bytes(head[8..].try_into().expect("four bytes"));
        let mut request = vec![0; length as usize];
        input.read_exact(&mut request)?;
        for _ in 0..2 {
            output.write_all(&head)?;
            output.write_all(&request)?;
        }
        output.flush()?;
    }
}

#[test]
fn a_second_answer_is_not_taken_for_that_to_the_next_request() {
    let mut command = Command::new(std::env::current_exe().unwrap());
    let test = name_of!(side_of_the_worker);
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(WORKER, "1");
    command.stderr(Stdio::null());
    let pool = WorkerPool::new(command, 1).unwrap();
    fibra::run(|| {
        for request in ["one", "two", "three"] {
            assert_eq!(pool.call(request.as_bytes()).unwrap(), request.as_bytes());
        }
    });
}
