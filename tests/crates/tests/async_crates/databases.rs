//! Clients of databases and brokers.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use fibra::future::block_on;
use fibra::net::{TcpListener, TcpStream};
use fred::interfaces::{ClientLike, KeysInterface};
use redis::AsyncCommands;
use tokio_postgres::NoTls;

use crate::{Outcome, with_tokio};

/// Starts PostgreSQL, and waits until it also accepts logins.
fn postgres() -> Option<fibra_crates::Server> {
    let server = fibra_crates::postgres()?;
    let address = format!("host=127.0.0.1 port={} user=test dbname=postgres", server.port);
    let start = Instant::now();
    while let Err(error) = postgres::Client::connect(&address, NoTls) {
        assert!(start.elapsed() < Duration::from_secs(20), "{error}");
        thread::sleep(Duration::from_millis(10));
    }
    Some(server)
}

#[test]
fn redis_with_one_connection_for_all_fibers() -> Outcome {
    let Some(server) = fibra_crates::redis() else { return Ok(()) };
    let client = redis::Client::open(format!("redis://127.0.0.1:{}/", server.port))?;
    with_tokio(|| {
        let mut connection = block_on(client.get_multiplexed_async_connection())?;
        fibra::scope(|s| {
            for n in 0..100 {
                let mut connection = connection.clone();
                s.spawn(move || {
                    let sum: u64 = block_on(connection.incr("sum", n)).unwrap();
                    assert!(n <= sum);
                });
            }
        });
        let sum: u64 = block_on(connection.get("sum"))?;
        assert_eq!(sum, 4950);
        Ok(())
    })
}

/// Without a runtime of tokio: the time limits of the connection are off, because they are timers
/// of tokio.
#[test]
fn redis_over_a_stream_of_fibra() -> Outcome {
    let Some(server) = fibra_crates::redis() else { return Ok(()) };
    fibra::run(|| {
        let stream = TcpStream::connect(("127.0.0.1", server.port))?;
        let settings = redis::AsyncConnectionConfig::new().set_response_timeout(None);
        let (mut connection, driver) =
            block_on(redis::aio::MultiplexedConnection::new_with_config(
                &redis::RedisConnectionInfo::default(),
                stream,
                settings,
            ))?;
        let driver = fibra::spawn(move || block_on(driver));
        block_on(connection.set::<_, _, ()>("key", "value"))?;
        assert_eq!(block_on(connection.get::<_, String>("key"))?, "value");
        drop(connection);
        driver.join()?;
        Ok(())
    })
}

#[test]
fn fred_in_many_fibers() -> Outcome {
    let Some(server) = fibra_crates::redis() else { return Ok(()) };
    let config =
        fred::types::config::Config::from_url(&format!("redis://127.0.0.1:{}", server.port))?;
    with_tokio(|| {
        let client = fred::clients::Client::new(config, None, None, None);
        let connection = block_on(client.init())?;
        fibra::scope(|s| {
            for n in 0..20_i64 {
                let client = &client;
                s.spawn(move || block_on(client.incr_by::<i64, _>("sum", n)).unwrap());
            }
        });
        assert_eq!(block_on(client.get::<i64, _>("sum"))?, 190);
        block_on(client.quit())?;
        block_on(connection)??;
        Ok(())
    })
}

#[test]
fn sqlx_with_a_pool_of_connections() -> Outcome {
    let Some(server) = postgres() else { return Ok(()) };
    let url = format!("postgres://test@127.0.0.1:{}/postgres", server.port);
    with_tokio(|| {
        let pool = block_on(sqlx::PgPool::connect(&url))?;
        fibra::scope(|s| {
            for n in 0..20_i32 {
                let pool = &pool;
                s.spawn(move || {
                    let sum = sqlx::query_scalar::<_, i32>("SELECT 1 + $1").bind(n);
                    assert_eq!(block_on(sum.fetch_one(pool)).unwrap(), n + 1);
                });
            }
        });
        block_on(pool.close());
        Ok(())
    })
}

#[test]
fn tokio_postgres_in_a_task() -> Outcome {
    let Some(server) = postgres() else { return Ok(()) };
    let address = format!("host=127.0.0.1 port={} user=test dbname=postgres", server.port);
    with_tokio(|| {
        let (client, connection) = block_on(tokio_postgres::connect(&address, NoTls))?;
        let task = tokio::spawn(connection);
        let row = block_on(client.query_one("SELECT 1 + $1::INT", &[&41]))?;
        assert_eq!(row.get::<_, i32>(0), 42);
        drop(client);
        block_on(task)??;
        Ok(())
    })
}

#[test]
fn tokio_postgres_over_a_stream_of_fibra() -> Outcome {
    let Some(server) = postgres() else { return Ok(()) };
    fibra::run(|| {
        let stream = TcpStream::connect(("127.0.0.1", server.port))?;
        let mut config = tokio_postgres::Config::new();
        config.user("test").dbname("postgres");
        let (client, connection) = block_on(config.connect_raw(stream, NoTls))?;
        let driver = fibra::spawn(move || block_on(connection));
        fibra::scope(|s| {
            for n in 0..20 {
                let client = &client;
                s.spawn(move || {
                    let row = block_on(client.query_one("SELECT 1 + $1::INT", &[&n])).unwrap();
                    assert_eq!(row.get::<_, i32>(0), n + 1);
                });
            }
        });
        // The fiber that waits for a slow query leaves; the connection stays usable.
        let slow = client.simple_query("SELECT pg_sleep(1)");
        let late = fibra::time::timeout(Duration::from_millis(20), || block_on(slow).map(drop));
        assert!(late.is_err());
        block_on(client.simple_query("SELECT 1"))?;
        drop(client);
        driver.join()??;
        Ok(())
    })
}

/// lapin brings a reactor and threads of its own. No broker is needed to see that it works: this
/// server reads the header of the protocol and hangs up.
#[test]
fn lapin_connects_and_reports_a_server_that_hangs_up() -> Outcome {
    fibra::run(|| {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("amqp://{}/%2f", listener.local_addr()?);
        let server = fibra::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            let mut header = [0; 8];
            stream.read_exact(&mut header).map(|()| header)
        });
        let result = fibra::time::timeout(Duration::from_secs(20), || {
            block_on(lapin::Connection::connect(&url, lapin::ConnectionProperties::default()))
        })?;
        assert!(matches!(result, Err(error) if error.is_io_error()));
        assert_eq!(server.join()??, *b"AMQP\0\0\x09\x01");
        Ok(())
    })
}
