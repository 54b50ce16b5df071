//! A crawler over a simulated web: a pool of workers, and a queue of pages that grows while they
//! work. The program knows when the crawl is complete.
//!
//! The pages to fetch are in a `JoinableQueue`. A page counts as done when its worker drops it,
//! whether it was read, missing or given up. So `wait_drained` returns when no worker can find
//! another link. Some servers fail now and then: each fetch is wrapped in a `Retry` with jitter.
//!
//! ```text
//! $ cargo run --release --example crawler [WORKERS = 10] [PAGES = 500]
//! one after the other: 460 pages in 125s
//! 10 workers: 460 pages in 13s
//! found 0 links away: 1 pages
//! found 1 links away: 3 pages
//! ...
//! 40 links are dead, 31 pages were given up
//! 635 requests, 104 of them repeated
//! ```
//!
//! The clock is virtual: the seconds take no time, and the run is the same each time.

mod arguments;
mod broken_pipe;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;
use std::time::Duration;

use fibra::pool::{Backoff, JoinableQueue, Pool, Retry};

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let workers = arguments::number(1, "WORKERS", 1..=100_000, 10);
    let pages = arguments::number(2, "PAGES", 1..=1_000_000, 500) as u64;
    let alone = crawl(pages, 1)?;
    println!("one after the other: {} pages in {}s", alone.depths.len(), alone.time.as_secs());
    let crawled = crawl(pages, workers)?;
    println!("{workers} workers: {} pages in {}s", crawled.depths.len(), crawled.time.as_secs());
    let mut by_depth = BTreeMap::new();
    crawled.depths.values().for_each(|depth| *by_depth.entry(depth).or_insert(0) += 1);
    for (depth, pages) in by_depth {
        println!("found {depth} links away: {pages} pages");
    }
    println!("{} links are dead, {} pages were given up", crawled.dead, crawled.given_up);
    println!("{} requests, {} of them repeated", crawled.requests, crawled.again);
    Ok(())
}

/// The results of a crawl.
#[derive(Default)]
struct Found {
    /// The number of links between the first page and each page that was read.
    depths: BTreeMap<u64, u32>,
    dead: u64,
    given_up: u64,
    requests: u64,
    again: u64,
    time: Duration,
}

/// A page to fetch.
#[derive(Clone, Copy)]
struct Link {
    page: u64,
    depth: u32,
}

fn crawl(pages: u64, workers: usize) -> io::Result<Found> {
    let runtime = fibra::Runtime::builder().virtual_clock().build()?;
    Ok(runtime.run(|| {
        let start = fibra::now();
        let crawler = Rc::new(Crawler {
            pages,
            frontier: JoinableQueue::new(),
            seen: RefCell::default(),
            found: RefCell::default(),
        });
        let pool = Pool::with_builder(workers, fibra::Builder::new().name("crawler"));
        for seed in 0..workers as u64 {
            let crawler = crawler.clone();
            pool.spawn(move || crawler.work(seed));
        }
        crawler.follow(Link { page: 0, depth: 0 });
        crawler.frontier.wait_drained().expect("the workers do not deadlock");
        crawler.frontier.close(); // Ends the workers.
        pool.join().expect("no worker waits forever");
        let mut found = crawler.found.take();
        found.time = fibra::now() - start;
        found
    }))
}

struct Crawler {
    /// The number of pages of the simulated web.
    pages: u64,
    frontier: JoinableQueue<Link>,
    seen: RefCell<BTreeSet<u64>>,
    found: RefCell<Found>,
}

impl Crawler {
    fn follow(&self, link: Link) {
        if self.seen.borrow_mut().insert(link.page) {
            self.frontier.send(link).expect("it is open until it is drained");
        }
    }

    fn work(&self, seed: u64) {
        while let Ok(link) = self.frontier.recv_task() {
            // The task is done at the end of the loop's body, after its links were queued.
            match self.fetch(link.page, seed) {
                Ok(links) => {
                    self.found.borrow_mut().depths.insert(link.page, link.depth);
                    links.for_each(|page| self.follow(Link { page, depth: link.depth + 1 }));
                }
                Err(Status::NotFound) => self.found.borrow_mut().dead += 1,
                Err(Status::Unavailable) => self.found.borrow_mut().given_up += 1,
            }
        }
    }

    fn fetch(&self, page: u64, seed: u64) -> Result<impl Iterator<Item = u64> + use<>, Status> {
        let wait = Backoff::exponential(Duration::from_millis(200), 2.0, Duration::from_secs(5));
        let outcome = Retry::attempts(3)
            .wait(wait.jitter(seed ^ page))
            .on(|status| *status == Status::Unavailable)
            .before_sleep(|_, _, _| self.found.borrow_mut().again += 1)
            .run(|attempt| self.get(page, attempt));
        outcome.map_err(|error| error.into_last().unwrap_or(Status::Unavailable))
    }

    /// Requests a page of the simulated web, and returns its links. The number of the page
    /// determines them, and its speed and failures.
    fn get(&self, page: u64, attempt: u32) -> Result<impl Iterator<Item = u64> + use<>, Status> {
        self.found.borrow_mut().requests += 1;
        fibra::sleep(Duration::from_millis(50 + mix(page) % 250));
        match mix(page ^ 0xF00D) % 20 {
            _ if self.pages <= page => Err(Status::NotFound),
            0 => Err(Status::Unavailable), // down for good
            1 | 2 if attempt == 1 => Err(Status::Unavailable), // overloaded
            _ => {
                // Links down the tree, which reach all pages, and links across it.
                let across = (0..2).map(move |n| mix(page * 2 + n) % (page + 40));
                let (pages, down) = (self.pages, (1..=3).map(move |n| page * 3 + n));
                Ok(down.filter(move |&link| link < pages || link % 25 == 0).chain(across))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Status {
    NotFound,
    Unavailable,
}

/// Scatters the bits of `n`.
fn mix(n: u64) -> u64 {
    let n = (n ^ (n >> 31)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    (n ^ (n >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 17
}
