//! Three slow downloads at the same time, and Ctrl-C at any moment: the connections are closed, the
//! incomplete files are put away, and the exit status is 130.
//!
//! `fibra::main` turns the first Ctrl-C into a kill of the main fiber. Its scope kills the
//! downloads, each unwinds from its read, and every destructor runs. A second Ctrl-C would end the
//! process immediately.
//!
//! ```text
//! $ cargo run --release --example ctrl_c
//! small: begun
//! ...
//! large: complete, 6 pieces
//! all 12 pieces in 0.6s: as long as the slowest took, and not as all of them together
//!
//! $ cargo run --release --example ctrl_c
//! small: begun
//! middle: begun
//! large: begun
//! ^C
//! small: put away after piece 1
//! middle: put away after piece 1
//! large: put away after piece 1
//! the main fiber was interrupted by a signal
//! $ echo $?
//! 130
//! ```
//!
//! The servers are fibers of this program, and send a piece every 100 ms. Arguments are the
//! addresses of other servers.

mod broken_pipe;

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use fibra::net::{TcpListener, TcpStream};

const PIECE: usize = 1000;
const PAUSE: Duration = Duration::from_millis(100);
const FILES: [(&str, usize); 3] = [("small", 2), ("middle", 4), ("large", 6)];

fn main() -> ExitCode {
    broken_pipe::end_quietly();
    fibra::main(|| fibra::finally(download_all, say_why_it_ended))
}

fn download_all() -> io::Result<()> {
    let given = std::env::args().skip(1).map(|address| address.parse().expect("an address"));
    let mut servers: Vec<SocketAddr> = given.collect();
    if servers.is_empty() {
        servers = FILES.iter().map(|&(_, pieces)| serve(pieces)).collect::<io::Result<_>>()?;
    }
    let start = fibra::now();
    let pieces = fibra::scope(|scope| {
        let downloads = servers.iter().zip(FILES);
        let fibers: Vec<_> = downloads
            .map(|(server, (name, _))| scope.spawn(move || download(name, *server)))
            .collect();
        fibers.into_iter().map(|fiber| fiber.join().expect("no panic")).sum::<io::Result<usize>>()
    })?;
    println!(
        "all {pieces} pieces in {:.1}s: as long as the slowest took, and not as all of them together",
        (fibra::now() - start).as_secs_f64()
    );
    Ok(())
}

/// The pieces of a file that have come. An incomplete file is put away when this is dropped.
struct Partial {
    name: &'static str,
    pieces: usize,
    complete: bool,
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.complete {
            println!("{}: put away after piece {}", self.name, self.pieces);
        }
    }
}

fn download(name: &'static str, server: SocketAddr) -> io::Result<usize> {
    let mut file = Partial { name, pieces: 0, complete: false };
    let mut connection = TcpStream::connect(server)?;
    let mut piece = [0; PIECE];
    while connection.peek(&mut piece[..1])? != 0 {
        connection.read_exact(&mut piece)?;
        file.pieces += 1;
        if file.pieces == 1 {
            println!("{name}: begun");
        }
    }
    println!("{name}: complete, {} pieces", file.pieces);
    file.complete = true;
    Ok(file.pieces)
}

/// Starts a server for one client, and returns its address.
fn serve(pieces: usize) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    fibra::spawn(move || -> io::Result<()> {
        let (mut client, _) = listener.accept()?;
        for _ in 0..pieces {
            fibra::sleep(PAUSE);
            client.write_all(&[b'.'; PIECE])?;
        }
        Ok(())
    });
    Ok(address)
}

fn say_why_it_ended() {
    if let Some(reason) = fibra::current().kill_reason() {
        println!("the main fiber was {reason}");
    }
}
