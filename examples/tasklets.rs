//! A tour of `fibra::stackless` for users of Stackless Python, in eight parts.
//!
//! ```text
//! $ cargo run --release --example tasklets
//! 1 tasklets are called with their arguments, and run in turn
//!     hello world
//!     hello ring
//! ...
//! 8 traps refuse what would switch, or would wait
//!     other.run(): switch_trap (tasklet of fiber #14)
//!     receive(): this tasklet does not like to be blocked.
//!     now it runs
//! ```

mod broken_pipe;

use fibra::stackless::{self, Channel, Run, TaskletExit, caught, raise, schedule, spawn, tasklet};

fn main() {
    broken_pipe::end_quietly();
    fibra::run(|| {
        println!("1 tasklets are called with their arguments, and run in turn");
        tasklet(|name| println!("    hello {name}")).setup("world"); // tasklet(f)("world")
        tasklet(|name| println!("    hello {name}")).setup("ring");
        stackless::run();

        println!("2 schedule() lets the other tasklets run");
        for name in ["ping", "pong"] {
            spawn(move || {
                for round in 1..=2 {
                    println!("    {name} {round}");
                    schedule();
                }
            });
        }
        stackless::run();

        println!("3 a channel passes values, and its receiver runs immediately");
        channels();
        println!("4 a tasklet can be taken out of the ring, and put back");
        pauses();
        println!("5 kill() raises TaskletExit, which can be caught");
        kills();
        println!("6 an error comes out of run()");
        errors();
        println!("7 a `run` with a limit finds a tasklet that does not yield");
        run_with_a_limit();
        println!("8 traps refuse what would switch, or would wait");
        traps();
    });
}

fn channels() {
    let channel = Channel::new();
    let receiver = |numbers: Channel<u32>| {
        for number in numbers {
            println!("    received {number}");
        }
    };
    tasklet(receiver).setup(channel.clone());
    schedule();
    println!("    balance {}: one receiver waits", channel.balance());
    channel.send(1).unwrap();
    println!("    sent 1");
    channel.send(2).unwrap();
    channel.close_and_wake(); // Ends the loop.
    stackless::run();
}

fn pauses() {
    let worker = spawn(|| {
        println!("    one");
        let value = stackless::schedule_remove(); // Leaves the ring until it is put back.
        println!("    three, with {:?}", value.and_then(|value| value.downcast::<&str>().ok()));
    });
    stackless::run();
    println!("    two: {}", if worker.is_paused() { "it is paused" } else { "it is not" });
    worker.set_tempval(Some(Box::new("hurry")));
    worker.run().unwrap(); // Not `insert`: it runs now.
}

fn kills() {
    let stubborn = spawn(|| {
        for attempt in 1..=2 {
            let end = caught(stackless::schedule_remove).unwrap_err();
            println!("    attempt {attempt}: {}", end.downcast::<TaskletExit>().unwrap());
        }
    });
    schedule();
    while stubborn.is_alive() {
        stubborn.kill().unwrap();
    }
    let waiter = spawn(|| drop(Channel::<()>::new().receive()));
    schedule();
    print!("    blocked {}, ", waiter.is_blocked());
    waiter.kill().unwrap(); // Unwinds it, so its destructors run. It ends silently.
    println!("alive {}", waiter.is_alive());
}

fn errors() {
    spawn(|| raise("no more cheese")); // `panic!` also writes to stderr.
    spawn(|| println!("    the next one runs all the same"));
    let error = caught(stackless::run).unwrap_err();
    println!("    run() raised {:?}", error.downcast_ref::<&str>().unwrap());
    stackless::run();
}

fn run_with_a_limit() {
    spawn(|| println!("    well-behaved"));
    spawn(|| {
        loop {
            stackless::tick(); // Computes forever, but can be interrupted here.
        }
    });
    let runaway = Run::new().ticks(1_000).run().expect("one was interrupted");
    let state = || if runaway.is_alive() { "alive" } else { "dead" };
    print!("    interrupted: {}, ", state());
    runaway.kill().unwrap();
    println!("killed: {}", state());
}

fn traps() {
    let other = spawn(|| println!("    now it runs"));
    {
        let _trapped = stackless::switch_trapped();
        println!("    other.run(): {}", other.run().unwrap_err());
    }
    {
        let _trapped = stackless::block_trap(true);
        println!("    receive(): {}", Channel::<()>::new().receive().unwrap_err());
    }
    other.run().unwrap();
}
