//! The screen: an actor that watches and draws.

use crate::messages::{Actor, HEIGHT, Kind, News, Place, View, WIDTH, World};
use std::io::{self, Write};

/// Draws each tick if `animated`, and prints the events otherwise.
pub(crate) fn run((world, animated): (World, bool)) {
    let me = Actor::join(&world, Kind::Spectator, (0, 0));
    let mut told: Vec<String> = Vec::new();
    if animated {
        print!("\x1b[2J"); // Clears the screen.
    }
    for news in me.inbox.iter() {
        let News::Tick(_, view) = news else { continue };
        for event in &view.events {
            told.push(format!("tick {:3}: {event}", view.tick));
        }
        if animated {
            let last = &told[told.len().saturating_sub(5)..];
            let lines: String = last.iter().map(|line| format!("{line}\x1b[K\n")).collect();
            // From the top left corner on; then clears what is below.
            print!("\x1b[H{}{lines}\x1b[J", picture(&view));
            let _ = io::stdout().flush();
        } else {
            told.drain(..).for_each(|line| println!("{line}"));
        }
    }
}

pub(crate) fn picture(view: &View) -> String {
    let mut cells = vec![vec![' '; WIDTH as usize]; HEIGHT as usize];
    let mut put = |(x, y): Place, glyph| {
        if (0..WIDTH).contains(&x) && (0..HEIGHT).contains(&y) {
            cells[y as usize][x as usize] = glyph;
        }
    };
    for body in &view.bodies {
        let (x, y) = body.at;
        match body.kind {
            Kind::Robot(letter) => put(body.at, letter),
            Kind::Dropper => put(body.at, '&'),
            Kind::Mine => put(body.at, 'o'),
            Kind::Explosion => (0..9).for_each(|i| put((x + i % 3 - 1, y + i / 3 - 1), '*')),
            Kind::Spectator => {}
        }
    }
    let edge = format!("+{}+\n", "-".repeat(WIDTH as usize));
    let rows = cells.into_iter().map(|row| format!("|{}|\n", String::from_iter(row)));
    format!("{edge}{}{edge}", rows.collect::<String>())
}
