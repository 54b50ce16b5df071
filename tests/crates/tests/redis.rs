//! redis, the synchronous client, in fibers: a pool of connections, each with a thread of its own,
//! and calls that block for long.

#![allow(clippy::disallowed_methods, reason = "real time")]

use std::error::Error;
use std::time::{Duration, Instant};

use fibra::blocking::{Owned, OwnedPool};
use redis::{Commands, Connection, ConnectionLike, RedisResult};

#[test]
fn a_connection_and_a_pool_serve_fibers() -> Result<(), Box<dyn Error>> {
    let Some(server) = fibra_crates::redis() else { return Ok(()) };
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port))?;
    let opened = client.clone();
    let pool = OwnedPool::builder()
        .max(5)
        .thread_name("redis")
        .keep_if(|connection: &mut Connection| connection.check_connection()) // one `PING`
        .build(move || opened.get_connection());
    // Through the server's other socket, for variety.
    let socket = format!("redis+unix://{}", server.folder.join("redis.sock").display());
    let single = Owned::builder().try_build(move || {
        redis::Client::open(socket.as_str())?.get_connection() //
    })?;
    fibra::run(|| {
        many_commands(&single)?;
        blocking_commands(&pool)?;
        a_lost_connection(&pool)
    })?;
    pool.close();
    single.close();
    Ok(())
}

fn many_commands(single: &Owned<Connection>) -> Result<(), Box<dyn Error>> {
    fibra::scope(|s| {
        for n in 0..100 {
            s.spawn(move || {
                let add = move |connection: &mut Connection| connection.incr("sum", n);
                let sum: RedisResult<u64> = single.call(add).unwrap();
                assert!(n <= sum.unwrap());
            });
        }
    });
    let sum: u64 = single.call(|connection| connection.get("sum"))??;
    assert_eq!(sum, 4950);
    Ok(())
}

/// Five commands that wait in the server take as long as one.
fn blocking_commands(pool: &OwnedPool<Connection>) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let pops: Vec<_> = (0..5)
        .map(|n| {
            let pool = pool.clone();
            fibra::spawn(move || {
                let pop = move |c: &mut Connection| c.blpop(format!("empty {n}"), 1.0);
                let popped: RedisResult<Option<(String, String)>> = pool.call(pop).unwrap();
                assert_eq!(popped.unwrap(), None);
            })
        })
        .collect();
    pops.into_iter().for_each(|pop| pop.join().unwrap());
    assert!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    assert_eq!(pool.stats().size, 5);
    Ok(())
}

fn a_lost_connection(pool: &OwnedPool<Connection>) -> Result<(), Box<dyn Error>> {
    // The connection that asks closes itself, and the error of the next command closes its value.
    let lost = pool.call(|connection| -> RedisResult<()> {
        redis::cmd("QUIT").query::<()>(connection)?;
        connection.get("sum")
    })?;
    assert!(lost.is_err());
    // Its thread looks at the connection when the result has gone to the caller.
    let replaced = || {
        while pool.stats().replaced == 0 {
            fibra::sleep(Duration::from_millis(1));
        }
    };
    fibra::time::timeout(Duration::from_secs(20), replaced)?;
    assert_eq!(pool.stats().replaced, 1);
    let sum: u64 = pool.call(|connection| connection.get("sum"))??;
    assert_eq!(sum, 4950);
    Ok(())
}
