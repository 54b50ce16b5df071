//! A library with callbacks, used by a function call that returns: the main example of greenlet.
//!
//! A toolkit owns the loop and calls `on_key` for each key. The program should read in order: it
//! asks for a command, then for a confirmation. It runs in a greenlet: `next_key` switches to the
//! toolkit's loop, and the callback switches back with the key. The program need not be written as
//! a state machine. A tracer counts the switches.
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
//! tracer: 19 switches to the program, 19 back
//! ```

mod broken_pipe;

use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

use fibra::greenlet::{self, Greenlet};

/// The loop passes a key to the program, which passes back whether it wants more of them.
enum Message {
    Key(char),
    WantsKeys(bool),
}

/// A toolkit that has the loop, and calls back.
struct Toolkit {
    keys: VecDeque<char>,
}

impl Toolkit {
    /// Calls `on_key` for each key, until it returns `false`.
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

/// Waits until a key is pressed.
fn next_key() -> char {
    match greenlet::main().switch(Message::WantsKeys(true)).unwrap() {
        Message::Key(key) => key,
        Message::WantsKeys(_) => unreachable!("the loop sends keys"),
    }
}

fn read_line() -> String {
    std::iter::repeat_with(next_key).take_while(|key| *key != '\n').collect()
}

/// The program, with loops, calls and local variables.
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
    broken_pipe::end_quietly();
    fibra::frame(|| {
        let (to_program, back) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let counts = (to_program.clone(), back.clone());
        let main = greenlet::main::<Message>().id();
        greenlet::settrace(Some(Rc::new(move |_event, _origin, target| {
            let count = if target == main { &counts.1 } else { &counts.0 };
            count.set(count.get() + 1);
        })));
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
        println!("tracer: {} switches to the program, {} back", to_program.get(), back.get());
    });
}
