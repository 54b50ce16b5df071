//! A service whose front is asynchronous and whose work is not: tasks of tokio hand jobs to fibers
//! of another thread, and await the answers.
//!
//! The front awaits `send_async` while the queue is full, so that clients are slowed down and no
//! memory grows; a client that gives up drops its future, and the job that waits in it. The fibers
//! are plain code that blocks: they receive, sleep, and share one printer behind a `Mutex`, which a
//! task takes, too. Neither side needs a thread or a channel of its own for the other.
//!
//! ```text
//! $ cargo run --release --example async_front
//! client 1: tea is ready
//! client 2: coffee is ready
//! client 3: cocoa is ready
//! impatient client: left, and took the order back: soup
//! printed: tea, coffee, cocoa, the bill
//! ```

mod broken_pipe;

use fibra::future::race;
use fibra::sync::{Mutex, OneshotSender, mpmc, oneshot};
use std::future::ready;
use std::thread;
use std::time::Duration;

struct Order {
    text: &'static str,
    answer: OneshotSender<String>,
}

type Printer = Mutex<Vec<&'static str>>;

fn main() -> std::io::Result<()> {
    broken_pipe::end_quietly();
    let printer = Mutex::new(Vec::new());
    let (orders, kitchen) = mpmc::bounded(1);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    thread::scope(|threads| {
        threads.spawn(|| fibra::run(|| cook(kitchen, &printer)));
        runtime.block_on(serve(orders, &printer));
    });
    println!("printed: {}", printer.lock().join(", "));
    Ok(())
}

/// The work, in two fibers: code that may wait anywhere.
fn cook(kitchen: mpmc::Receiver<Order>, printer: &Printer) {
    fibra::scope(|s| {
        for _ in 0..2 {
            s.spawn(|| {
                for Order { text, answer } in &kitchen {
                    printer.lock().push(text);
                    fibra::sleep(Duration::from_millis(2));
                    let _ = answer.send(format!("{text} is ready"));
                }
            });
        }
    });
}

/// The front: one task of tokio for each client.
async fn serve(orders: mpmc::Sender<Order>, printer: &Printer) {
    for (client, text) in (1..).zip(["tea", "coffee", "cocoa"]) {
        let orders = orders.clone();
        let task = tokio::spawn(async move {
            let (answer, answered) = oneshot();
            orders.send_async(Order { text, answer }).await.ok()?;
            answered.await.ok()
        });
        let answer = task.await.ok().flatten();
        println!("client {client}: {}", answer.unwrap_or_default());
    }
    // A client that leaves while the queue is full has not ordered.
    let (full, _kitchen) = mpmc::bounded(0);
    let mut order = full.send_async("soup");
    if race!(async { (&mut order).await.is_err() }, ready(true)).await {
        let back = order.into_inner().unwrap_or_default();
        println!("impatient client: left, and took the order back: {back}");
    }
    printer.lock_async().await.push("the bill");
}
