//! The sentences of the page.
//!
//! A sentence that contains a number takes it from the run. No sentence names a winner.

use crate::Measured;
use crate::machine::Machine;
use crate::plan::{Chart, Effort, grouped};
use crate::table::amount;

/// The texts around one chart, as HTML.
pub(crate) struct Section {
    pub(crate) heading: &'static str,
    pub(crate) text: &'static str,
    pub(crate) caption: &'static str,
}

pub(crate) fn floor() -> Section {
    Section {
        heading: "The floor: a switch without a scheduler",
        text: "A loop resumes one task after another, and each task suspends immediately. For fibers this \
               is <b>corosensei</b>, the context switch that fibra uses: it saves a few registers, \
               changes the stack pointer, and later switches back. For futures it is a boxed <code>async</code> block, \
               polled with a waker that does nothing. No scheduler can be faster than its floor.",
        caption: "One operation is the round trip: resume and suspend, or one poll. “10 deep” means \
                  that the future waits under ten <code>async fn</code> calls; each poll walks down \
                  through all of them. A hundred bare coroutines can cost more than one because \
                  all their stacks begin at the same offset in a page and compete for the same cache \
                  lines; fibra starts its stacks at different offsets. Multiples are of fibra's scheduled yield.",
    }
}

pub(crate) fn depth() -> Section {
    Section {
        heading: "Waiting ten calls deep",
        text: "Real tasks do not wait in their outermost function. A fiber that waits ten calls deep \
               continues there: its stack still holds all ten frames. A future is entered from the \
               top at each wake and finds its way down. The compiler can flatten ten plain \
               <code>async fn</code> calls into one state machine; calls that are boxed (recursion, \
               <code>dyn</code> traits, plug-ins) stay ten virtual calls.",
        caption: "A hundred tasks yield to each other: each of them again and again, and the scheduler takes \
                  the next one from its queue.",
    }
}

pub(crate) fn returning() -> Section {
    Section {
        heading: "Calls that return between two waits",
        text: "Above, the ten calls stay where they are. Here each wait is made by a call, and that \
               call returns before the next wait, as in a program that calls <code>read_line</code> in a loop. \
               A processor predicts the target of a return from the calls that it has seen. \
               A switch between stacks breaks that: <b>corosensei</b> resumes a coroutine by a call \
               and suspends it by a return, and in between the fiber has returned \
               from calls of its own. At least two returns per switch are then mispredicted: the first one \
               of the fiber, and the one that suspends it. The further ones go to the same \
               addresses as those of the fiber before, as long as all fibers run the same code. \
               With no call in between both match, which is why fibra's waits are inlined into their caller. \
               Code around the switch cannot restore the match (<code>ARCHITECTURE.md</code> lists what was tried): only a switch by jumps would.",
        caption: "A hundred tasks. Stacks: functions that are never inlined, one of its own for each level. \
                  Futures, boxed: each call allocates its future and is entered again at each \
                  wake; plain: the compiler merges the calls into one state machine. The axis has \
                  equal distances.",
    }
}

pub(crate) fn spawn_join() -> Section {
    Section {
        heading: "Starting a task and waiting for its end",
        text: "A task is spawned, runs, returns a number and is joined; then the next. fibra's fibers \
               take a warm stack from a pool and give it back.",
        caption: "A bar with a break is longer than it is drawn. Threads are the operating system's.",
    }
}

pub(crate) fn rendezvous() -> Section {
    Section {
        heading: "Handing over one message",
        text: "Two tasks play ping-pong over two channels, so that every message makes its sender \
               wait. fibra's <code>Channel</code> moves the value from the sender's stack to the \
               receiver's and allocates nothing. The futures use <code>mpsc::channel(1)</code> and \
               <code>async_channel::bounded(1)</code>, may its <code>mpsc</code>.",
        caption: "One operation is one message in one direction. fibra's channel works within a \
                  thread; the others can be used across threads and pay for it.",
    }
}

pub(crate) fn buffered() -> Section {
    Section {
        heading: "A stream through a queue",
        text: "One task sends, another receives, and a queue of 128 lies between them. A switch is \
               only due when the queue is full or empty, so that its cost is shared by many messages.",
        caption: "Threads may run on several cores here; all other contenders use one.",
    }
}

pub(crate) fn memory() -> Section {
    Section {
        heading: "Memory of a task that waits",
        text: "The growth of the process, page tables included, divided by the number of waiting tasks. \
               A stack takes whole pages, so a fiber takes at least one. A future is as large as the \
               values that live across its waits, and here there are almost none.",
        caption: "Resident memory, counted by the system. Each task waits for a message \
                  or a signal, one call deep. fibra's stacks have guard pages.",
    }
}

