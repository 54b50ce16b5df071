//! Small stacks for many fibers, and a large one for the call that needs it.
//!
//! A parser that calls itself for each nested list needs a deep stack, and only while it parses.
//! Ten thousand fibers with stacks for that would reserve ten thousand times as many addresses.
//! `with_stack_size` runs one call on a larger stack, which the next fiber then uses.
//!
//! ```text
//! $ cargo run --release --example deep_calls [FIBERS = 1000] [DEPTH = 20000]
//! 1000 fibers with stacks of 64 KiB have parsed lists of 20000 levels
//! 1000 fibers, and at most 1 of them on a large stack at a time
//! ```

mod arguments;

use fibra::channel::unbounded;
use std::cell::Cell;
use std::rc::Rc;

fn main() {
    let fibers = arguments::number(1, "FIBERS", 1..=100_000, 1_000);
    let depth = arguments::number(2, "DEPTH", 1..=100_000, 20_000);
    fibra::run(|| {
        let text: Rc<str> = ["[".repeat(depth), "]".repeat(depth)].concat().into();
        let (large, most) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (sender, depths) = unbounded();
        let small = fibra::Builder::new().stack_size(64 << 10);
        for _ in 0..fibers {
            let (sender, text) = (sender.clone(), text.clone());
            let (large, most) = (large.clone(), most.clone());
            small.clone().spawn(move || {
                fibra::yield_now(); // All of them are there at the same time.
                let levels = fibra::with_stack_size(64 << 20, || {
                    large.set(large.get() + 1);
                    most.set(most.get().max(large.get()));
                    let (levels, _) = parse(text.as_bytes());
                    large.set(large.get() - 1);
                    levels
                });
                sender.send(levels).unwrap();
            });
        }
        drop(sender);
        let parsed = depths.iter().filter(|&levels| levels == depth).count();
        println!("{parsed} fibers with stacks of 64 KiB have parsed lists of {depth} levels");
        let most = most.get();
        println!("{fibers} fibers, and at most {most} of them on a large stack at a time");
    });
}

/// Returns how many levels the list at the start of `text` has, and what follows it.
fn parse(text: &[u8]) -> (usize, &[u8]) {
    let Some((b'[', mut rest)) = text.split_first() else { return (0, text) };
    let mut levels = 0;
    while rest.first() == Some(&b'[') {
        let (inner, behind) = parse(rest);
        (levels, rest) = (levels.max(inner), behind);
    }
    (levels + 1, &rest[1..])
}
