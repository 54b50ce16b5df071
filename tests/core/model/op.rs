//! The operations of which random programs consist, how they are generated, and the entries that
//! they leave in the trace.

use proptest::collection::vec;
use proptest::prelude::*;

/// The number of rendezvous channels that a program has.
pub(crate) const CHANNELS: usize = 2;

/// The capacities of the buffered channels that a program has.
pub(crate) const CAPACITIES: [usize; 3] = [0, 2, usize::MAX];

/// One operation of a fiber. Numbers of fibers count modulo the number of fibers that exist.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Yield,
    /// Uses up the operation budget by parking with a token, this number of times.
    Tick(u8),
    Send(Line, Wait),
    Recv(Line, Wait),
    /// Sends an unwind through a rendezvous channel.
    SendPanic(usize),
    Prefer(usize, i8),
    ScheduleAll(usize, bool),
    Close(usize),
    CloseAndWake(usize),
    Open(usize),
    /// Drops the program's own handle to one end of a buffered channel.
    DropEnd(usize, End),
    /// Logs the balance of a rendezvous channel.
    Balance(usize),
    Spawn(Vec<Op>),
    SpawnNow(Vec<Op>),
    Kill(usize),
    KillMyself,
    Join(usize),
    Detach(usize),
    Park,
    ParkTimeout(u8),
    Unpark(usize),
    Sleep(u8),
    Panic,
    Checkpoint,
    Shield(Vec<Op>),
    Catch(Vec<Op>),
    Finally(Vec<Op>, Vec<Op>),
    /// Runs the first operations, then the second ones in a destructor, unwinding or not.
    Guard(Vec<Op>, Vec<Op>),
}

/// The channel of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Rendezvous(usize),
    Buffered(usize),
}

/// The time for which an operation waits: none, forever, or a number of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    Not,
    Ever,
    For(u8),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Sender,
    Receiver,
}

/// One entry of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Started,
    /// The fiber's closure is gone: it returned, was unwound or was never called.
    Gone,
    Yielded,
    Ticked,
    Sent,
    NotSent(Failure),
    Received(u32),
    NotReceived(Failure),
    Dropped(u32),
    NoEnd,
    Balance(isize),
    Spawned(usize),
    NoSuchFiber,
    NoHandle,
    Joined(Outcome),
    Unparked,
    Slept(u64),
    Checked,
    Caught(Payload),
    Cleaning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The operation would have had to wait.
    NotNow,
    TimedOut,
    Closed,
    Deadlock,
}

/// The result with which a fiber ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Returned,
    Unwound(Payload),
    Killed,
    Itself,
    Deadlock,
}

/// The payload with which a stack unwinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Kill,
    /// A panic with a number that an operation made.
    Panic(u32),
    Deadlock,
}

/// The events of a run, each with the number of its fiber.
pub(crate) type Trace = Vec<(usize, Event)>;

/// Generates programs for the main fiber: lists of words, each an operation or the end of a block.
///
/// Words are cheap to make and to shrink. A strategy for a tree of operations takes ten times as
/// long as a run of the program.
pub(crate) fn words() -> impl Strategy<Value = Vec<u32>> {
    vec(any::<u32>(), 0..300)
}

/// Reads the program from `words`. It often ends with a long sleep, so that its fibers live on.
pub(crate) fn program(words: &[u32]) -> Vec<Op> {
    let mut reader = Reader { words: words.iter().copied() };
    let mut program = Vec::new();
    while let Some(word) = reader.words.next() {
        let word = Word(word);
        // The main fiber first spawns a few others.
        let op = if program.len() < 3 { reader.spawn(word, 1) } else { reader.op(word, 1) };
        program.extend(op);
    }
    match words.len() % 4 {
        0 => {}
        1 => program.extend([Op::Join(1), Op::Sleep(200)]),
        _ => program.push(Op::Sleep(200)),
    }
    program
}

/// A word, which supplies the parts of an operation.
#[derive(Clone, Copy)]
struct Word(u32);

impl Word {
    fn take(&mut self, end: u32) -> u32 {
        let part = self.0 % end;
        self.0 /= end;
        part
    }

    fn index(&mut self, end: usize) -> usize {
        self.take(u32::try_from(end).unwrap()) as usize
    }

    fn fiber(&mut self) -> usize {
        self.index(12)
    }

