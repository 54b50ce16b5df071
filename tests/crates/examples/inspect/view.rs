//! One frame: the counters, then a table of fibers.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Cell, Paragraph, Row, Table};

use crate::model::Picture;
use crate::order::Order;

pub struct View {
    pub picture: Picture,
    pub order: Order,
    pub filter: String,
    pub types_filter: bool,
    pub is_stopped: bool,
    /// The number of rows above the first one that is shown.
    pub top: usize,
}

impl View {
    pub fn of(picture: Picture) -> View {
        View {
            picture,
            order: Order::Tree,
            filter: String::new(),
            types_filter: false,
            is_stopped: false,
            top: 0,
        }
    }

    /// Returns the height of a frame with all fibers.
    pub fn height(&self) -> u16 {
        let lines = self.picture.schedulers.len() + self.picture.fibers.len() + 4;
        u16::try_from(lines).unwrap_or(u16::MAX)
    }

    pub fn draw(&self, frame: &mut Frame<'_>) {
        let head = u16::try_from(self.picture.schedulers.len()).unwrap_or(8).min(8) + 2;
        let parts = [Constraint::Length(head), Constraint::Min(1)];
        let [top, rest] = Layout::vertical(parts).areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), top);
        let rows = self.picture.rows(self.order, &self.filter);
        let shown = rows.iter().skip(self.top.min(rows.len().saturating_sub(1)));
        let rows = shown.map(|(depth, fiber)| {
            Row::new([
                Cell::from(format!("{}{}", "  ".repeat(*depth), fiber.title)),
                Cell::from(fiber.state.clone()).style(color_of(&fiber.state)),
                Cell::from(format!("{:.1?}", fiber.waiting)),
                Cell::from(format!("{} B", fiber.stack)),
                Cell::from(fiber.wait.clone()),
                Cell::from(fiber.spawned.clone()),
            ])
        });
        let widths = [
            Constraint::Length(24),
            Constraint::Length(8),
            Constraint::Length(7),
            Constraint::Length(8),
            Constraint::Fill(1),
            Constraint::Length(18),
        ];
        let titles = ["fiber", "state", "waits", "stack", "for what, and where", "spawned at"];
        let header = Row::new(titles).style(Style::new().bold().reversed());
        frame.render_widget(Table::new(rows, widths).header(header), rest);
    }

    fn head(&self) -> Vec<Line<'_>> {
        let counts = self.picture.states().into_iter();
        let counts: Vec<_> = counts.map(|(state, count)| format!("{count} {state}")).collect();
        let mut lines = vec![
            Line::from(format!("{} fibers: {}", self.picture.fibers.len(), counts.join(", ")))
                .bold(),
        ];
        for (title, counters) in self.picture.schedulers.iter().take(8) {
            let of = |name: &str| {
                let found = counters.iter().find(|(counter, _)| counter == name);
                found.map_or("?".to_owned(), |(_, value)| value.to_string())
            };
            let text = format!(
                "{title}: {} spawned, {} switches, {} runnable, {} timers, {} idle stacks",
                of("spawned"),
                of("switches"),
                of("runnable"),
                of("timers"),
                of("stacks_idle"),
            );
            lines.push(Line::from(text));
        }
        let filter = if self.types_filter { "_" } else { "" };
        let stopped = if self.is_stopped { ", stopped" } else { "" };
        let problem = self.picture.problem.as_deref().unwrap_or("");
        let keys = "s: order, /: filter, space: stop, q: quit";
        lines.push(Line::from(format!(
            "order: {:?}, filter: {}{filter}{stopped}  ({keys}) {problem}",
            self.order, self.filter
        )));
        lines
    }
}

fn color_of(state: &str) -> Style {
    let color = match state {
        "running" => Color::Green,
        "runnable" => Color::Yellow,
        "abandoned" => Color::Red,
        "not started" => Color::Blue,
        _ => Color::Reset,
    };
    Style::new().fg(color)
}
