//! Runs every program in `examples/` with small arguments and compares what it prints.
//!
//! `cargo test` builds the examples first. `cargo test --test examples` alone does not: build them
//! with `cargo build --examples` then.

use std::collections::BTreeSet;
use std::env::consts::EXE_SUFFIX;
use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

struct Example {
    name: &'static str,
    arguments: &'static [&'static str],
    /// The output, with measured numbers as `mask` writes them.
    prints: &'static str,
}

const EXAMPLES: &[Example] = &[
    Example { name: "hello", arguments: &[], prints: "hello from a fiber\nthe fiber returned 42" },
    Example {
        name: "ping_pong",
        arguments: &["1000"],
        prints: "\
             two fibers, a Channel: 1000 rounds of ping and pong, <time> each
             two fibers, bounded(1): 1000 rounds of ping and pong, <time> each
             two threads, std's sync_channel: 10 rounds of ping and pong, <time> each",
    },
    Example {
        name: "find_a_hog",
        // Its report is on standard error: see tests/runtime/hogs.rs.
        arguments: &[],
        prints: "both have ended",
    },
    Example {
        name: "token_ring",
        arguments: &["500", "3"],
        prints: "\
             500 fibers are in the ring after <time>
             the token went round 3 times: 1500 hops, <time> each
             all have ended after <time>",
    },
    Example {
        name: "prime_sieve",
        arguments: &["30"],
        prints: "\
             2 3 5 7 11 13 17 19 23 29 ... 113
             30 primes by a chain of 31 fibers in <time>",
    },
    Example {
        name: "skynet",
        arguments: &["3"],
        prints: "\
             breadth first (spawn): sum 499500 of 1000 leaves in <time>, at most 112 stacks
             depth first (spawn_now): sum 499500 of 1000 leaves in <time>, at most 4 stacks",
    },
    Example {
        name: "hackysack",
        arguments: &["20", "1_000", "random"],
        prints: "\
             20 fibers: in the circle after <time>, <size> each,
             1000 kicks of <time>, gone after <time>
             20 threads: in the circle after <time>, <size> each,
             1000 kicks of <time>, gone after <time>",
    },
    Example {
        name: "million_parked",
        arguments: &["2000", "64"],
        prints: "\
             2000 fibers with stacks of 64 KiB have parked in <time>
             <size> each (resident memory and page tables), <mappings> in all
             all were woken and have ended after <time>",
    },
    Example { name: "dining_philosophers", arguments: &["2"], prints: DINING_PHILOSOPHERS },
    Example { name: "rabbit_dog_cat", arguments: &[], prints: RABBIT_DOG_CAT },
    Example {
        name: "digital_circuit",
        arguments: &[],
        prints: include_str!("output/digital_circuit.txt"),
    },
    Example { name: "factory", arguments: &["6"], prints: include_str!("output/factory.txt") },
    Example {
        name: "killer_robots",
        arguments: &["6", "1"],
        prints: include_str!("output/killer_robots.txt"),
    },
    Example {
        name: "prefix_printer",
        arguments: &["Mc"],
        prints: include_str!("output/prefix_printer.txt"),
    },
    Example {
        name: "same_fringe",
        arguments: &["1000"],
        prints: include_str!("output/same_fringe.txt"),
    },
    Example {
        name: "santa_claus",
        arguments: &["1", "3"],
        prints: include_str!("output/santa_claus.txt"),
    },
    Example {
        name: "sleeping_manager",
        arguments: &[],
        prints: include_str!("output/sleeping_manager.txt"),
    },
    Example { name: "tasklets", arguments: &[], prints: include_str!("output/tasklets.txt") },
    Example { name: "chess_exhibition", arguments: &[], prints: CHESS_EXHIBITION },
    Example {
        name: "sleep_sort",
        arguments: &["30", "10", "20"],
        prints: "10 20 30\nslept for 30s",
    },
    Example { name: "rate_limiter", arguments: &["8"], prints: RATE_LIMITER },
    Example { name: "crawler", arguments: &["5", "200"], prints: CRAWLER },
    Example { name: "retry_late_server", arguments: &["7"], prints: RETRY_LATE_SERVER },
    Example {
        name: "echo_server",
        arguments: &["2"],
        prints: "\
             client 1 sends 'one' and receives 'one'
             client 2 sends 'one' and receives 'one'
             client 1 sends 'two' and receives 'two'
             client 2 sends 'two' and receives 'two'
             client 1 sends 'three' and receives 'three'
             client 2 sends 'three' and receives 'three'
             2 connections, 22 bytes echoed",
    },
    Example { name: "chat_server", arguments: &[], prints: include_str!("output/chat_server.txt") },
    Example { name: "ticker", arguments: &[], prints: include_str!("output/ticker.txt") },
    Example {
        name: "tcp_proxy",
        arguments: &[],
        prints: "\
             client: GET /1 server: 200 /1
             client: GET /2 server: 200 /2
             client: GET /3 server: 200 /3
             3 connections: 18 bytes to the server, 18 bytes back",
    },
    Example {
        name: "port_scanner",
        arguments: &["200", "20"],
        prints: "\
             3 ports were opened for the scan
             200 ports scanned, 20 at a time
             all of the 3 were found open
             took <time>",
    },
    Example {
        name: "process_pipeline",
        arguments: &["20"],
        prints: "\
             40 x fiber
             20 x parks
             20 x thread
             20 x waits
             4 different words of 160; every process has succeeded",
    },
    Example {
        name: "process_pool",
        arguments: &["2", "20_000"],
        prints: "\
             range 3: the worker process ended before it had answered: signal: 9 (SIGKILL); repeated
             2262 primes below 20000, counted in 8 ranges by 2 processes",
    },
    // The effect of a Ctrl-C, and the concurrent downloads: see tests/examples/ctrl_c.rs.
    Example {
        name: "ctrl_c",
        arguments: &[],
        prints: "\
             small: begun
             middle: begun
             large: begun
             small: complete, 2 pieces
             middle: complete, 4 pieces
             large: complete, 6 pieces
             all 12 pieces in <time>: as long as the slowest took, and not as all of them together",
    },
    Example { name: "sleeping_barber", arguments: &["8", "2"], prints: SLEEPING_BARBER },
    Example { name: "blocking_calls", arguments: &[], prints: BLOCKING_CALLS },
    Example { name: "document", arguments: &[], prints: include_str!("output/document.txt") },
    Example { name: "batcher", arguments: &[], prints: include_str!("output/batcher.txt") },
    Example { name: "nursery", arguments: &[], prints: include_str!("output/nursery.txt") },
    Example {
        name: "game_loop",
        arguments: &["50", "12"],
        prints: include_str!("output/game_loop.txt"),
    },
    Example { name: "supervisor", arguments: &[], prints: include_str!("output/supervisor.txt") },
    Example { name: "pub_sub", arguments: &[], prints: include_str!("output/pub_sub.txt") },
    Example { name: "pipeline", arguments: &[], prints: include_str!("output/pipeline.txt") },
    Example { name: "job_runner", arguments: &[], prints: include_str!("output/job_runner.txt") },
    Example {
        name: "why_does_it_hang",
        arguments: &[],
        prints: include_str!("output/why_does_it_hang.txt"),
    },
    Example {
        name: "find_a_leak",
        arguments: &["2000"],
        prints: include_str!("output/find_a_leak.txt"),
    },
    Example {
        name: "happy_eyeballs",
        arguments: &[],
        prints: include_str!("output/happy_eyeballs.txt"),
    },
    Example {
        name: "two_schedulers",
        arguments: &[],
        prints: include_str!("output/two_schedulers.txt"),
    },
    Example { name: "futures", arguments: &[], prints: include_str!("output/futures.txt") },
    Example { name: "async_front", arguments: &[], prints: include_str!("output/async_front.txt") },
    Example {
        name: "deep_calls",
        arguments: &["100"],
        prints: include_str!("output/deep_calls.txt"),
    },
    Example { name: "udp_retry", arguments: &[], prints: include_str!("output/udp_retry.txt") },
    Example { name: "mud", arguments: &[], prints: include_str!("output/mud.txt") },
    Example {
        name: "foreign_events",
        arguments: &[],
        prints: include_str!("output/foreign_events.txt"),
    },
    Example { name: "fan_in", arguments: &[], prints: include_str!("output/fan_in.txt") },
    Example {
        name: "tasklet_trace",
        arguments: &[],
        prints: include_str!("output/tasklet_trace.txt"),
    },
    Example { name: "fan_out", arguments: &[], prints: include_str!("output/fan_out.txt") },
    Example { name: "reload", arguments: &[], prints: include_str!("output/reload.txt") },
    Example {
        name: "parallel_walk",
        arguments: &[],
        prints: include_str!("output/parallel_walk.txt"),
    },
    Example { name: "disk_usage", arguments: &[], prints: include_str!("output/disk_usage.txt") },
];

