//! A view of the fibers of another program, in a terminal: it connects to the socket that
//! `RuntimeBuilder::inspect` has opened, asks for `json`, and draws the fibers as a tree.
//!
//! ```text
//! $ cargo run --release --manifest-path tests/crates/Cargo.toml --example inspect -- SOCKET
//!     [--once]       prints one frame, 120 columns wide, and ends
//!     [--html FILE]  writes one page that needs no other file, and ends
//! ```
//!
//! Keys: `s` changes the order (tree, longest wait, largest stack, state), `/` types a filter (a
//! part of a line), the arrows scroll, `space` stops the refreshing, `q` ends.

mod model;
mod order;
mod page;
mod view;

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind};

use model::Picture;
use order::Order;
use view::View;

const REFRESH: Duration = Duration::from_secs(1);

/// The width of a frame that is printed.
const WIDTH: u16 = 120;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: inspect SOCKET [--once | --html FILE]";
    let socket = PathBuf::from(arguments.next().ok_or(usage)?);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => watch(&socket),
        (Some("--once"), None) => {
            print!("{}", one_frame(&View::of(Picture::ask(&socket)?))?);
            Ok(())
        }
        (Some("--html"), Some(file)) => {
            std::fs::write(file, page::of(&Picture::ask(&socket)?))?;
            Ok(())
        }
        _ => Err(usage.into()),
    }
}

/// Draws a frame that is high enough for all fibers, and returns it as text.
fn one_frame(view: &View) -> Result<String, Box<dyn Error>> {
    let height = view.height().min(1000);
    let mut terminal = Terminal::new(TestBackend::new(WIDTH, height))?;
    terminal.draw(|frame| view.draw(frame))?;
    let buffer = terminal.backend().buffer();
    let lines = buffer.content().chunks(WIDTH.into()).map(|row| {
        let line: String = row.iter().map(|cell| cell.symbol()).collect();
        line.trim_end().to_owned() + "\n"
    });
    Ok(lines.collect())
}

/// Draws the view again and again, until `q`.
fn watch(socket: &PathBuf) -> Result<(), Box<dyn Error>> {
    let mut view = View::of(Picture::ask(socket)?);
    let mut terminal = ratatui::init();
    let result = loop {
        if let Err(error) = terminal.draw(|frame| view.draw(frame)) {
            break Err(error.into());
        }
        match wait_for_key(&mut view) {
            Ok(true) => break Ok(()),
            Ok(false) => {}
            Err(error) => break Err(error.into()),
        }
        if !view.is_stopped {
            match Picture::ask(socket) {
                Ok(picture) => view.picture = picture,
                Err(error) => view.picture.problem = Some(format!("no answer: {error}")),
            }
        }
    };
    ratatui::restore();
    result
}

/// Waits for a key until the next refresh. Returns whether the view ends.
fn wait_for_key(view: &mut View) -> std::io::Result<bool> {
    if !event::poll(REFRESH)? {
        return Ok(false);
    }
    let Event::Key(key) = event::read()? else { return Ok(false) };
    if key.kind != KeyEventKind::Press {
        return Ok(false);
    }
    match (key.code, view.types_filter) {
        (KeyCode::Enter | KeyCode::Esc, true) => view.types_filter = false,
        (KeyCode::Backspace, true) => _ = view.filter.pop(),
        (KeyCode::Char(letter), true) => view.filter.push(letter),
        (KeyCode::Char('q') | KeyCode::Esc, false) => return Ok(true),
        (KeyCode::Char('/'), false) => view.types_filter = true,
        (KeyCode::Char(' '), false) => view.is_stopped = !view.is_stopped,
        (KeyCode::Char('s'), false) => view.order = Order::after(view.order),
        (KeyCode::Down, _) => view.top = view.top.saturating_add(1),
        (KeyCode::Up, _) => view.top = view.top.saturating_sub(1),
        (KeyCode::PageDown, _) => view.top = view.top.saturating_add(20),
        (KeyCode::PageUp, _) => view.top = view.top.saturating_sub(20),
        _ => {}
    }
    Ok(false)
}