    /// Selects a fiber, but seldom the main fiber, whose end is the end of the program.
    fn victim(&mut self) -> usize {
        if self.take(10) == 0 { 0 } else { 1 + self.index(11) }
    }

    fn channel(&mut self) -> usize {
        self.index(CHANNELS)
    }

    fn millis(&mut self) -> u8 {
        1 + self.take(19) as u8
    }

    fn line(&mut self) -> Line {
        match self.take(3) {
            0 | 1 => Line::Rendezvous(self.channel()),
            _ => self.buffered(),
        }
    }

    fn buffered(&mut self) -> Line {
        Line::Buffered(self.index(CAPACITIES.len()))
    }

    fn wait(&mut self) -> Wait {
        match self.take(7) {
            0 => Wait::Not,
            1 | 2 => Wait::For(self.millis()),
            _ => Wait::Ever,
        }
    }
}

struct Reader<I> {
    words: I,
}

impl<I: Iterator<Item = u32>> Reader<I> {
    const DEEPEST: u32 = 6;

    /// Reads the operations up to the end of the block.
    fn block(&mut self, depth: u32) -> Vec<Op> {
        let mut ops = Vec::new();
        while let Some(word) = self.words.next() {
            match self.op(Word(word), depth + 1) {
                Some(op) => ops.push(op),
                None => break,
            }
        }
        ops
    }

    fn spawn(&mut self, mut word: Word, depth: u32) -> Option<Op> {
        let now = word.take(4) == 0;
        let ops = self.block(depth);
        Some(if now { Op::SpawnNow(ops) } else { Op::Spawn(ops) })
    }

    /// Reads the operation that `word` begins, or `None` if it ends the block.
    fn op(&mut self, mut word: Word, depth: u32) -> Option<Op> {
        let code = word.take(80);
        if 60 < code && Self::DEEPEST < depth {
            return Some(Op::Yield);
        }
        Some(match code {
            0..=4 => Op::Yield,
            5..=14 => Op::Send(word.line(), word.wait()),
            15..=24 => Op::Recv(word.line(), word.wait()),
            25..=27 => Op::Park,
            28..=29 => Op::ParkTimeout(word.millis()),
            30..=33 => Op::Unpark(word.fiber()),
            34..=36 => Op::Sleep(word.millis()),
            37..=41 => Op::Kill(word.victim()),
            42 if word.take(3) == 0 => Op::KillMyself,
            42 => Op::Balance(word.channel()),
            43..=45 => Op::Join(word.fiber()),
            46 => Op::Detach(word.fiber()),
            47 => Op::SendPanic(word.channel()),
            48..=49 => Op::Prefer(word.channel(), word.take(3) as i8 - 1),
            50 => Op::ScheduleAll(word.channel(), word.take(2) == 0),
            51 if word.take(2) == 0 => Op::Close(word.channel()),
            51 => Op::Open(word.channel()),
            52 => Op::CloseAndWake(word.channel()),
            53..=54 => Op::Open(word.channel()),
            55 if word.take(3) == 0 => {
                let end = if word.take(2) == 0 { End::Sender } else { End::Receiver };
                Op::DropEnd(word.index(CAPACITIES.len()), end)
            }
            55..=56 => Op::Balance(word.channel()),
            57 => Op::Tick(1 + word.take(99) as u8),
            58 if word.take(2) == 0 => Op::Panic,
            58 => Op::Yield,
            59..=60 => Op::Checkpoint,
            61..=64 => return self.spawn(word, depth),
            65 => Op::Shield(self.block(depth)),
            66..=67 => Op::Catch(self.block(depth)),
            68 => Op::Finally(self.block(depth), self.block(depth)),
            69 => {
                let body = self.block(depth);
                let last = self.block(depth);
                Op::Guard(body, last.into_iter().filter_map(calm).collect())
            }
            _ => return None,
        })
    }
}

/// Keeps what a destructor may do: nothing that could panic, which aborts during an unwind.
fn calm(op: Op) -> Option<Op> {
    match op {
        Op::Recv(Line::Rendezvous(_), wait) => Some(Op::Recv(Line::Buffered(0), wait)),
        Op::Shield(ops) => Some(Op::Shield(ops.into_iter().filter_map(calm).collect())),
        Op::Panic | Op::Park | Op::Catch(_) | Op::Finally(..) | Op::Guard(..) => None,
        op => Some(op),
    }
}
