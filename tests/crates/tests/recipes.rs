//! The recipes of the guide, in `src/guide/blocking_databases.rs`: they compile here, and are the
//! same there. The other tests run such programs.
//!
//! Each function contains one recipe, as it stands in the guide, behind what the guide leaves out.

#![allow(dead_code, reason = "recipes are compiled; they run in the other tests")]

use std::error::Error;
use std::time::Duration;

use fibra::blocking::{Owned, OwnedPool, uninterruptible_with};

type Result<T = (), E = Box<dyn Error>> = std::result::Result<T, E>;

mod with_rusqlite {
    use super::*;
    use rusqlite::Connection;

    #[rustfmt::skip]
    fn recipe() -> Result {
        let database = Owned::builder().try_build(|| Connection::open("books.db"))?;
        let interrupt = database.call(|c| c.get_interrupt_handle())?;

        let rows = database.call_timeout(Duration::from_secs(2), |c| {
            c.query_row("SELECT count(*) FROM book", [], |row| row.get::<_, u64>(0))
        });
        if rows.as_ref().is_err_and(|error| error.is_timeout()) {
            interrupt.interrupt(); // the query ends with an error; the connection stays usable
        }
        Ok(())
    }

    #[rustfmt::skip]
    fn a_reference(mut connection: Connection) -> Result<usize> {
        let changed = uninterruptible_with(&mut connection, |c| c.execute("DELETE FROM book", []))?;
        Ok(changed)
    }
}

mod with_diesel {
    use super::*;
    use diesel::prelude::*;

    diesel::table! {
        books {
            id -> Integer,
            title -> Text,
        }
    }

    #[derive(Queryable, Selectable)]
    struct Book {
        id: i32,
        title: String,
    }

    #[rustfmt::skip]
    fn recipe(id: i32) -> Result<Book> {
        let database = Owned::builder().try_build(|| SqliteConnection::establish("books.db"))?;
        let book = database.call(move |c| books::table.find(id).select(Book::as_select()).first(c))??;
        Ok(book)
    }
}

mod with_postgres {
    use super::*;
    use postgres::{Client, NoTls, Row};

    #[rustfmt::skip]
    fn recipe(id: i64) -> Result<Row> {
        let pool = OwnedPool::builder()
            .max(8)
            .keep_if(|client: &mut Client| !client.is_closed()) // replaces lost connections
            .build(|| Client::connect("host=localhost user=app", NoTls));

        let sql = "SELECT title FROM book WHERE id = $1";
        let row = pool.call(move |client| client.query_one(sql, &[&id]))??;
        Ok(row)
    }

    #[rustfmt::skip]
    fn end_of_a_query(pool: OwnedPool<Client>, limit: Duration) -> Result {
        let (tokens, token) = fibra::sync::mpmc::bounded(1);
        let result = pool.call_timeout(limit, move |client| {
            let _ = tokens.send(client.cancel_token());
            client.simple_query("SELECT ..").map(drop)
        });
        if result.as_ref().is_err_and(|error| error.is_timeout()) {
            if let Ok(token) = token.try_recv() {
                fibra::blocking(move || token.cancel_query(NoTls))?;
            }
        }
        Ok(())
    }
}

mod with_redis {
    use super::*;
    use redis::{Commands, Connection, ConnectionLike};

    #[rustfmt::skip]
    fn recipe(n: u64) -> Result<u64> {
        let client = redis::Client::open("redis://127.0.0.1/")?;
        let pool = OwnedPool::builder()
            .max(8)
            .keep_if(|connection: &mut Connection| connection.check_connection()) // one `PING`
            .build(move || client.get_connection());

        let sum: u64 = pool.call(move |c| c.incr("sum", n))??;
        Ok(sum)
    }
}

/// Returns the blocks of code of the guide that rustdoc does not compile, without `//!`.
fn recipes(page: &str) -> Vec<Vec<&str>> {
    let mut lines = page.lines().filter_map(|line| line.strip_prefix("//!").map(str::trim_end));
    let mut found = Vec::new();
    while lines.any(|line| line == " ```ignore") {
        let block = lines.by_ref().take_while(|line| *line != " ```");
        found.push(block.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect());
    }
    found
}

/// Returns whether the lines of `block` stand in `program` one after another, all indented alike.
fn contains(program: &str, block: &[&str]) -> bool {
    let program: Vec<&str> =
        program.lines().map(|line| line.strip_prefix("        ").unwrap_or(line)).collect();
    program.windows(block.len()).any(|lines| lines == block)
}

#[test]
fn the_recipes_of_the_guide_compile() {
    let found = recipes(include_str!("../../../src/guide/blocking_databases.rs"));
    assert_eq!(found.len(), 6);
    for block in found {
        assert!(contains(include_str!("recipes.rs"), &block), "not here:\n{}", block.join("\n"));
    }
}
