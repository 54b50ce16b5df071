//! The interpreter: a scope is the moment from which it is cancelled, or until which it shields.

use super::op::{Child, End, Event, Op, Payload, Program, count};

/// A moment that never comes.
const NEVER: u64 = u64::MAX;

/// Returns the expected trace. `None` if two events whose order is not fixed have one moment.
pub(crate) fn predict(program: &Program) -> Option<Vec<(u64, Event)>> {
    let mut model = Model { kill: program.kill.unwrap_or(NEVER), ..Model::default() };
    model.foreign.extend(program.kill);
    let result = model.all(&program.ops, 0);
    let end = match result {
        Ok(()) => End::Returned,
        Err(_) if model.kill <= model.now => End::Killed,
        Err(_) => End::Panicked,
    };
    model.log(Event::Ended(end));
    (!model.is_ambiguous).then_some(model.trace)
}

#[derive(Copy, Clone, Debug)]
enum Scope {
    CancelledFrom(u64),
    ShieldedUntil(u64),
}

#[derive(Default)]
struct Model<'a> {
    now: u64,
    kill: u64,
    /// The innermost scope is the last. Scopes of suspended generators are not included.
    scopes: Vec<Scope>,
    generators: Vec<Generator<'a>>,
    /// The moments of actions of other fibers that this fiber has not seen yet.
    foreign: Vec<u64>,
    is_ambiguous: bool,
    trace: Vec<(u64, Event)>,
}

/// A running generator.
struct Generator<'a> {
    /// The number of scopes that belong to its caller.
    base: usize,
    /// The operations of the caller at the first yield, and the number of the first of them.
    then: Option<(&'a [Op], usize)>,
    /// The payload with which the caller unwound from these operations.
    failure: Option<Payload>,
}

type Outcome = Result<(), Payload>;

impl<'a> Model<'a> {
    fn log(&mut self, event: Event) {
        self.trace.push((self.now, event));
    }

    /// Returns the moment from which on a wait in the scopes up to `depth` is interrupted.
    fn interrupted_from(&self, depth: usize) -> u64 {
        self.scopes[..depth].iter().fold(self.kill, |from, scope| match *scope {
            Scope::CancelledFrom(at) => from.min(at),
            Scope::ShieldedUntil(at) => from.max(at),
        })
    }

    fn is_interrupted(&self) -> bool {
        self.interrupted_from(self.scopes.len()) <= self.now
    }

    /// Waits until `end`. The moments at which it might wake are `end` and those of the scopes.
    fn wait(&mut self, end: u64) -> Outcome {
        let from = self.interrupted_from(self.scopes.len());
        if from <= self.now {
            return Err(Payload::Cancel);
        }
        self.pass_to(from.min(end), &[end]);
        if from <= end { Err(Payload::Cancel) } else { Ok(()) }
    }

    /// Lets time pass until `at`. `own` are moments of the fiber itself.
    fn pass_to(&mut self, at: u64, own: &[u64]) {
        let own_scope = |scope: &Scope| match *scope {
            Scope::CancelledFrom(moment) | Scope::ShieldedUntil(moment) => moment == at,
        };
        let others = self.foreign.iter().filter(|&&moment| moment == at).count();
        // The scope of a nursery is cancelled by a child: that moment is in both lists.
        let from_child = self.scopes.iter().filter(|scope| own_scope(scope)).count();
        let mine = own.iter().filter(|&&moment| moment == at).count();
        self.is_ambiguous |= 1 < others || others == 1 && (mine != 0 || 1 < from_child);
        self.is_ambiguous |= others == 1 && from_child == 1 && self.kill == at;
        self.foreign.retain(|&moment| at < moment);
        self.now = at;
    }

    fn all(&mut self, ops: &'a [Op], mut number: usize) -> Outcome {
        for op in ops {
            self.one(op, number)?;
            number += op.count();
        }
        Ok(())
    }

    fn within(&mut self, scope: Scope, body: &'a [Op], number: usize) -> Outcome {
        self.scopes.push(scope);
        let result = self.all(body, number);
        self.scopes.pop();
        result
    }

