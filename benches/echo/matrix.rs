//! The comparison itself: all loads at all numbers of connections, with the contenders in turn.
//!
//! A round takes one sample of every contender, and each round begins with a different one. The
//! ratio to the limit is computed within each round, so that a disturbance of the machine that
//! lasts longer than a sample affects both.

use std::time::Duration;

use crate::Failure;
use crate::contenders::{Contender, usable};
use crate::exchange::Load;
use crate::machine::Processors;
use crate::options::{Effort, Options};
use crate::report;
use crate::sample::{Point, Sample, take};

const SMALL: Load = Load::Echo { size: 64 };
const LARGE: Load = Load::Echo { size: 4096 };

/// The samples of one contender, one per round.
pub(crate) struct Row {
    pub(crate) contender: &'static Contender,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    let processors = Processors::choose()?;
    let contenders = usable(&options.contenders);
    let (rounds, length) = match options.effort {
        Effort::Moderate => (3, Duration::from_secs(1)),
        Effort::Full => (7, Duration::from_secs(2)),
    };
    let rounds = options.rounds.unwrap_or(rounds).max(1);
    let length = options.length_or(length);
    for point in points(options) {
        println!("{}", report::title(point, rounds, length));
        let rows = measure(&contenders, point, rounds, length, processors)?;
        println!("{}", report::table(&rows));
    }
    Ok(())
}

fn points(options: &Options) -> Vec<Point> {
    let (loads, connections) = (&options.loads, &options.connections);
    if options.effort == Effort::Moderate && loads.is_none() && connections.is_none() {
        let short = [(SMALL, 1), (SMALL, 100), (SMALL, 1000), (LARGE, 100), (Load::Http, 100)];
        return short.map(|(load, connections)| Point { load, connections }).into();
    }
    let loads = loads.clone().unwrap_or(vec![SMALL, LARGE, Load::Http]);
    let connections = connections.clone().unwrap_or(vec![1, 100, 1000, 10_000]);
    let all = |load| connections.iter().map(move |n| Point { load, connections: *n });
    loads.into_iter().flat_map(all).collect()
}

fn measure(
    contenders: &[&'static Contender],
    point: Point,
    rounds: usize,
    length: Duration,
    processors: Processors,
) -> Result<Vec<Row>, Failure> {
    let able = contenders.iter().filter(|contender| contender.can(point));
    let mut rows: Vec<Row> = able.map(|contender| Row { contender, samples: Vec::new() }).collect();
    for round in 0..rounds {
        for turn in 0..rows.len() {
            let i = (round + turn) % rows.len();
            let row = &mut rows[i];
            let sample = take(row.contender, point, length, processors);
            row.samples.push(sample.map_err(|error| format!("{}: {error}", row.contender.name))?);
        }
    }
    Ok(rows)
}
