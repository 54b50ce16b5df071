//! The operations that random programs are made of, how they are generated, and what they leave in
//! the trace.

use proptest::collection::vec;
use proptest::prelude::*;

/// Rendezvous channels in the world.
pub(crate) const CHANNELS: usize = 2;

/// Capacities of the buffered channels in the world.
pub(crate) const CAPACITIES: [usize; 3] = [0, 2, usize::MAX];

/// One operation of a fiber. Fibers are named by their number, modulo those that exist.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Yield,
    /// Uses the operation budget up by parking that often with a token.
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
    /// Drops the world's handle to one end of a buffered channel.
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
}

/// Which channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    Rendezvous(usize),
    Buffered(usize),
}

/// How long an operation waits: not at all, for ever, or for so many milliseconds.
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
    /// The fiber's closure is gone: returned, unwound or never called.
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
    /// It would have had to wait.
    NotNow,
    TimedOut,
    Closed,
    Deadlock,
}

/// What a fiber ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Returned,
    Unwound(Payload),
    Killed,
    Itself,
    Deadlock,
}

/// What a stack unwinds with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    Kill,
    /// A number that an operation has made.
    Panic(u32),
    Deadlock,
}

/// Who did it, and what.
pub(crate) type Trace = Vec<(usize, Event)>;

/// A program for the main fiber. It often ends with a long sleep, so that its fibers live.
pub(crate) fn program() -> impl Strategy<Value = Vec<Op>> {
    let spawns = vec(prop_oneof![3 => spawn(3), 1 => spawn_now(3)], 1..6);
    let ending = prop_oneof![
        1 => Just(vec![]),
        2 => Just(vec![Op::Sleep(200)]),
        1 => (0..6usize).prop_map(|k| vec![Op::Join(k), Op::Sleep(200)]),
    ];
    (spawns, ops(2), ending).prop_map(|(spawns, body, ending)| [spawns, body, ending].concat())
}

fn ops(depth: u32) -> BoxedStrategy<Vec<Op>> {
    vec(op(depth), 0..14).boxed()
}

fn op(depth: u32) -> BoxedStrategy<Op> {
    if depth == 0 {
        return leaf().boxed();
    }
    let deeper = depth - 1;
    prop_oneof![
        24 => leaf(),
        1 => spawn(deeper),
        1 => spawn_now(deeper),
        1 => ops(deeper).prop_map(Op::Shield),
        2 => ops(deeper).prop_map(Op::Catch),
        1 => (ops(deeper), ops(deeper)).prop_map(|(body, cleanup)| Op::Finally(body, cleanup)),
    ]
    .boxed()
}

fn spawn(depth: u32) -> impl Strategy<Value = Op> {
    ops(depth).prop_map(Op::Spawn)
}

fn spawn_now(depth: u32) -> impl Strategy<Value = Op> {
    ops(depth).prop_map(Op::SpawnNow)
}

fn leaf() -> impl Strategy<Value = Op> {
    let fiber = || 0..12usize;
    let channel = || 0..CHANNELS;
    prop_oneof![
        6 => Just(Op::Yield),
        1 => (1..100u8).prop_map(Op::Tick),
        12 => (line(), wait()).prop_map(|(line, wait)| Op::Send(line, wait)),
        12 => (line(), wait()).prop_map(|(line, wait)| Op::Recv(line, wait)),
        1 => channel().prop_map(Op::SendPanic),
        2 => (channel(), -1..=1i8).prop_map(|(channel, preference)| Op::Prefer(channel, preference)),
        1 => (channel(), any::<bool>()).prop_map(|(channel, all)| Op::ScheduleAll(channel, all)),
        1 => channel().prop_map(Op::Close),
        1 => channel().prop_map(Op::CloseAndWake),
        2 => channel().prop_map(Op::Open),
        1 => (0..CAPACITIES.len(), prop_oneof![Just(End::Sender), Just(End::Receiver)])
            .prop_map(|(queue, end)| Op::DropEnd(queue, end)),
        1 => channel().prop_map(Op::Balance),
        5 => fiber().prop_map(Op::Kill),
        1 => Just(Op::KillMyself),
        3 => fiber().prop_map(Op::Join),
        1 => fiber().prop_map(Op::Detach),
        3 => Just(Op::Park),
        2 => (1..20u8).prop_map(Op::ParkTimeout),
        4 => fiber().prop_map(Op::Unpark),
        3 => (1..20u8).prop_map(Op::Sleep),
        1 => Just(Op::Panic),
        1 => Just(Op::Checkpoint),
    ]
}

fn line() -> impl Strategy<Value = Line> {
    prop_oneof![
        2 => (0..CHANNELS).prop_map(Line::Rendezvous),
        1 => (0..CAPACITIES.len()).prop_map(Line::Buffered),
    ]
}

fn wait() -> impl Strategy<Value = Wait> {
    prop_oneof![1 => Just(Wait::Not), 4 => Just(Wait::Ever), 2 => (1..20u8).prop_map(Wait::For)]
}