    fn one(&mut self, op: &'a Op, number: usize) -> Outcome {
        let now = self.now;
        match op {
            Op::Sleep(0) => {
                if self.is_interrupted() {
                    return Err(Payload::Cancel);
                }
                self.log(Event::Slept(number));
            }
            Op::Sleep(millis) => {
                self.wait(now + millis)?;
                self.log(Event::Slept(number));
            }
            Op::Limit(millis, body) => self.limit(now + millis, body, number)?,
            Op::Shield(body) => {
                self.within(Scope::ShieldedUntil(NEVER), body, number + 1)?;
                self.log(Event::Unshielded(number));
            }
            Op::Grace(millis, body) => {
                self.within(Scope::ShieldedUntil(now + millis), body, number + 1)?;
                self.log(Event::Unshielded(number));
            }
            Op::Finally(body, then) => {
                let result = self.all(body, number + 1);
                self.log(Event::Cleaning(number));
                let then_at = number + 1 + count(body);
                self.within(Scope::ShieldedUntil(NEVER), then, then_at)?;
                result?;
            }
            Op::Catch(body) => match self.all(body, number + 1) {
                Ok(()) => {}
                Err(Payload::Exit) => return Err(Payload::Exit),
                Err(payload) => self.log(Event::Caught(number, payload)),
            },
            Op::Nursery(children, body) => self.nursery(children, body, number)?,
            Op::Generator(body, then) => self.generator(body, then, number)?,
            Op::Yield => self.yields(number)?,
            Op::Panic => return Err(Payload::Panic),
        }
        Ok(())
    }

    fn limit(&mut self, at: u64, body: &'a [Op], number: usize) -> Outcome {
        let result = self.within(Scope::CancelledFrom(at), body, number + 1);
        let is_over = at <= self.now && !self.is_interrupted();
        match result {
            Ok(()) => self.log(Event::InTime(number)),
            Err(Payload::Cancel) if is_over => self.log(Event::Elapsed(number)),
            other => return other,
        }
        Ok(())
    }

    fn nursery(&mut self, children: &[Child], body: &'a [Op], number: usize) -> Outcome {
        let ends = |child: &Child| self.now + child.sleeps;
        let failing = children.iter().filter(|child| child.fails);
        let fails_at = failing.map(ends).min().unwrap_or(NEVER);
        let all_end = children.iter().map(ends).max().unwrap_or(self.now).min(fails_at);
        let foreign: Vec<u64> = children.iter().map(ends).filter(|&at| at <= all_end).collect();
        self.foreign.extend(&foreign);
        let result = self.within(Scope::CancelledFrom(fails_at), body, number + 1);
        let mut is_cut_short = false;
        if result.is_ok() && self.now < all_end {
            let from = self.interrupted_from(self.scopes.len());
            is_cut_short = from < all_end;
            let until = from.clamp(self.now, all_end);
            // One moment at a time: the others wake the fiber, which then waits again.
            self.pass_to(until, &[]);
            self.is_ambiguous |= from == all_end;
        }
        // The remaining children are killed.
        for at in foreign.iter().filter(|&&at| self.now < at) {
            let place = self.foreign.iter().position(|moment| moment == at);
            place.map(|place| self.foreign.swap_remove(place));
        }
        let has_failed = fails_at <= self.now && !is_cut_short;
        match result {
            Err(Payload::Cancel) if has_failed && !self.is_interrupted() => {
                return Err(Payload::Panic);
            }
            Err(payload) => return Err(payload),
            Ok(()) if has_failed => return Err(Payload::Panic),
            Ok(()) if is_cut_short => return Err(Payload::Cancel),
            Ok(()) => self.log(Event::Left(number)),
        }
        Ok(())
    }

    fn generator(&mut self, body: &'a [Op], then: &'a [Op], number: usize) -> Outcome {
        let then = Some((then, number + 1 + count(body)));
        self.generators.push(Generator { base: self.scopes.len(), then, failure: None });
        let result = self.all(body, number + 1);
        let failure = self.generators.pop().and_then(|generator| generator.failure);
        self.log(Event::Closed(number));
        match failure {
            Some(payload) => Err(payload),
            None => result,
        }
    }

    fn yields(&mut self, number: usize) -> Outcome {
        let Some(mut generator) = self.generators.pop() else { return Ok(()) };
        if generator.failure.is_some() {
            self.generators.push(generator);
            return Err(Payload::Exit);
        }
        if let Some((then, then_at)) = generator.then.take() {
            let own = self.scopes.split_off(generator.base);
            generator.failure = self.all(then, then_at).err();
            self.scopes.extend(own);
        }
        let fails = generator.failure.is_some();
        self.generators.push(generator);
        if fails {
            return Err(Payload::Exit);
        }
        self.log(Event::Resumed(number));
        Ok(())
    }
}