/// Examples that are built with the feature `greenlet` only.
const OF_GREENLETS: &[Example] = &[
    Example {
        name: "chain",
        arguments: &["500"],
        prints: "\
             500 greenlets wait after <time>
             the number went through all of them: 500, <time> each",
    },
    Example {
        name: "gui_callback",
        arguments: &[],
        prints: "\
             toolkit: the loop begins
             program: unknown command: hello
             program: really quit? (y/n)
             program: staying
             program: really quit? (y/n)
             program: bye after 3 commands
             toolkit: the loop has ended, 1 key was left
             tracer: 19 switches to the program, 19 back",
    },
    Example {
        name: "genlets",
        arguments: &[],
        prints: "\
             squares: 0 1 4 9 16
             two levels: 1 1 2 4 3 9 4 16
             recursion: 1 2 3 4 5
             permutations: 012 021 102 120 201 210
             outside: OutsideGenlet",
    },
];

/// All of these times are virtual, and exact.
const CHESS_EXHIBITION: &str = "\
24 boards, 30 moves
one after another: 43200s
walking round: last own move after 3600s, last reply after 3655s
30 moves, walking round
1 boards: last own move after 1745s, last reply after 1800s, the champion waits for 91%
11 boards: last own move after 1795s, last reply after 1850s, the champion waits for 8%
12 boards: last own move after 1800s, last reply after 1855s, the champion waits for 0%
13 boards: last own move after 1950s, last reply after 2005s, the champion waits for 0%
24 boards: last own move after 3600s, last reply after 3655s, the champion waits for 0%";

