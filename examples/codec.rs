//! A crate for tokio on fibra's sockets: frames of lines, by the codecs of tokio-util, without
//! tokio's runtime.
//!
//! With the feature `tokio-io`, fibra's streams have the traits `AsyncRead` and `AsyncWrite` of
//! tokio. The connections of a small store are `async` code that would be the same on tokio; each
//! is awaited by a fiber. The clients are plain blocking code.
//!
//! ```text
//! $ cargo run --release --example codec --features tokio-io [CLIENTS = 3]
//! client 1: set colour green -> ok, get colour -> green
//! client 2: set colour blue -> ok, get colour -> blue
//! client 3: set colour red -> ok, get colour -> red
//! a line of 200 bytes -> max line length exceeded
//! ```

mod arguments;
mod broken_pipe;

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;

use fibra::future::block_on;
use fibra::net::{TcpListener, TcpStream};

const COLOURS: [&str; 3] = ["green", "blue", "red"];

/// The side of the async world: it knows neither fibers nor sockets.
mod store {
    use std::collections::BTreeMap;
    use std::io;

    use futures_lite::StreamExt;
    use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, split};
    use tokio_util::codec::{FramedRead, LinesCodec, LinesCodecError};

    /// Answers the requests of one connection.
    pub(super) async fn serve(stream: impl AsyncRead + AsyncWrite) -> io::Result<()> {
        let (reader, mut writer) = split(stream);
        let mut values = BTreeMap::new();
        let mut lines = FramedRead::new(reader, LinesCodec::new_with_max_length(100));
        while let Some(line) = lines.next().await {
            let answer = match line {
                Ok(line) => answer(&mut values, &line),
                Err(LinesCodecError::Io(error)) => return Err(error),
                Err(error) => error.to_string(),
            };
            writer.write_all(format!("{answer}\n").as_bytes()).await?;
        }
        writer.shutdown().await
    }

    fn answer(values: &mut BTreeMap<String, String>, line: &str) -> String {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["set", key, value] => {
                values.insert(key.into(), value.into());
                "ok".into()
            }
            ["get", key] => values.get(key).cloned().unwrap_or_else(|| "none".into()),
            _ => "expected `set KEY VALUE` or `get KEY`".into(),
        }
    }
}

/// Sends each line, and returns each with its answer.
fn ask(server: SocketAddr, lines: &[String]) -> io::Result<Vec<String>> {
    let stream = TcpStream::connect(server)?;
    let mut answers = BufReader::new(&stream).lines();
    let mut all = Vec::new();
    for line in lines {
        writeln!(&stream, "{line}")?;
        let answer = answers.next().ok_or(io::ErrorKind::UnexpectedEof)??;
        all.push(format!("{line} -> {answer}"));
    }
    Ok(all)
}

fn main() -> io::Result<()> {
    broken_pipe::end_quietly();
    let clients = arguments::number(1, "CLIENTS", 1..=1000, 3);
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let server = listener.local_addr()?;
        fibra::spawn(move || -> io::Result<()> {
            for stream in listener.incoming() {
                let connection = store::serve(stream?);
                fibra::spawn(|| block_on(connection));
            }
            Ok(())
        });

        let start = |nth: usize| {
            let colour = COLOURS[nth % COLOURS.len()];
            let lines = [format!("set colour {colour}"), "get colour".into()];
            fibra::spawn(move || ask(server, &lines))
        };
        let running: Vec<_> = (0..clients).map(start).collect();
        for (client, answers) in (1..).zip(running) {
            println!("client {client}: {}", answers.join().unwrap()?.join(", "));
        }
        let long = ask(server, &["x".repeat(200)])?.concat();
        println!("a line of 200 bytes -> {}", long.trim_start_matches(['x', ' ', '-', '>']));
        Ok(())
    })
}
