//! A crawler of real servers over HTTP: many workers, few connections to each host, and progress.
//!
//! The pages to fetch are in a `JoinableQueue`, which knows when the crawl is complete. The client
//! keeps at most two connections to a host: a third request waits for one of them, so a slow host
//! delays its own pages only. Pages that are missing are counted, and redirects are followed.
//!
//! ```text
//! $ cargo run --release --example web_crawler --features http-client [WORKERS = 20] [PAGES = 300]
//! 100 pages
//! 200 pages
//! 300 pages
//! blog.test: 100 pages over 2 connections
//! news.test: 100 pages over 2 connections
//! shop.test: 100 pages over 2 connections
//! 3 links are dead
//! ```
//!
//! The three hosts are servers in this program, whose names a resolver of its own knows.

mod arguments;
mod broken_pipe;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::net::Ipv4Addr;
use std::rc::Rc;
use std::time::Duration;

use fibra::http::{Client, Http, hyper, url::Url};
use fibra::net::Resolver;
use fibra::pool::{JoinableQueue, Pool};
use fibra::server::{Running, Server};
use hyper::{Response, StatusCode};

const HOSTS: [&str; 3] = ["blog.test", "news.test", "shop.test"];

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    let workers = arguments::number(1, "WORKERS", 1..=10_000, 20);
    let pages = arguments::number(2, "PAGES", 3..=1_000_000, 300);
    fibra::run(|| {
        let web = Web::start(pages)?;
        let hosts = Resolver::fixed(HOSTS.map(|host| (host, Ipv4Addr::LOCALHOST.into())));
        let client = Client::builder()
            .resolver(hosts)
            .no_proxy()
            .max_connections_per_host(2)
            .timeout(Duration::from_secs(60))
            .build()?;
        let crawler = Rc::new(Crawler { client, ..Crawler::default() });
        let pool = Pool::with_builder(workers, fibra::Builder::new().name("crawler"));
        for _ in 0..workers {
            let crawler = crawler.clone();
            pool.spawn(move || crawler.work());
        }
        crawler.follow(web.url(0).parse()?);
        crawler.frontier.wait_drained()?;
        crawler.frontier.close(); // Ends the workers.
        pool.join()?;

        for (host, pages) in crawler.pages.take() {
            println!("{host}: {pages} pages over {} connections", web.connections(&host));
        }
        println!("{} links are dead", crawler.dead.get());
        Ok(())
    })
}

#[derive(Default)]
struct Crawler {
    client: Client,
    frontier: JoinableQueue<Url>,
    seen: RefCell<BTreeSet<Url>>,
    /// The number of pages that were read, by host.
    pages: RefCell<BTreeMap<String, usize>>,
    dead: Cell<usize>,
}

impl Crawler {
    fn follow(&self, link: Url) {
        if self.seen.borrow_mut().insert(link.clone()) {
            self.frontier.send(link).expect("it is open until it is drained");
        }
    }

    fn work(&self) {
        while let Ok(link) = self.frontier.recv_task() {
            // The task is done at the end of the loop's body, after its links were queued.
            match self.fetch(&link) {
                Ok(links) => links.into_iter().for_each(|link| self.follow(link)),
                Err(_) => self.dead.set(self.dead.get() + 1),
            }
        }
    }

    /// Fetches a page, and returns the links in it.
    fn fetch(&self, link: &Url) -> Result<Vec<Url>, fibra::http::Error> {
        let response = self.client.get(link).send()?.error_for_status()?;
        let base = response.url().clone();
        let text = response.text()?;
        let host = base.host_str().unwrap_or_default().to_string();
        *self.pages.borrow_mut().entry(host).or_insert(0) += 1;
        let pages: usize = self.pages.borrow().values().sum();
        if pages % 100 == 0 {
            println!("{pages} pages");
        }
        let links = text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
        Ok(links.filter_map(|link| base.join(link).ok()).collect())
    }
}

/// Servers of three hosts, whose pages link to each other.
struct Web {
    servers: Vec<(u16, Running, Rc<Cell<usize>>)>,
}

impl Web {
    fn start(pages: usize) -> std::io::Result<Web> {
        let servers: Vec<_> =
            HOSTS.iter().map(|_| Server::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
        let ports = servers.iter().map(|server| Ok(server.listener().local_addr()?.port()));
        let ports: Rc<[u16]> = ports.collect::<std::io::Result<_>>()?;
        let servers = servers.into_iter().zip(ports.iter().copied()).map(|(server, port)| {
            let (count, ports) = (Rc::new(Cell::new(0)), ports.clone());
            let connections = count.clone();
            let running = server.start(move |stream, _| {
                count.set(count.get() + 1);
                let ports = ports.clone();
                Http::new().serve_connection(stream, move |request| {
                    fibra::sleep(Duration::from_millis(1));
                    page(request.uri().path(), pages, &ports)
                })
            });
            (port, running, connections)
        });
        Ok(Web { servers: servers.collect() })
    }

    fn url(&self, page: usize) -> String {
        url(page, &self.servers.iter().map(|(port, ..)| *port).collect::<Vec<_>>())
    }

    fn connections(&self, host: &str) -> usize {
        let at = HOSTS.iter().position(|name| *name == host);
        at.map_or(0, |at| self.servers[at].2.get())
    }
}

/// Returns the URL of a page: the hosts take turns.
fn url(page: usize, ports: &[u16]) -> String {
    let host = page % HOSTS.len();
    format!("http://{}:{}/{page}", HOSTS[host], ports[host])
}

/// Returns a page with links to three others.
fn page(path: &str, pages: usize, ports: &[u16]) -> Response<String> {
    let page = path[1..].parse().unwrap_or(pages);
    let mut response = Response::new(String::new());
    if pages <= page {
        *response.status_mut() = StatusCode::NOT_FOUND;
        return response;
    }
    for link in (1..=3).map(|n| 3 * page + n).filter(|link| *link < pages + 3) {
        *response.body_mut() += &format!("<a href=\"{}\">page {link}</a>\n", url(link, ports));
    }
    response
}
