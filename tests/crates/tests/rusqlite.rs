//! rusqlite in fibers: a connection with a thread of its own, a pool of them, time limits that
//! interrupt SQLite, and a connection that is lent.

use std::path::Path;
use std::time::Duration;

use fibra::blocking::{Owned, OwnedPool, uninterruptible_with};
use fibra_crates::Folder;
use rusqlite::{Connection, params};

/// Opens a database in memory with a table.
fn open() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.execute_batch("CREATE TABLE book (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")?;
    Ok(connection)
}

/// Opens a database that several connections read while one writes.
fn open_file(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA busy_timeout = 5000; -- blocks the connection's thread and no fiber
         PRAGMA journal_mode = WAL;
         CREATE TABLE IF NOT EXISTS book (id INTEGER PRIMARY KEY, title TEXT NOT NULL)",
    )?;
    Ok(connection)
}

fn count(connection: &mut Connection) -> rusqlite::Result<u32> {
    connection.query_row("SELECT count(*) FROM book", [], |row| row.get(0))
}

#[test]
fn one_connection_serves_many_fibers() -> Result<(), Box<dyn std::error::Error>> {
    let database = Owned::try_new(open)?;
    fibra::run(|| {
        fibra::scope(|s| {
            for n in 0..20 {
                let database = &database;
                s.spawn(move || {
                    let title = format!("volume {n}");
                    let insert = move |connection: &mut Connection| {
                        connection.execute("INSERT INTO book (title) VALUES (?1)", [&title])
                    };
                    assert_eq!(database.call(insert).unwrap().unwrap(), 1);
                });
            }
        });
        assert_eq!(database.call(count)??, 20);
        // Errors of the driver are in the result of the call.
        let failed = database.call(|connection| connection.execute("INSERT INTO shelf", []))?;
        assert!(failed.is_err());
        database.close(); // waits until the connection is closed
        Ok(())
    })
}

#[test]
fn a_transaction_is_one_call_and_a_panic_rolls_it_back() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::new();
    let path = folder.join("books.db");
    // A builder's maker opens the connection again after a panic.
    let database = Owned::builder().try_build(move || open_file(&path))?;
    let add_two = |then: fn()| {
        move |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            transaction.execute("INSERT INTO book (title) VALUES ('first')", [])?;
            then();
            transaction.execute("INSERT INTO book (title) VALUES ('second')", [])?;
            transaction.commit()
        }
    };
    fibra::run(|| {
        database.call(add_two(|| ()))??;
        let calls = database.clone();
        let panics = add_two(|| std::panic::resume_unwind(Box::new("in the middle")));
        let fiber = fibra::spawn(move || drop(calls.call(panics)));
        assert!(fiber.join().unwrap_err().is_panic());
        assert_eq!(database.call(count)??, 2);
        Ok(())
    })
}

#[test]
fn a_time_limit_leaves_a_query_and_interrupts_it() -> Result<(), Box<dyn std::error::Error>> {
    const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
                           SELECT count(*) FROM n";
    let database = Owned::try_new(open)?;
    let interrupt = database.call(|connection| connection.get_interrupt_handle())?;
    fibra::run(|| {
        let endless = |connection: &mut Connection| {
            connection.query_row(ENDLESS, [], |row| row.get::<_, u64>(0))
        };
        let result = database.call_timeout(Duration::from_millis(20), endless);
        assert!(result.unwrap_err().is_timeout());
        // The query goes on without its caller, and the next call would wait for it.
        interrupt.interrupt();
        assert_eq!(database.call(count)??, 0);
        Ok(())
    })
}

#[test]
fn a_pool_reads_with_several_connections() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Folder::new();
    let path = folder.join("books.db");
    let pool = OwnedPool::new(3, move || open_file(&path));
    fibra::run(|| {
        fibra::scope(|s| {
            for n in 0..30 {
                let pool = &pool;
                s.spawn(move || {
                    let insert = move |connection: &mut Connection| {
                        let sql = "INSERT INTO book (id, title) VALUES (?1, ?2)";
                        connection.execute(sql, params![n, format!("volume {n}")])
                    };
                    pool.call(insert).unwrap().unwrap();
                    let title = pool.call(move |connection| {
                        let sql = "SELECT title FROM book WHERE id = ?1";
                        connection.query_row(sql, [n], |row| row.get::<_, String>(0))
                    });
                    assert_eq!(title.unwrap().unwrap(), format!("volume {n}"));
                });
            }
        });
        let stats = pool.stats();
        assert!(stats.size <= 3 && stats.calls == 60 && stats.replaced == 0, "{stats:?}");
        pool.close();
        Ok(())
    })
}

#[test]
fn a_connection_is_lent_for_one_call() -> Result<(), Box<dyn std::error::Error>> {
    // `Connection` is `Send` and not `Sync`: an exclusive reference may go to a thread.
    let connection = fibra::sync::Mutex::new(open()?);
    fibra::run(|| {
        let title = String::from("borrowed");
        let inserted = uninterruptible_with(&mut *connection.lock(), |connection| {
            connection.execute("INSERT INTO book (title) VALUES (?1)", [&title])
        });
        assert_eq!(inserted?, 1);
        Ok(())
    })
}
