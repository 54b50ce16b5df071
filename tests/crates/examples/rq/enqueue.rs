//! Enqueues `count_words_at_url` for each URL, one fiber each, and prints the counts as they come.
//! Any worker may do the work: `rq_worker` or Python's `rq worker`. See `README.md`.
//!
//! ```text
//! rq_enqueue REDIS_URL QUEUE URL ...
//! ```

mod rq;

use std::error::Error;
use std::rc::Rc;
use std::time::Duration;

use rq::{Job, Link, Outcome, Queue};

const LIMIT: Duration = Duration::from_secs(60);

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let (Some(redis), Some(queue)) = (words.next(), words.next()) else {
        return Err("usage: rq_enqueue REDIS_URL QUEUE URL ...".into());
    };
    let urls: Vec<String> = words.collect();
    fibra::Runtime::builder().tokio().build()?.run(|| {
        let link = Rc::new(Link::new(&redis, Duration::from_secs(10))?);
        let queue = Queue::new(&link, queue);
        let queue = &queue;
        fibra::scope(|scope| {
            for url in &urls {
                scope.spawn(move || match count(queue, url) {
                    Ok(Outcome::Returned(count)) => println!("{url}: {count} words"),
                    Ok(Outcome::Failed(text)) => println!("{url}: failed\n{text}"),
                    Err(error) => println!("{url}: {error}"),
                });
            }
        });
        Ok(())
    })
}

fn count(queue: &Queue, url: &str) -> Result<Outcome, Box<dyn Error>> {
    let job = Job::new("tasks.count_words_at_url").arg(url).timeout(LIMIT).retry(2, &[1, 5]);
    let id = queue.enqueue(&job)?;
    Ok(queue.wait(&id, LIMIT)??)
}
