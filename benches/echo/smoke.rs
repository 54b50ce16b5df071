//! The smoke run: opens one connection to every contender, sends some requests, and checks every
//! answer.

use crate::Failure;
use crate::contenders::{Contender, usable};
use crate::exchange::{Exchange, Load};
use crate::histogram;
use crate::load::{Generator, Next};
use crate::machine::Processors;
use crate::options::Options;
use crate::sample::Point;
use crate::server::Server;

const REQUESTS: usize = 100;

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    histogram::assert_valid();
    let processors = Processors::choose()?;
    for contender in usable(&options.contenders) {
        for load in [Load::Echo { size: 64 }, Load::Http] {
            if contender.can(Point { load, connections: 1 }) {
                exchange(contender, load, processors)
                    .map_err(|error| format!("{}, {load}: {error}", contender.name))?;
                println!("{}, {load}: success", contender.name);
            }
        }
    }
    Ok(())
}

fn exchange(contender: &Contender, load: Load, processors: Processors) -> Result<(), Failure> {
    let server = Server::start(contender, load.service(), processors)?;
    let exchange = Exchange::new(load, server.address)?;
    let mut requests = 0;
    Generator::connect(server.address, exchange, 1)?.drive_all(|_| {
        requests += 1;
        if requests < REQUESTS { Next::Again } else { Next::Rest }
    })
}
