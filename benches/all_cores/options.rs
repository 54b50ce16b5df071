//! The command line.
//!
//! ```text
//! cargo bench --bench all_cores [-- options]
//!
//!     (none)                  all workloads; a few minutes
//!     --quick                 smaller sizes, for a first look
//!     --test                  only checks that all of them work
//!
//!     --only fibra,tokio      these contenders; fibra, to which the others are compared, is added
//!     --workload skynet,map   the workloads whose names begin with one of these
//!     --threads 1,2           these numbers of threads
//!     --rounds 9              the number of samples of each contender, taken in turn
//! ```

use crate::Failure;
use crate::contenders::{ALL, Contender, REFERENCE};
use crate::workloads::Size;

pub(crate) struct Options {
    pub(crate) size: Size,
    /// The contenders, in the order of [`ALL`].
    pub(crate) contenders: Vec<&'static Contender>,
    pub(crate) threads: Vec<usize>,
    pub(crate) rounds: usize,
    /// The beginnings of the names of the workloads to run. Empty: all of them.
    workloads: Vec<String>,
}

impl Options {
    pub(crate) fn wants(&self, workload: &str) -> bool {
        self.workloads.is_empty() || self.workloads.iter().any(|name| workload.starts_with(name))
    }
}

pub(crate) fn parse(arguments: &[String]) -> Result<Options, Failure> {
    let mut options = Options {
        size: Size::Full,
        contenders: ALL.iter().collect(),
        threads: vec![1, 2],
        rounds: 0,
        workloads: Vec::new(),
    };
    let mut words = arguments.iter().map(String::as_str);
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or(format!("{word} needs a value"));
        match word {
            // The argument that cargo passes to every benchmark.
            "--bench" => {}
            "--test" => options.size = Size::Test,
            "--quick" => options.size = Size::Quick,
            "--only" => options.contenders = contenders(value()?)?,
            "--workload" => options.workloads = value()?.split(',').map(String::from).collect(),
            "--threads" => {
                options.threads = value()?.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--rounds" => options.rounds = value()?.parse()?,
            _ => return Err(format!("{word}: see benches/all_cores/options.rs").into()),
        }
    }
    if options.rounds == 0 {
        options.rounds = if options.size == Size::Test { 1 } else { 5 };
    }
    Ok(options)
}

fn contenders(words: &str) -> Result<Vec<&'static Contender>, Failure> {
    let named: Vec<&str> = words.split(',').collect();
    if let Some(word) = named.iter().find(|word| ALL.iter().all(|c| c.name != **word)) {
        let names: Vec<&str> = ALL.iter().map(|contender| contender.name).collect();
        return Err(format!("{word}: there are {}", names.join(", ")).into());
    }
    let is_wanted =
        |contender: &&Contender| contender.name == REFERENCE || named.contains(&contender.name);
    Ok(ALL.iter().filter(is_wanted).collect())
}
