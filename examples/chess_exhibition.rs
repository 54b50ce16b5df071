//! A chess exhibition: one champion, 24 boards, 30 moves each. The champion needs 5 s for a move,
//! and an opponent 55 s for a reply.
//!
//! One game after another takes 12 hours. Walking from board to board takes one hour: while an
//! opponent thinks, the champion plays against the others. (Introductions to asynchronous
//! programming like this example.) Each board is a fiber. The champion is a lock that a board holds
//! for the 5 s of a move. The lock is fair, so each board has its turn.
//!
//! From 12 boards on the champion's time is the limit: the 60 s of a move and its reply have room
//! for moves at twelve boards. With fewer boards the champion waits for replies.
//!
//! ```text
//! $ cargo run --release --example chess_exhibition [BOARDS = 24] [MOVES = 30] [--real]
//! 24 boards, 30 moves
//!   one after another: 43200s
//!   walking round: last own move after 3600s, last reply after 3655s
//! ...
//! ```
//!
//! The clock is virtual: the hours pass in milliseconds, and the times are exact. With `--real` the
//! walk is also done in real time, a thousand times faster than life.

mod arguments;
mod broken_pipe;

use fibra::sync::Mutex;
use std::cell::Cell;
use std::io;
use std::time::Duration;

/// The time that the champion and an opponent take for a move.
#[derive(Clone, Copy)]
struct Pace {
    own: Duration,
    reply: Duration,
}

const LIFE: Pace = Pace { own: Duration::from_secs(5), reply: Duration::from_secs(55) };
const FAST: Pace = Pace { own: Duration::from_millis(5), reply: Duration::from_millis(55) };

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let boards = arguments::number(1, "BOARDS", 1..=100_000, 24);
    let moves = arguments::number(2, "MOVES", 1..=1_000, 30);
    println!("{boards} boards, {moves} moves");
    let all = virtually(|| one_after_another(boards, moves))?;
    println!("  one after another: {}s", all.as_secs());
    let walk = virtually(|| walking_round(boards, moves, LIFE))?;
    println!("  walking round: {walk}");

    println!("{moves} moves, walking round");
    for boards in [1, 11, 12, 13, 24] {
        let walk = virtually(|| walking_round(boards, moves, LIFE))?;
        println!("  {boards} boards: {walk}, the champion waits for {}%", walk.waits_percent());
    }
    if std::env::args().any(|argument| argument == "--real") {
        let walk = fibra::run(|| walking_round(boards, moves, FAST));
        println!("{boards} boards, a thousand times faster, in real time");
        println!(
            "  walking round: last own move after {:.3} s, last reply after {:.3} s",
            walk.last_own_move.as_secs_f64(),
            walk.last_reply.as_secs_f64(),
        );
    }
    Ok(())
}

fn virtually<T>(f: impl FnOnce() -> T) -> io::Result<T> {
    Ok(fibra::Runtime::builder().virtual_clock().build()?.run(f))
}

/// Plays one game to its end before the next one.
fn one_after_another(boards: usize, moves: usize) -> Duration {
    let start = fibra::now();
    for _ in 0..boards * moves {
        fibra::sleep(LIFE.own);
        fibra::sleep(LIFE.reply);
    }
    fibra::now() - start
}

/// Plays all games together: a move at a board, then one at the next board that has replied.
fn walking_round(boards: usize, moves: usize, pace: Pace) -> Walk {
    let start = fibra::now();
    let champion = Champion::arrives();
    let last_own_move = Cell::new(start);
    fibra::scope(|hall| {
        for _ in 0..boards {
            hall.spawn(|| {
                for _ in 0..moves {
                    champion.makes_a_move(pace.own);
                    last_own_move.set(fibra::now());
                    fibra::sleep(pace.reply);
                }
            });
        }
    });
    Walk {
        last_own_move: last_own_move.get() - start,
        last_reply: fibra::now() - start,
        at_work: pace.own * u32::try_from(boards * moves).expect("within the arguments' limits"),
    }
}

/// A champion that can be at one board at a time, and comes to the boards in the order in which
/// they began to wait.
struct Champion(Mutex<()>);

impl Champion {
    fn arrives() -> Champion {
        Champion(Mutex::new(()))
    }

    fn makes_a_move(&self, time: Duration) {
        let _at_this_board = self.0.lock();
        fibra::sleep(time);
    }
}

struct Walk {
    last_own_move: Duration,
    last_reply: Duration,
    at_work: Duration,
}

impl Walk {
    /// Returns the share of the time until the last move in which the champion waits for replies.
    fn waits_percent(&self) -> u128 {
        let waits = self.last_own_move - self.at_work;
        100 * waits.as_millis() / self.last_own_move.as_millis()
    }
}

impl std::fmt::Display for Walk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [own, reply] = [self.last_own_move, self.last_reply].map(|time| time.as_secs());
        write!(f, "last own move after {own}s, last reply after {reply}s")
    }
}