/// Opens the part of the page that has the curves over the number of tasks.
pub(crate) fn growth(machine: &Machine) -> String {
    let mut text = String::from(
        "<h2>Cost as it grows</h2>\n<p>The same four quantities, from one task to a million. A curve is \
         flat as long as what each task touches fits in the same cache, and bends where it does not. \
         fibra touches about six cache lines of a fiber to wake it: one or two of its record, the \
         others on its stack; and, because each stack lies in a page of its own, one more of the page \
         tables.",
    );
    let fit = |&(level, bytes): &(u64, u64)| {
        let fibers = rounded(bytes / LINES);
        format!("{fibers} fibers in level {level} ({} KB)", bytes / 1024)
    };
    let caches: Vec<String> = machine.caches.iter().map(fit).collect();
    if !caches.is_empty() {
        let caches = caches.join(", ");
        text +=
            &format!(" The caches of this machine have room for about as many as this: {caches}.");
    }
    text + "</p>\n"
}

/// The bytes of the lines that a wake touches, those of the page tables included.
const LINES: u64 = 7 * 64;

/// Rounds to two digits, since the number of lines is an estimate.
fn rounded(n: u64) -> String {
    let unit = 10_u64.pow(n.max(10).ilog10() - 1);
    grouped((n + unit / 2) / unit * unit)
}

pub(crate) fn yields() -> Section {
    Section {
        heading: "… yielding",
        text: "Each task yields again and again, and the scheduler takes the next one from its queue. \
               One task shows the cost of the call alone; a hundred fit into the caches \
               next to the processor. Then the lines of a task come from further away each time: first \
               from the second level, then from the cache that all cores share, at last from memory. A processor \
               also keeps the addresses of a few thousand pages. Above that number of fibers it walks the \
               page tables at each wake, and these have to come from memory as well. The \
               tasks run in the order in which they were spawned, so that all contenders profit from \
               hints or hardware that fetch the next task ahead of time. The curve becomes flat again when \
               everything comes from memory.",
        caption: "All tasks have run once before the clock starts. may cannot map 30,000 stacks with \
                  the system's default limits.",
    }
}

pub(crate) fn messages() -> Section {
    Section {
        heading: "… handing over messages",
        text: "Half of the tasks play ping-pong with the other half, each pair on channels of its own. A \
               message touches what a yield touches, and in addition the channel and the place of the \
               value, so that the curve bends at the same caches, earlier and more. Two tasks are the ping-pong from above.",
        caption: "One operation is one message in one direction. All tasks run before the first message is sent.",
    }
}

pub(crate) fn bursts() -> Section {
    Section {
        heading: "… starting many at once",
        text: "All tasks are spawned, live at the same time, end and are joined; then the next burst \
               follows. The first burst of a process pays for pages that the process has not had: the \
               system clears and maps at least one for each fiber. That is the gap between both lines \
               of fibra, and no cache closes it. Later bursts find the stacks of the earlier ones: \
               a scheduler keeps as many unused stacks as its fibers have needed recently, up to a \
               limit in bytes (<code>max_idle_stack_bytes</code>), and gives them back \
               when they have not been needed for some seconds. The next burst after such a pause is a first one again. \
               What remains is the bend of the caches: a stack that was used a million stacks ago is no longer in any of \
               them.",
        caption: "Spawning, one yield, the end and the join of a task, divided by their number. First bursts are shown \
                  from 1,000 tasks on: a smaller one measures the start of the program.",
    }
}

pub(crate) fn parked() -> Section {
    Section {
        heading: "… waiting",
        text: "Memory grows in proportion: the curves are flat. With few tasks they begin higher, because \
               tables and blocks of a fixed size are shared by few. A fiber takes the page with its frames, its record, and \
               its share of the page tables: stacks lie far apart, so that a page of the tables \
               describes only a few of them.",
        caption: "Counted page by page (<code>Rss</code> of <code>/proc/self/smaps_rollup</code>), and \
                  <code>VmPTE</code> of <code>/proc/self/status</code>. Fewer than a hundred tasks take less than the \
                  unit in which memory is given out.",
    }
}

/// Looks up what was measured.
pub(crate) struct Numbers<'a> {
    pub(crate) measured: &'a [Measured],
}

