//! The answer of the socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// The answer of a program.
#[derive(Default)]
pub struct Picture {
    /// Each scheduler: its index and state, and its counters.
    pub schedulers: Vec<(String, Vec<(String, u64)>)>,
    pub fibers: Vec<Fiber>,
    /// Why there is no newer picture.
    pub problem: Option<String>,
}

pub struct Fiber {
    /// The numbers of its scheduler and of itself.
    pub id: (u64, u64),
    pub parent: Option<(u64, u64)>,
    pub title: String,
    pub state: String,
    /// What it waits for, and where.
    pub wait: String,
    pub waiting: Duration,
    pub stack: u64,
    pub spawned: String,
}

impl Picture {
    /// Asks the program behind `socket`.
    pub fn ask(socket: &Path) -> io::Result<Picture> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        stream.write_all(b"json\n")?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let json: Value = serde_json::from_str(&line).map_err(io::Error::other)?;
        let mut picture = Picture::default();
        for scheduler in json["schedulers"].as_array().into_iter().flatten() {
            let counters = scheduler["stats"].as_object().into_iter().flatten();
            let counters = counters.map(|(name, value)| (name.clone(), number(value))).collect();
            let title = format!("scheduler {} {}", scheduler["index"], text(&scheduler["state"]));
            picture.schedulers.push((title, counters));
            let fibers = scheduler["fibers"]["fibers"].as_array().into_iter().flatten();
            picture.fibers.extend(fibers.map(Fiber::of));
        }
        Ok(picture)
    }

    /// Returns the number of fibers in each state.
    pub fn states(&self) -> Vec<(&str, usize)> {
        let mut states: Vec<(&str, usize)> = Vec::new();
        for fiber in &self.fibers {
            match states.iter_mut().find(|(state, _)| *state == fiber.state) {
                Some((_, count)) => *count += 1,
                None => states.push((&fiber.state, 1)),
            }
        }
        states
    }
}

impl Fiber {
    fn of(json: &Value) -> Fiber {
        let id = |json: &Value| (number(&json["scheduler"]), number(&json["number"]));
        let (at, spawned) = (place(&json["location"]), place(&json["spawned_at"]));
        let holder = json["held_by"].as_str().map(|holder| format!(" held by {holder}"));
        let holder = holder.unwrap_or_default();
        let wait = match json["wait"].as_str() {
            Some(wait) => format!("{wait}{holder} at {at}"),
            None => format!("at {at}"),
        };
        let name = json["name"].as_str().map(|name| format!(" {name}")).unwrap_or_default();
        Fiber {
            id: id(&json["id"]),
            parent: json["parent"].is_object().then(|| id(&json["parent"])),
            title: format!("{}:{}{name}", id(&json["id"]).0, id(&json["id"]).1),
            state: text(&json["state"]).to_owned(),
            wait,
            waiting: Duration::from_micros(number(&json["waiting_us"])),
            stack: number(&json["stack_used"]),
            spawned,
        }
    }

    pub fn line(&self) -> String {
        format!("{} {} {} spawned at {}", self.title, self.state, self.wait, self.spawned)
    }
}

fn number(json: &Value) -> u64 {
    json.as_u64().unwrap_or(0)
}

fn text(json: &Value) -> &str {
    json.as_str().unwrap_or("")
}

fn place(json: &Value) -> String {
    let file = text(&json["file"]).rsplit('/').next().unwrap_or("");
    format!("{file}:{}:{}", number(&json["line"]), number(&json["column"]))
}
