//! A client that needs tokio, in a program of fibers.
//!
//! `Client` has the shape of most clients for tokio (of Redis, PostgreSQL, a broker): clones of a
//! handle share one connection, which a task drives with tokio's sockets, channels and timers.
//! `Runtime::builder().tokio()` gives the scheduler a runtime of tokio on the same thread, where
//! that task runs. The fibers use the client without `async`: `block_on` waits for its futures.
//!
//! ```text
//! $ cargo run --release --example with_tokio --features tokio
//! cat -> tac
//! lion -> noil
//! whale -> elahw
//! sphinx -> timed out
//! the server has read 4 words from 1 connection
//! ```

mod broken_pipe;

use std::cell::Cell;
use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use fibra::future::block_on;
use fibra::net::TcpStream;
use fibra::server::Server;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};

fn main() -> Result<(), Box<dyn Error>> {
    broken_pipe::end_quietly();
    fibra::Runtime::builder().tokio().build()?.run(|| {
        let server = Server::bind("127.0.0.1:0")?;
        let address = server.listener().local_addr()?;
        let (words, connections) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
        let (read, accepted) = (words.clone(), connections.clone());
        let running = server.start(move |stream, _| {
            accepted.set(accepted.get() + 1);
            reverse_words(&stream, &read)
        });

        let client = block_on(Client::connect(address))?;
        let fibers = ["cat", "lion", "whale", "sphinx"].map(|word| {
            let client = client.clone();
            fibra::spawn(move || match block_on(client.reverse(word)) {
                Ok(reversed) => format!("{word} -> {reversed}"),
                Err(error) => format!("{word} -> {error}"),
            })
        });
        for fiber in fibers {
            println!("{}", fiber.join()?);
        }
        let (words, connections) = (words.get(), connections.get());
        println!("the server has read {words} words from {connections} connection");
        drop(client);
        running.shutdown(Duration::ZERO);
        Ok(())
    })
}

/// Serves a connection, in a fiber. The sphinx gets no answer.
fn reverse_words(stream: &TcpStream, read: &Cell<u32>) -> io::Result<()> {
    let mut writer = stream;
    for word in BufReader::new(stream).lines() {
        let word = word?;
        read.set(read.get() + 1);
        if word != "sphinx" {
            fibra::sleep(Duration::from_millis(1)); // Any code that waits.
            writeln!(writer, "{}", word.chars().rev().collect::<String>())?;
        }
    }
    Ok(())
}

/// A word, and where its answer goes.
type Question = (String, oneshot::Sender<String>);

#[derive(Clone)]
struct Client {
    questions: mpsc::Sender<Question>,
}

impl Client {
    async fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = tokio::net::TcpStream::connect(address).await?;
        let (questions, asked) = mpsc::channel(16);
        tokio::spawn(drive(stream, asked));
        Ok(Client { questions })
    }

    async fn reverse(&self, word: &str) -> io::Result<String> {
        let (answer, answered) = oneshot::channel();
        self.questions.send((word.into(), answer)).await.map_err(io::Error::other)?;
        let limit = Duration::from_secs(1);
        tokio::time::timeout(limit, answered).await?.map_err(io::Error::other)
    }
}

/// Sends questions and gives their answers out, which arrive in the same order.
async fn drive(mut stream: tokio::net::TcpStream, mut questions: mpsc::Receiver<Question>) {
    let (read, mut write) = stream.split();
    let mut answers = tokio::io::BufReader::new(read).lines();
    let mut waiting = VecDeque::new();
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some((word, answer)) = question else { return };
                waiting.push_back(answer);
                if write.write_all(format!("{word}\n").as_bytes()).await.is_err() {
                    return;
                }
            }
            line = answers.next_line() => {
                let (Ok(Some(line)), Some(answer)) = (line, waiting.pop_front()) else { return };
                let _ = answer.send(line);
            }
        }
    }
}
