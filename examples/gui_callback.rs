//! A library that calls you back, turned into a call that returns: the main example of greenlet.
//!
//! A toolkit owns the loop and calls `on_key` for each key. The program wants to read: "ask for a
//! command, then for a yes". It runs in a greenlet: `next_key` switches to the toolkit's loop, and
//! the callback switches back with the key. Nobody rewrites the program as a state machine.
//!
//! ```text
//! $ cargo run --release --example gui_callback --features greenlet
//! toolkit: the loop begins
//! program: unknown command: hello
//! program: really quit? (y/n)
//! program: staying
//! program: really quit? (y/n)
//! program: bye after 3 commands
//! toolkit: the loop has ended, 1 key was left
//! ```

use std::collections::VecDeque;

use fibra::greenlet::{self, Greenlet};

/// What the loop passes to the program: a key. The program passes back whether it goes on.
enum Message {
    Key(char),
    WantsKeys(bool),
}

/// A toolkit as there are many: it has the loop, and calls back.
struct Toolkit {
    keys: VecDeque<char>,
}

impl Toolkit {
    /// Calls `on_key` for each key, until that says that it is enough.
    fn run(&mut self, mut on_key: impl FnMut(char) -> bool) {
        println!("toolkit: the loop begins");
        while let Some(key) = self.keys.pop_front() {
            if !on_key(key) {
                break;
            }
        }
        println!("toolkit: the loop has ended, {} key was left", self.keys.len());
    }
}

/// Blocks until a key is pressed, as the program sees it.
fn next_key() -> char {
    match greenlet::main().switch(Message::WantsKeys(true)).unwrap() {
        Message::Key(key) => key,
        Message::WantsKeys(_) => unreachable!("the loop sends keys"),
    }
}

fn read_line() -> String {
    std::iter::repeat_with(next_key).take_while(|key| *key != '\n').collect()
}

/// The program, as one writes it: loops, calls, local variables.
fn program() {
    for commands in 1.. {
        match read_line().as_str() {
            "quit" => {
                println!("program: really quit? (y/n)");
                if next_key() == 'y' {
                    return println!("program: bye after {commands} commands");
                }
                println!("program: staying");
            }
            unknown => println!("program: unknown command: {unknown}"),
        }
    }
}

fn main() {
    fibra::frame(|| {
        let program = Greenlet::new(|_| {
            program();
            Message::WantsKeys(false)
        });
        // Runs until it asks for its first key.
        let ready = program.switch(Message::WantsKeys(true));
        assert!(matches!(ready, Ok(Message::WantsKeys(true))), "it asks for a key");
        let mut toolkit = Toolkit { keys: "hello\nquit\nnquit\ny!".chars().collect() };
        toolkit.run(|key| {
            matches!(program.switch(Message::Key(key)).unwrap(), Message::WantsKeys(true))
        });
    });
}