impl Numbers<'_> {
    /// The first four figures of the page: class, number and what it is.
    pub(crate) fn headlines(&self) -> [(&'static str, String, &'static str); 4] {
        let hundred = Chart::yields(100);
        [
            ("fibra", self.find(hundred, "fibra"), "a yield among 100 fibers, in fibra"),
            ("future", self.find(hundred, "tokio"), "a yield among 100 tasks, in tokio"),
            (
                "",
                self.find(Chart::Floor, "raw corosensei, 1 coroutine"),
                "the bare switch of stacks",
            ),
            (
                "future",
                self.find(Chart::Floor, "future polled by hand, 1 deep"),
                "the bare poll of a shallow future",
            ),
        ]
    }

    fn find(&self, chart: Chart, label: &str) -> String {
        let Some((group, outcomes)) = self.measured.iter().find(|(group, _)| group.chart == chart)
        else {
            return "not measured".to_owned();
        };
        let mut entries = group.entries.iter().zip(outcomes);
        let median = entries.find(|(entry, _)| entry.label == label).and_then(|(_, o)| o.median());
        median.map_or("not measured".to_owned(), |median| amount(median, group.unit))
    }
}

/// Compares the advantages of futures and of fibers.
pub(crate) fn both_sides(numbers: &Numbers<'_>) -> String {
    let memory = |label| numbers.find(Chart::Memory, label);
    let floor = |label| numbers.find(Chart::Floor, label);
    let crowd = |label| numbers.find(Chart::yields(100_000), label);
    let deep = |label| numbers.find(Chart::Depth, label);
    let message = |label| numbers.find(Chart::Rendezvous, label);
    format!(
        "<h2>Where each is better</h2>\n<div class=\"sides\">\n<div class=\"future\"><h3>Futures</h3>\n\
         <p><b>Memory of shallow tasks.</b> {} for a waiting task in tokio, {} for a fiber. A program \
         with a million connections that mostly sleep, and little memory, wants futures.</p>\n\
         <p><b>Very large crowds.</b> Small tasks stay in the caches. A yield among 100,000 costs {} \
         in async-executor, {} in tokio and {} in fibra, where every wake touches a page of its \
         own.</p>\n\
         <p><b>No stack.</b> Nothing to reserve, no size to choose, no overflow to guard against. \
         Futures run where no stack can be switched, on bare metal and in WebAssembly.</p>\n\
         <p><b>The bare poll.</b> {} for a shallow future, beside {} for a switch there and back; the \
         optimiser sees through a poll and not through a switch.</p>\n\
         <p><b>Cancelling by drop.</b> A future that waits can just be dropped; a fiber must be \
         unwound.</p>\n</div>\n<div><h3>Fibers</h3>\n\
         <p><b>Depth hardly matters.</b> Ten calls deep, a yield costs {} in fibra, and {} when it is \
         not nested. In tokio {} become {}, or {} when the calls are boxed.</p>\n\
         <p><b>No colouring.</b> Any function may wait: a closure passed to a sort, an iterator, a \
         destructor, a library that knows nothing of fibers. Nothing is <code>async</code>, nothing is \
         pinned, and references to the stack live across waits.</p>\n\
         <p><b>Handing over.</b> A message that makes its sender wait costs {} in fibra and {} in \
         tokio.</p>\n</div>\n</div>\n",
        memory("tokio"),
        memory("fibra"),
        crowd("async-executor"),
        crowd("tokio"),
        crowd("fibra"),
        floor("future polled by hand, 1 deep"),
        floor("raw corosensei, 1 coroutine"),
        deep("fibra, 10 calls deep"),
        deep("fibra, not nested"),
        deep("tokio, not nested"),
        deep("tokio, 10 deep"),
        deep("tokio, 10 deep, boxed"),
        message("fibra"),
        message("tokio"),
    )
}

/// Describes the method, and how its results could mislead.
pub(crate) fn method(effort: Effort) -> String {
    let rough = match effort {
        Effort::Quick => " This was a quick run: take its numbers as rough.",
        Effort::Full => "",
    };
    format!(
        "<h2>How it was measured</h2>\n\
         <p>Each sample is taken in a process of its own, after the same work in small has warmed it \
         up. Contenders take turns, so that a disturbance affects all of them. Bars show the median; the \
         line on a bar goes from the lowest to the highest sample. Each contender does the same \
         work and returns an answer that is checked: a wrong one fails the run.{rough}</p>\n\
         <h2>How it could mislead</h2>\n\
         <p>These tasks do nothing but switch. In a program that works between its waits, all bars \
         get the same amount longer, and the ratios shrink. Everything runs on one thread: tokio, \
         may and async-executor can also spread tasks over cores, and part of what they pay here is \
         the price of that. fibra's fibers stay on the thread on which they started.</p>\n\
         <p>The example is built with fat link-time optimisation, as the benchmarks are; without it \
         calls between crates are not always inlined, which costs every contender something. Absolute \
         numbers are this machine's: compare ratios.</p>\n"
    )
}
