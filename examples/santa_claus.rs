//! Trono's Santa Claus problem: groups of different size, one of which has priority.
//!
//! Santa sleeps until all nine reindeer are back from their holidays, or three of the ten elves
//! have a problem with a toy. If both groups wait at the door, the reindeer go first. A fourth elf
//! waits until there are three again. Many solutions with semaphores let the fourth elf in, or let
//! Santa leave before the last reindeer is harnessed.
//!
//! Here each rule has one place. A porter for each kind receives the members of a group, and sends
//! the group on: the wait in that `send` is the wait at the door. Santa looks at the balance of the
//! two channels, which is the number of groups that wait. Each member is released through a channel
//! of its own.
//!
//! ```text
//! $ cargo run --release --example santa_claus [YEARS = 2] [SEED = 3]
//! day  26: Santa helps Ash, Alder, Hazel
//! ...
//! day 204: Santa delivers toys, Cupid came last, elves wait at the door
//! ```
//!
//! The clock is virtual: the years take no time, and a seed gives the same run each time.

mod arguments;
mod broken_pipe;
mod random;

use fibra::channel::{Sender, unbounded};
use fibra::stackless::{Channel, spawn, tasklet};
use random::Random;
use std::ops::Range;
use std::time::Duration;

const REINDEER: [&str; 9] =
    ["Dasher", "Dancer", "Prancer", "Vixen", "Comet", "Cupid", "Donner", "Blitzen", "Rudolph"];
const ELVES: [&str; 10] =
    ["Alder", "Ash", "Beech", "Elm", "Fir", "Hazel", "Holly", "Larch", "Oak", "Yew"];

/// A reindeer or elf that has come, and the channel on which it waits to be released.
struct Visitor {
    name: &'static str,
    free: Channel<()>,
}

type Group = Vec<Visitor>;

fn main() -> std::io::Result<()> {
    broken_pipe::end_quietly();
    let years = arguments::number(1, "YEARS", 1..=10_000, 2);
    let seed = arguments::number(2, "SEED", 0..=usize::MAX, 3);
    fibra::Runtime::builder().virtual_clock().build()?.run(|| {
        let (ring, bell) = unbounded();
        let random = Random::new(seed as u64);
        let reindeer = visitors(&REINDEER, 9, 100..200, &ring, &random);
        let elves = visitors(&ELVES, 3, 20..60, &ring, &random);
        let (start, mut year) = (fibra::now(), 0);
        let day = || (fibra::now() - start).as_secs() / DAY.as_secs();
        while year < years {
            bell.recv().unwrap(); // Santa sleeps. Each group rings once.
            let group = if reindeer.balance() != 0 {
                year += 1;
                let (team, waiting) = (reindeer.receive().unwrap(), elves.balance());
                print!("day {:3}: Santa delivers toys, {} came last", day(), team[8].name);
                println!("{}", if waiting == 0 { "" } else { ", elves wait at the door" });
                fibra::sleep(DAY * 5);
                team
            } else {
                let group = elves.receive().unwrap();
                let names: Vec<_> = group.iter().map(|elf| elf.name).collect();
                println!("day {:3}: Santa helps {}", day(), names.join(", "));
                fibra::sleep(DAY * 20);
                group
            };
            group.iter().for_each(|visitor| visitor.free.send(()).unwrap());
        }
    });
    Ok(())
}

const DAY: Duration = Duration::from_secs(24 * 3600);

/// Starts visitors that come after random numbers of days, and their porter. Returns the channel on
/// which the groups wait.
fn visitors(
    names: &[&'static str],
    size: usize,
    days: Range<u64>,
    ring: &Sender<()>,
    random: &Random,
) -> Channel<Group> {
    let (hall, door) = (Channel::new(), Channel::new());
    for &name in names {
        let (hall, days, random) = (hall.clone(), days.clone(), random.fork());
        spawn(move || {
            let free = Channel::new();
            loop {
                fibra::sleep(DAY * random.within(days.clone()) as u32);
                hall.send(Visitor { name, free: free.clone() }).unwrap();
                free.receive().unwrap();
            }
        });
    }
    tasklet(porter).setup((size, hall, door.clone(), ring.clone()));
    door
}

/// Collects visitors into groups, and sends each group to the door.
fn porter((size, hall, door, ring): (usize, Channel<Visitor>, Channel<Group>, Sender<()>)) {
    loop {
        let group = hall.iter().take(size).collect();
        ring.send(()).unwrap(); // This does not wait, so the group is at the door when Santa looks.
        door.send(group).unwrap();
    }
}
