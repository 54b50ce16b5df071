//! The order in which fibers are shown.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use crate::model::{Fiber, Picture};

#[derive(Copy, Clone, Debug, Eq, PartialEq)]
pub enum Order {
    Tree,
    LongestWait,
    LargestStack,
    State,
}

impl Order {
    pub fn after(order: Order) -> Order {
        match order {
            Order::Tree => Order::LongestWait,
            Order::LongestWait => Order::LargestStack,
            Order::LargestStack => Order::State,
            Order::State => Order::Tree,
        }
    }
}

impl Picture {
    /// Returns the fibers in whose line `filter` occurs, each with its depth in the tree.
    pub fn rows(&self, order: Order, filter: &str) -> Vec<(usize, &Fiber)> {
        let mut rows = match order {
            Order::Tree => self.tree(),
            _ => self.fibers.iter().map(|fiber| (0, fiber)).collect(),
        };
        match order {
            Order::Tree => {}
            Order::LongestWait => rows.sort_by_key(|row| Reverse(row.1.waiting)),
            Order::LargestStack => rows.sort_by_key(|row| Reverse(row.1.stack)),
            Order::State => {
                rows.sort_by(|a, b| (&a.1.state, &a.1.wait).cmp(&(&b.1.state, &b.1.wait)))
            }
        }
        rows.retain(|(_, fiber)| fiber.line().contains(filter));
        rows
    }

    fn tree(&self) -> Vec<(usize, &Fiber)> {
        let known: HashSet<_> = self.fibers.iter().map(|fiber| fiber.id).collect();
        let mut children: HashMap<Option<(u64, u64)>, Vec<&Fiber>> = HashMap::new();
        for fiber in self.fibers.iter().rev() {
            let parent = fiber.parent.filter(|parent| known.contains(parent));
            children.entry(parent).or_default().push(fiber);
        }
        let roots = children.remove(&None).unwrap_or_default();
        let mut waiting: Vec<_> = roots.into_iter().map(|fiber| (0, fiber)).collect();
        let mut rows = Vec::new();
        while let Some((depth, fiber)) = waiting.pop() {
            rows.push((depth, fiber));
            let below = children.remove(&Some(fiber.id)).unwrap_or_default();
            waiting.extend(below.into_iter().map(|fiber| (depth + 1, fiber)));
        }
        rows
    }
}
