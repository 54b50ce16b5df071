//! Memory of a waiting task: resident bytes and page tables, divided by the number of tasks.
//!
//! Criterion measures time, so this is a plain program. Each sample is taken in a process of its
//! own, since freed memory in the allocator would hide the memory that the next contender takes.

#[path = "../examples/switch_cost/contenders/mod.rs"]
#[allow(dead_code, reason = "a bench runs one workload of many")]
mod contenders;
#[path = "../examples/switch_cost/measure.rs"]
mod measure;
#[path = "../examples/switch_cost/plan.rs"]
#[allow(dead_code, reason = "a bench runs one group of the plan")]
mod plan;
#[path = "../examples/switch_cost/table.rs"]
#[allow(dead_code, reason = "parts of it are for the page of the comparison")]
mod table;
#[path = "../examples/switch_cost/workloads.rs"]
mod workloads;

use plan::{Chart, Effort};
use std::env;

fn main() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let Some((measure::CHILD, words)) = arguments.split_first().map(|(a, b)| (a.as_str(), b)) {
        return measure::sample_here(words);
    }
    let is_test = arguments.iter().any(|argument| argument == "--test");
    let effort = if is_test { Effort::Quick } else { Effort::Full };
    for group in plan::groups(effort).iter().filter(|group| group.chart == Chart::Memory) {
        let outcomes = measure::measure(&group.entries, group.repetitions)?;
        print!("{}", table::render(group, &outcomes));
    }
    Ok(())
}
