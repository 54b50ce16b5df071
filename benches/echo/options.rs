//! The command line.
//!
//! ```text
//! cargo bench --features http --bench echo [-- options]
//!
//!     (none)                  a matrix of a few minutes
//!     --full                  every size and number of connections
//!     --test                  only checks that all of them work
//!     --idle                  memory of an idle connection
//!     --syscalls              system calls per request; needs perf, and root
//!     --tools                 HTTP by wrk and h2load; needs the feature http2
//!
//!     --only c,fibra          these contenders
//!     --threads 2             the servers with two threads, on both processors, beside the load
//!     --connections 100,1000  these numbers of connections
//!     --load 64,4096,http     these loads: sizes of messages, or HTTP
//!     --rounds 15             the number of samples of each contender, taken in turn
//!     --seconds 2             the length of a sample
//! ```

use std::str::FromStr;
use std::time::Duration;

use crate::Failure;
use crate::contenders::{ALL, Contender};
use crate::exchange::Load;

pub(crate) struct Options {
    pub(crate) mode: Mode,
    /// The contenders, in the order of [`ALL`].
    pub(crate) contenders: Vec<&'static Contender>,
    /// The numbers of connections to measure, if the command line has them.
    pub(crate) connections: Option<Vec<usize>>,
    pub(crate) loads: Option<Vec<Load>>,
    pub(crate) effort: Effort,
    pub(crate) rounds: Option<usize>,
    pub(crate) seconds: Option<f64>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    Smoke,
    Matrix,
    Idle,
    SystemCalls,
    Tools,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Effort {
    Moderate,
    Full,
}

pub(crate) fn parse(arguments: &[String]) -> Result<Options, Failure> {
    let mut options = Options {
        mode: Mode::Matrix,
        contenders: with_threads(1),
        connections: None,
        loads: None,
        effort: Effort::Moderate,
        rounds: None,
        seconds: None,
    };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word {
            // The argument that cargo passes to every benchmark.
            "--bench" => {}
            "--test" => {
                options.mode = Mode::Smoke;
                options.contenders = ALL.iter().collect();
            }
            "--idle" => options.mode = Mode::Idle,
            "--syscalls" => options.mode = Mode::SystemCalls,
            "--tools" => options.mode = Mode::Tools,
            "--full" => options.effort = Effort::Full,
            "--only" => options.contenders = contenders(value()?)?,
            "--threads" => options.contenders = with_threads(value()?.parse()?),
            "--connections" => options.connections = Some(list(value()?)?),
            "--load" => options.loads = Some(list(value()?)?),
            "--rounds" => options.rounds = Some(value()?.parse()?),
            "--seconds" => options.seconds = Some(value()?.parse()?),
            _ => return Err(format!("{word}: see benches/echo/options.rs").into()),
        }
    }
    Ok(options)
}

impl Options {
    /// Returns the length of a sample, or `otherwise`.
    pub(crate) fn length_or(&self, otherwise: Duration) -> Duration {
        self.seconds.map_or(otherwise, Duration::from_secs_f64)
    }
}

fn with_threads(threads: usize) -> Vec<&'static Contender> {
    ALL.iter().filter(|contender| contender.threads == threads).collect()
}

fn contenders(words: &str) -> Result<Vec<&'static Contender>, Failure> {
    let named: Vec<&str> = words.split(',').collect();
    if let Some(word) = named.iter().find(|word| ALL.iter().all(|c| c.name != **word)) {
        let names: Vec<&str> = ALL.iter().map(|contender| contender.name).collect();
        return Err(format!("{word}: there are {}", names.join(", ")).into());
    }
    Ok(ALL.iter().filter(|contender| named.contains(&contender.name)).collect())
}

fn list<T: FromStr<Err: Into<Failure>>>(words: &str) -> Result<Vec<T>, Failure> {
    words.split(',').map(|word| word.parse().map_err(Into::into)).collect()
}
