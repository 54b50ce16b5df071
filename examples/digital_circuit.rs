//! A circuit of relays: gates are tasklets, wires are channels, and a delay is a sleep.
//!
//! The circuit is driven by changes. A gate waits for a level on one of its inputs. If its output
//! changes, a tasklet sleeps for the delay of the gate and then sets the new level. No code
//! computes an order of evaluation, and a gate whose inputs do not change does not run. The clock
//! is virtual: the run takes no time, and is the same each time.
//!
//! ```text
//!               a --+--[or  5ms]---------------------[and 3ms]-- sum
//! half adder        |                                   |
//!               b --+--[and 3ms]--+--[not 2ms]----------+
//!                                 +----------------------------- carry
//! ```
//!
//! A full adder is two of them and an `or`. The table has a row for each moment at which a level
//! rises `/` or falls `\`. Watch the carry after 80 ms: it is wrong until the sum of the first half
//! has come through the second.
//!
//! ```text
//! $ cargo run --release --example digital_circuit
//!   ms     a     b     c   sum carry
//!   60     1     1    /1     0     1
//!   68     1     1     1    /1     1
//!   80    \0     1     1     1     1
//!   88     0     1     1     1    \0
//!   96     0     1     1     1    /1    (and so on)
//! ```

mod broken_pipe;

use fibra::stackless::{Channel, Run, spawn, tasklet};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::mem;
use std::rc::Rc;
use std::time::Duration;

fn main() -> std::io::Result<()> {
    broken_pipe::end_quietly();
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let [a, b, sum, carry] = wires();
        half_adder(&a, &b, &sum, &carry);
        let steps = [(&a, true), (&b, true), (&a, false), (&b, false)];
        print_timing(["a", "b", "sum", "carry"], [&a, &b, &sum, &carry], &steps);

        let [a, b, c, sum, carry] = wires();
        full_adder([&a, &b, &c], &sum, &carry);
        let steps = [(&a, true), (&b, true), (&c, true), (&a, false), (&b, false)];
        print_timing(["a", "b", "c", "sum", "carry"], [&a, &b, &c, &sum, &carry], &steps);
    });
    Ok(())
}

fn full_adder([a, b, c]: [&Wire; 3], sum: &Wire, carry: &Wire) {
    let [partial, first, second] = wires();
    half_adder(a, b, &partial, &first);
    half_adder(&partial, c, sum, &second);
    gate(5, [&first, &second], carry, |[a, b]| a || b);
}

fn half_adder(a: &Wire, b: &Wire, sum: &Wire, carry: &Wire) {
    let [either, not_both] = wires();
    gate(5, [a, b], &either, |[a, b]| a || b);
    gate(3, [a, b], carry, |[a, b]| a && b);
    gate(2, [carry], &not_both, |[both]| !both);
    gate(3, [&either, &not_both], sum, |[a, b]| a && b);
}

fn gate<const N: usize>(ms: u64, inputs: [&Wire; N], output: &Wire, logic: fn([bool; N]) -> bool) {
    let (inputs, output) = (plug(inputs), output.clone());
    spawn(move || {
        let (mut levels, mut was) = ([false; N], false);
        loop {
            let level = logic(levels);
            if mem::replace(&mut was, level) != level {
                tasklet(arrive).setup((ms, output.clone(), level));
            }
            let (number, level) = inputs.receive().unwrap();
            levels[number] = level;
        }
    });
}

/// Sets a level after a delay.
fn arrive((ms, wire, level): (u64, Wire, bool)) {
    fibra::sleep(Duration::from_millis(ms));
    wire.drive(level);
}

/// A channel for the levels of several wires, each with the number of the wire.
type Inputs = Channel<(usize, bool)>;

/// A wire: the inputs to which it carries levels, and its number at each.
#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Vec<(usize, Inputs)>>>);

impl Wire {
    fn drive(&self, level: bool) {
        let plugged = self.0.borrow().clone(); // Nothing is borrowed during the waits.
        plugged.into_iter().for_each(|(number, inputs)| inputs.send((number, level)).unwrap());
    }
}

fn wires<const N: usize>() -> [Wire; N] {
    std::array::from_fn(|_| Wire::default())
}

fn plug<const N: usize>(wires: [&Wire; N]) -> Inputs {
    let inputs = Inputs::new();
    wires.iter().enumerate().for_each(|(i, wire)| wire.0.borrow_mut().push((i, inputs.clone())));
    inputs
}

/// Drives the circuit with one of `steps` every 20 ms, and prints when each wire has changed.
fn print_timing<const N: usize>(names: [&str; N], wires: [&Wire; N], steps: &[(&Wire, bool)]) {
    let (start, probe, rows) = (fibra::now(), plug(wires), Rc::new(RefCell::new(BTreeMap::new())));
    let (mut levels, seen) = ([false; N], rows.clone());
    spawn(move || {
        for (number, level) in probe.iter() {
            levels[number] = level;
            seen.borrow_mut().insert((fibra::now() - start).as_millis(), levels);
        }
    });
    for (wire, level) in steps {
        fibra::sleep(Duration::from_millis(20));
        wire.drive(*level);
    }
    Run::new().threadblock().run(); // Returns when no level is delayed: nothing can ever run.

    println!("  ms{}", names.map(|name| format!("{name:>6}")).concat());
    let mut was = [false; N];
    for (ms, now) in rows.take() {
        let marks = [["0", "/1"], ["\\0", "1"]];
        let cell = |i: usize| format!("{:>6}", marks[usize::from(was[i])][usize::from(now[i])]);
        println!("{ms:4}{}", (0..N).map(cell).collect::<String>());
        was = now;
    }
}
