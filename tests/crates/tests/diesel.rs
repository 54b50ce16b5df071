//! diesel in fibers, with SQLite: a connection with a thread of its own. PostgreSQL and MySQL are
//! used in the same way.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use fibra::blocking::Owned;
use std::error::Error;

diesel::table! {
    books {
        id -> Integer,
        title -> Text,
    }
}

#[derive(Queryable, Selectable, Insertable, Debug, PartialEq)]
#[diesel(table_name = books)]
struct Book {
    id: i32,
    title: String,
}

fn open() -> Result<SqliteConnection, Box<dyn Error + Send + Sync>> {
    let mut connection = SqliteConnection::establish(":memory:")?;
    connection.batch_execute("CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL)")?;
    Ok(connection)
}

#[test]
fn one_connection_serves_many_fibers() -> Result<(), Box<dyn Error + Send + Sync>> {
    let database = Owned::try_new(open)?;
    fibra::run(|| {
        fibra::scope(|s| {
            for id in 0..20 {
                let database = &database;
                s.spawn(move || {
                    let book = Book { id, title: format!("volume {id}") };
                    let insert = move |connection: &mut SqliteConnection| {
                        diesel::insert_into(books::table).values(&book).execute(connection)
                    };
                    assert_eq!(database.call(insert).unwrap().unwrap(), 1);
                });
            }
        });
        let seventh = database.call(|connection| {
            books::table.find(7).select(Book::as_select()).first(connection)
        })??;
        assert_eq!(seventh, Book { id: 7, title: "volume 7".into() });
        Ok(())
    })
}

#[test]
fn a_transaction_is_one_call() -> Result<(), Box<dyn Error + Send + Sync>> {
    let database = Owned::try_new(open)?;
    fibra::run(|| {
        let fails = database.call(|connection| {
            connection.transaction(|connection| {
                let book = Book { id: 1, title: "lost".into() };
                diesel::insert_into(books::table).values(&book).execute(connection)?;
                Err::<(), _>(diesel::result::Error::RollbackTransaction)
            })
        })?;
        assert_eq!(fails, Err(diesel::result::Error::RollbackTransaction));
        // A call that borrows: its fiber does not leave before it is over.
        let titles = ["one", "two"];
        let inserted = database.call_uninterruptible(|connection| {
            let rows: Vec<_> = titles.iter().map(|title| books::title.eq(*title)).collect();
            diesel::insert_into(books::table).values(&rows).execute(connection)
        })??;
        assert_eq!(inserted, 2);
        let count: i64 =
            database.call(|connection| books::table.count().get_result(connection))??;
        assert_eq!(count, 2);
        Ok(())
    })
}