const RATE_LIMITER: &str = "\
4 a second, 3 at once, 8 clients:
0ms: 1 2 3
250ms: 4
500ms: 5
750ms: 6
1000ms: 7
1250ms: 8
the same, with a patience of 1s:
0ms: 1 2 3
250ms: 4
500ms: 5
750ms: 6
1000ms: (7 left) (8 left)";

const DINING_PHILOSOPHERS: &str = "\
The fork on the left first:
Arendt leaves: deadlock: all fibers wait and nothing can wake one (see `fibra::guide::pitfalls`); the wait of fiber 'Arendt' (#6) fails (it was the last that could run):
fiber 'main' (#1) is waiting for the fibers of its scope to end at <where> for 5s
fiber 'Plato' (#2) is receiving on an empty channel (made at <where> at <where> for 4s, spawned at <where> by #1
fiber 'Laozi' (#3) is receiving on an empty channel (made at <where> at <where> for 3s, spawned at <where> by #1
fiber 'Hypatia' (#4) is receiving on an empty channel (made at <where> at <where> for 2s, spawned at <where> by #1
fiber 'Kant' (#5) is receiving on an empty channel (made at <where> at <where> for 1s, spawned at <where> by #1
fiber 'Arendt' (#6) is receiving on an empty channel (made at <where> at <where> spawned at <where> by #1
Kant has eaten 2 times
Hypatia has eaten 2 times
Laozi has eaten 2 times
Plato has eaten 2 times
The fork with the lower number first:
Kant has eaten 2 times
Hypatia has eaten 2 times
Laozi has eaten 2 times
Plato has eaten 2 times
Arendt has eaten 2 times";
const RABBIT_DOG_CAT: &str = "\
1 main waits rule 1: it has only appended the others: rabbit dog cat
2 rabbit listens main waits, the first in the ring runs: dog cat
3 dog barks the rabbit waits, the next in the ring runs: cat
4 rabbit hears rule 2: it runs now, and the dog goes last: cat dog
5 cat wakes the rabbit has ended, the next runs: dog
6 kitten mews rule 3: it runs now, the cat is next: cat dog
7 cat goes on the kitten has gone to the end: dog kitten
8 dog goes on the cat has ended, the next runs: kitten
9 kitten purrs the dog has ended, which woke main: main
10 main goes on all three of its scope have ended, and the ring is empty
The order after they met, if the rabbit waited the dog waited
and the preference is Receiver rabbit cat dog rabbit cat dog
and the preference is Neither dog cat rabbit rabbit cat dog
and the preference is Sender dog cat rabbit dog cat rabbit";

const CRAWLER: &str = "\
one after the other: 179 pages in 50s
5 workers: 179 pages in 10s
found 0 links away: 1 pages
found 1 links away: 3 pages
found 2 links away: 13 pages
found 3 links away: 35 pages
found 4 links away: 68 pages
found 5 links away: 52 pages
found 6 links away: 7 pages
16 links are dead, 14 pages were given up
251 requests, 42 of them repeated";
const BLOCKING_CALLS: &str = "\
10 calls of 100 ms, 10 answers: faster than one after another, and the ticker went on
4 calls, a pool of 2: at most 2 at a time
a time limit: the time limit was reached before the work was done; the call ended without its caller
borrowed: \"spam, eggs\" was sorted in place to [\"eggs\", \"spam\"]
a connection: served 8 fibers in order, closed after 8 queries
a file: read back 12 bytes of \"green fibers\"
a name: localhost is this machine";

const RETRY_LATE_SERVER: &str = "\
The server is up after 7s:
0s  attempt 1: connection refused, next in 3s
3s  attempt 2: connection refused, next in 3s
6s  attempt 3: connection refused, next in 3s
9s  attempt 4: hello from the server
The server is never up:
0s  attempt 1: connection refused, next in 3s
3s  attempt 2: connection refused, next in 3s
6s  attempt 3: connection refused, next in 3s
9s  attempt 4: connection refused, next in 3s
12s  gave up after 5 attempts (all have failed): connection refused
The same, with waits that double, up to 5 s:
0s  attempt 1: connection refused, next in 1s
1s  attempt 2: connection refused, next in 2s
3s  attempt 3: connection refused, next in 4s
7s  attempt 4: connection refused, next in 5s
12s  gave up after 5 attempts (all have failed): connection refused";
const SLEEPING_BARBER: &str = "\
0 min  the barber sleeps
2 min  1 wakes the barber
4 min  2 sits down
6 min  3 sits down
7 min  1 is shaved
8 min  4 sits down
14 min  2 is shaved
17 min  3 is shaved
22 min  4 is shaved
22 min  the barber sleeps
30 min  5 wakes the barber
32 min  6 sits down
34 min  7 sits down
36 min  8 finds no chair and leaves
37 min  5 is shaved
40 min  6 is shaved
45 min  7 is shaved
45 min  closed: 7 were shaved, 1 went away";

/// Examples that are built with the features `http-client`, `tls` and `ureq` only.
const OF_NETWORKS: &[Example] = &[
    Example {
        name: "http_server",
        arguments: &["20"],
        prints: "\
             POST /sum -> 200 {\"numbers\":1000,\"sum\":500500}
             GET /else -> 404 {\"error\":\"there is nothing at /else\"}
             20 clients of GET /slow, which sleeps for <time>, were served after <time>",
    },
    Example {
        name: "all_cores_server",
        arguments: &["20", "2"],
        prints: "\
             20 clients have requested /, and 2 threads have served 10 connections each
             GET /slow, which a shutdown interrupts -> 200 done
             0 connections were killed, 21 requests in all",
    },
    Example {
        name: "fetch_three",
        arguments: &[],
        prints: "\
             /ready: 200 OK, 6 bytes
             /overloaded: 503 Service Unavailable, once more in 20ms
             /overloaded: 200 OK, 11 bytes
             /slow: 200 OK, 5 bytes
             all within <time>: as long as the slowest took",
    },
    Example {
        name: "web_crawler",
        arguments: &["20", "300"],
        prints: "\
             100 pages
             200 pages
             300 pages
             blog.test: 100 pages over 2 connections
             news.test: 100 pages over 2 connections
             shop.test: 100 pages over 2 connections
             3 links are dead",
    },
    Example { name: "http_stream", arguments: &[], prints: include_str!("output/http_stream.txt") },
    Example { name: "secure_chat", arguments: &[], prints: include_str!("output/secure_chat.txt") },
    Example {
        name: "json_service",
        arguments: &[],
        prints: "\
             the next process serves
             the first process has ended its connections: true
             requests: 100, failed: 0
             the first and the last answer: {\"version\":1,\"sum\":3} {\"version\":2,\"sum\":3}",
    },
    Example {
        name: "reverse_proxy",
        arguments: &[],
        prints: "\
             GET /a -> 200 one: /a
             GET /b -> 200 two: /b
             POST /echo with 1000000 bytes -> 200 with 1000000 bytes
             server two ends
             GET /c -> 200 one: /c
             GET /d -> 200 one: /d
             server one ends
             GET /e -> 502 no server answers",
    },
    Example {
        name: "axum_router",
        arguments: &[],
        prints: "\
             GET /hello/fibers -> 200 hello, fibers
             POST /double -> 200 {\"doubled\":42}
             POST /double -> 400 Failed to parse the request body as JSON: number: EOF while parsing \
             a value at line 1 column 10
             GET /nothing -> 404",
    },
    Example {
        name: "ureq_client",
        arguments: &["20"],
        prints: "\
             20 requests to a server that sleeps for <time> each were answered after <time>
             a time limit of <time>: timeout: global",
    },
    Example {
        name: "tls_echo",
        arguments: &["2"],
        prints: "\
             negotiated: TLSv1_3, TLS13_AES_256_GCM_SHA384
             2 MB went there and back in <time>
             another name is refused: invalid peer certificate: certificate not valid for name \
             \"elsewhere.example\"; certificate is only valid for DnsName(\"localhost\")",
    },
    Example {
        name: "websocket",
        arguments: &["3"],
        prints: "\
             guest 1 heard: guest 2 is here, guest 3 is here
             guest 2 heard: guest 1 is here, guest 3 is here
             guest 3 heard: guest 1 is here, guest 2 is here",
    },
];

/// Examples that are built with the features `tokio`, `tokio-io` and `tracing` only.
const OF_ASYNC_CRATES: &[Example] = &[
    Example {
        name: "codec",
        arguments: &["2"],
        prints: "\
             client 1: set colour green -> ok, get colour -> green
             client 2: set colour blue -> ok, get colour -> blue
             a line of 200 bytes -> max line length exceeded",
    },
    Example {
        name: "spans",
        arguments: &[],
        prints: "\
             [GET] begin
             [PUT] begin
             [GET:query] 3 rows
             [PUT:query] 3 rows
             [GET] end
             [PUT] end
             [] all requests are served",
    },
    Example {
        name: "with_tokio",
        arguments: &[],
        prints: "\
             cat -> tac
             lion -> noil
             whale -> elahw
             sphinx -> timed out
             the server has read 4 words from 1 connection",
    },
];

#[test]
fn every_example_prints_the_output_in_its_table() {
    let of_greenlets = OF_GREENLETS.iter().filter(|_| cfg!(feature = "greenlet"));
    let built = cfg!(all(feature = "http-client", feature = "tls", feature = "ureq"));
    let of_networks = OF_NETWORKS.iter().filter(|_| built);
    let built = cfg!(all(feature = "tokio", feature = "tokio-io", feature = "tracing"));
    let of_async_crates = OF_ASYNC_CRATES.iter().filter(|_| built);
    let all = EXAMPLES.iter().chain(of_greenlets).chain(of_networks).chain(of_async_crates);
    let faults: Vec<String> = all.filter_map(fault_of).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// Like `example | head -1`. Programs that print three lines or fewer need no help for that.
#[test]
fn an_example_ends_quietly_when_its_output_is_cut() {
    for example in EXAMPLES.iter().filter(|example| 3 < example.prints.lines().count()) {
        let (reader, writer) = UnixStream::pair().expect("two sockets");
        drop(reader);
        let mut command = Command::new(program(example.name));
        command.args(example.arguments).stdout(OwnedFd::from(writer));
        let Output { status, stderr, .. } = command.output().expect("the example can be started");
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(status.success() && !stderr.contains("panicked"), "{}: {stderr}", example.name);
    }
}

#[test]
fn every_example_in_the_folder_is_in_the_table_and_in_the_index() {
    let index = fs::read_to_string(examples().join("README.md")).expect("the index is readable");
    let all = EXAMPLES.iter().chain(OF_GREENLETS).chain(OF_NETWORKS).chain(OF_ASYNC_CRATES);
    let names = all.map(|example| example.name).chain([COMPARISON, SOAK]);
    let listed: BTreeSet<String> = names.map(String::from).collect();
    let present = present();
    assert_eq!(present, listed, "left: examples in the folder; right: run by this test");
    for name in present {
        assert!(index.contains(&format!("[`{name}`]")), "examples/README.md lacks {name}");
    }
}

/// An example that prints only measurements: it has a separate test.
const COMPARISON: &str = "switch_cost";

#[test]
fn the_comparison_writes_its_page_and_refuses_a_debug_build() {
    let page = Path::new(env!("CARGO_TARGET_TMPDIR")).join("switch_cost.html");
    let Output { status, stderr, .. } =
        run(COMPARISON, &["--quick", "--out", page.to_str().expect("a path in UTF-8")]);
    let stderr = String::from_utf8_lossy(&stderr);
    if cfg!(debug_assertions) {
        assert!(!status.success() && stderr.contains("add --release"), "{status}: {stderr}");
    } else {
        assert!(status.success(), "{status}: {stderr}");
        let page = fs::read_to_string(page).expect("the page was written");
        assert!(page.contains("<svg") && page.trim_end().ends_with("</html>"), "{page}");
    }
}

/// An example that prints the capacity of a machine: it checks itself.
const SOAK: &str = "soak";

#[test]
fn the_soak_leaves_nothing() {
    let Output { status, stdout, stderr } = run(SOAK, &["1"]);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{status}: {stdout}{stderr}");
    assert!(stdout.contains("left over: 0 descriptors, 0 fibers, 0 timers"), "{stdout}");
}

#[test]
fn every_example_documents_its_command() {
    for name in present() {
        let text = fs::read_to_string(source_of(&name)).expect("an example is readable UTF-8");
        let header: Vec<&str> = text.lines().take_while(|line| line.starts_with("//!")).collect();
        let command = format!("cargo run --release --example {name}");
        assert!(
            header.iter().any(|line| line.contains(&command)),
            "{name}: `{command}` is missing"
        );
    }
}

#[test]
fn a_size_that_makes_no_sense_is_refused_with_the_reason() {
    for size in ["0", "-3", "many", "99999999999999999999999", ""] {
        let output = run("token_ring", &[size]);
        let expected =
            format!("FIBERS: a whole number from 1 to 10000000 is needed, not '{size}'\n");
        assert_eq!(String::from_utf8_lossy(&output.stderr), expected);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    }
}

#[test]
fn masking_hides_what_was_measured_and_nothing_else() {
    let table = [
        ("  7 hops   in 1.5µs,", "7 hops in <time>,"),
        ("3 of 12 ns each\n\n in 20.0ms)", "3 of <time> each\nin <time>)"),
        ("4096 bytes, 38 mappings", "<size>, <mappings>"),
        ("parked at src/main.rs:7:9 for 4s", "parked at <where> for 4s"),
        ("at most 8 stacks, 31 fibers", "at most 8 stacks, 31 fibers"),
        ("bytes and ns", "bytes and ns"),
    ];
    for (text, masked) in table {
        assert_eq!(mask(text), masked);
    }
}

/// Returns the fault of a run of `example`, if there is one.
fn fault_of(example: &Example) -> Option<String> {
    let Output { status, stdout, stderr } = run(example.name, example.arguments);
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    let printed = mask(&stdout);
    let expected = mask(example.prints);
    if status.success() && expected == printed {
        return None;
    }
    let name = example.name;
    Some(format!("{name}: {status}, expected:\n{expected}\nprinted:\n{printed}\n{stderr}"))
}

fn run(name: &str, arguments: &[&str]) -> Output {
    let program = program(name);
    assert!(
        program.exists(),
        "{} is missing: `cargo test` builds the examples, `cargo test --test examples` does not; \
         run `cargo build --examples` in the same profile",
        program.display()
    );
    let mut command = Command::new(&program);
    command.args(arguments).env("FIBRA_HOG_LIMIT", "off");
    command.output().expect("the example can be started")
}

/// Returns target/PROFILE/examples/NAME; this test is target/PROFILE/deps/examples-HASH.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("a test stands in target/PROFILE/deps");
    profile.join("examples").join(format!("{name}{EXE_SUFFIX}"))
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Returns the examples that cargo finds: files, and folders with a `main.rs`.
fn present() -> BTreeSet<String> {
    let entries = fs::read_dir(examples()).expect("the folder is readable");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let programs = paths.filter(|path| match path.extension() {
        Some(extension) => extension == "rs",
        None => path.join("main.rs").exists(),
    });
    programs.map(|path| path.file_stem().unwrap().to_string_lossy().into_owned()).collect()
}

fn source_of(name: &str) -> PathBuf {
    let file = examples().join(format!("{name}.rs"));
    if file.exists() { file } else { examples().join(name).join("main.rs") }
}

/// Replaces measured numbers and their units, which differ from run to run, and normalizes spaces.
fn mask(text: &str) -> String {
    let lines = text.lines().map(mask_line).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

fn mask_line(line: &str) -> String {
    let mut masked: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let unit = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let (unit, rest) = unit.split_at(unit.find([',', ')', ':']).unwrap_or(unit.len()));
        // Times are measured to a tenth; those of a virtual clock are whole seconds.
        let with_its_number = word.split_once(unit).is_some_and(|(number, _)| number.contains('.'));
        let after_its_number = masked.last().is_some_and(|last| last.parse::<u64>().is_ok());
        match what_is_measured(unit) {
            _ if word.contains(".rs:") => masked.push("<where>".into()),
            Some(what) if with_its_number => masked.push(format!("{what}{rest}")),
            Some(what) if after_its_number => {
                masked.pop();
                masked.push(format!("{what}{rest}"));
            }
            _ => masked.push(word.into()),
        }
    }
    // A frame of a stack has a line only if the program has debug information.
    let is_frame =
        masked.len() == 3 && masked[0].contains("::") && masked[1..] == ["at", "<where>"];
    // The number of internal frames depends on what the compiler has inlined.
    let is_remark =
        line.trim_start().starts_with('(') && line.contains(" of fibra and the runtime)");
    masked.truncate(if is_remark {
        0
    } else if is_frame {
        1
    } else {
        masked.len()
    });
    masked.join(" ")
}

fn what_is_measured(unit: &str) -> Option<&'static str> {
    match unit {
        "ns" | "µs" | "ms" | "s" => Some("<time>"),
        "bytes" => Some("<size>"),
        "mappings" => Some("<mappings>"),
        _ => None,
    }
}
