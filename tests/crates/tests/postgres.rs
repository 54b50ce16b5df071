//! postgres, the synchronous client, in fibers: a pool of connections, each with a thread of its
//! own; lost connections that are replaced; queries that are cancelled.

#![allow(clippy::disallowed_methods, reason = "calls that block, in real time")]

use std::error::Error;
use std::time::{Duration, Instant};

use fibra::blocking::OwnedPool;
use fibra_crates::Server;
use postgres::{Client, NoTls};

/// Returns a pool that replaces the connections that the server has closed.
fn pool_of(server: &Server, max: usize) -> OwnedPool<Client> {
    let address = format!("host=127.0.0.1 port={} user=test dbname=postgres", server.port);
    OwnedPool::builder()
        .max(max)
        .thread_name("postgres")
        .keep_if(|client: &mut Client| !client.is_closed())
        .build(move || connect(&address))
}

/// Connects as soon as the server is ready: it first accepts connections and refuses logins.
fn connect(address: &str) -> Result<Client, postgres::Error> {
    let start = Instant::now();
    loop {
        match Client::connect(address, NoTls) {
            Err(_) if start.elapsed() < Duration::from_secs(20) => {
                std::thread::sleep(Duration::from_millis(10));
            }
            result => return result,
        }
    }
}

#[test]
fn a_pool_serves_fibers_survives_lost_connections_and_cancels_queries() -> Result<(), Box<dyn Error>>
{
    let Some(server) = fibra_crates::postgres() else { return Ok(()) };
    let pool = pool_of(&server, 4);
    fibra::run(|| {
        many_queries(&pool)?;
        a_transaction(&pool)?;
        a_lost_connection(&pool)?;
        a_cancelled_query(&pool)
    })?;
    pool.close();
    Ok(())
}

fn many_queries(pool: &OwnedPool<Client>) -> Result<(), Box<dyn Error>> {
    pool.call(|client| client.batch_execute("CREATE TABLE book (id INT, title TEXT)"))??;
    fibra::scope(|s| {
        for id in 0..20_i32 {
            s.spawn(move || {
                let insert = move |client: &mut Client| {
                    let title = format!("volume {id}");
                    client.execute("INSERT INTO book VALUES ($1, $2)", &[&id, &title])
                };
                assert_eq!(pool.call(insert).unwrap().unwrap(), 1);
            });
        }
    });
    let row = pool.call(|client| client.query_one("SELECT count(*) FROM book", &[]))??;
    assert_eq!(row.get::<_, i64>(0), 20);
    assert!(pool.stats().size <= 4);
    Ok(())
}

fn a_transaction(pool: &OwnedPool<Client>) -> Result<(), Box<dyn Error>> {
    let moved = pool.call(|client| {
        let mut transaction = client.transaction()?;
        let moved = transaction.execute("UPDATE book SET id = id + 100 WHERE id < 5", &[])?;
        transaction.commit()?;
        Ok::<_, postgres::Error>(moved)
    })??;
    assert_eq!(moved, 5);
    Ok(())
}

fn a_lost_connection(pool: &OwnedPool<Client>) -> Result<(), Box<dyn Error>> {
    let sql = "SELECT pg_terminate_backend(pg_backend_pid())";
    assert!(pool.call(|client| client.execute(sql, &[]))?.is_err());
    // The driver notices the loss when the connection is used again: that call fails, and then the
    // pool replaces the connection.
    let mut failed = 0;
    while pool.stats().replaced == 0 {
        failed += usize::from(pool.call(|client| client.simple_query("SELECT 1"))?.is_err());
    }
    assert!(failed <= 1);
    for _ in 0..10 {
        pool.call(|client| client.simple_query("SELECT 1"))??;
    }
    Ok(())
}

fn a_cancelled_query(pool: &OwnedPool<Client>) -> Result<(), Box<dyn Error>> {
    // The token goes to the caller before the query begins.
    let (tokens, token) = fibra::sync::mpmc::bounded(1);
    let start = Instant::now();
    let result = pool.call_timeout(Duration::from_millis(500), move |client| {
        let _ = tokens.send(client.cancel_token());
        client.simple_query("SELECT pg_sleep(60)").map(drop)
    });
    assert!(result.unwrap_err().is_timeout());
    // The call goes on without its caller, and would keep the connection for a minute.
    let token = token.recv()?;
    while pool.stats().running != 0 {
        // The server ignores this until the query has begun.
        let token = token.clone();
        fibra::blocking(move || token.cancel_query(NoTls))?;
        fibra::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() < Duration::from_secs(30));
    Ok(())
}
