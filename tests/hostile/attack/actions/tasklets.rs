//! Actions that use the façade for tasklets.

use std::rc::Rc;

use fibra::stackless::{self, Channel, Run, TaskletExit};

use super::{Action, disturbs, quiet, unwinds};
use crate::attack::ledger::Counted;
use crate::attack::stage::{OnDrop, Stage};

pub(super) const ACTIONS: &[Action] = &[
    quiet("schedules", |_| stackless::schedule()),
    quiet("leaves the ring and is put back", |_| {
        let me = stackless::getcurrent();
        let inserts = OnDrop(move || drop(me.insert()));
        drop(fibra::spawn(move || drop(inserts)));
        drop(stackless::schedule_remove());
    }),
    quiet("makes a tasklet", |_| {
        let value = Counted::new("a tasklet's argument");
        stackless::tasklet(drop::<Counted>).setup(value);
    }),
    quiet("runs a tasklet", |_| {
        let value = Counted::new("a tasklet's argument");
        let tasklet = stackless::tasklet(|value: Counted| {
            stackless::schedule();
            drop(value);
        })
        .bind(value);
        drop(tasklet.run());
    }),
    quiet("drops a paused tasklet", |_| {
        let tasklet = stackless::spawn(|| {
            let _counted = Counted::new("in a paused tasklet");
            stackless::schedule_remove();
        });
        stackless::schedule();
        drop(tasklet);
    }),
    quiet("drops a tasklet that has not started", |_| {
        let value = Counted::new("a tasklet's argument");
        drop(stackless::tasklet(drop::<Counted>).bind(value));
    }),
    disturbs("runs the others with a limit", |_| {
        let _ = Run::new().ticks(3).run();
    }),
    quiet("leaves itself a tempval", |_| {
        let me = stackless::getcurrent();
        me.set_tempval(Some(Box::new(Counted::new("a tempval"))));
    }),
    quiet("meets at a channel of tasklets", |_| {
        let channel = Channel::new();
        let sender = channel.clone();
        stackless::spawn(move || drop(sender.send(Counted::new("a message"))));
        drop(channel.receive());
    }),
    quiet("lets a tasklet wait at a channel", |_| {
        let channel = Channel::new();
        stackless::spawn(move || drop(channel.send(Counted::new("never received"))));
    }),
    // A trap applies to the whole thread.
    disturbs("traps switches for a while", |_| {
        let _trap = stackless::switch_trapped();
        fibra::yield_now();
    }),
    quiet("is atomic for a while", |_| {
        let _atomic = stackless::atomic();
        stackless::schedule();
    }),
    disturbs("takes the callbacks away", |_| {
        drop(stackless::set_channel_callback(None));
        drop(stackless::set_schedule_callback(None));
        drop(stackless::set_error_handler(None));
    }),
    disturbs("throws at the tasklets", |stage: &Rc<Stage>| {
        for tasklet in stage.tasklets() {
            drop(tasklet.throw(Counted::new("thrown")));
        }
    }),
    disturbs("throws at the tasklets, for later", |stage: &Rc<Stage>| {
        for tasklet in stage.tasklets() {
            drop(tasklet.throw_pending(Counted::new("thrown")));
        }
    }),
    disturbs("kills the tasklets", |stage: &Rc<Stage>| {
        for tasklet in stage.tasklets() {
            drop(tasklet.kill());
        }
    }),
    disturbs("kills the tasklets, for later", |stage: &Rc<Stage>| {
        for tasklet in stage.tasklets() {
            drop(tasklet.kill_pending());
        }
    }),
    disturbs("throws at main", |_| {
        drop(stackless::getmain().throw_pending(Counted::new("thrown at main")));
    }),
    unwinds("throws at itself", |_| {
        drop(stackless::getcurrent().throw(Counted::new("thrown at itself")));
    }),
    disturbs("throws at itself from afar", |_| {
        drop(stackless::getcurrent().remote().throw(Counted::new("thrown from afar")));
        fibra::yield_now();
    }),
    disturbs("has another throw at it", |_| {
        let me = stackless::getcurrent();
        drop(fibra::spawn(move || drop(me.throw(Counted::new("thrown at the one who waits")))));
        fibra::sleep(std::time::Duration::from_millis(1));
    }),
    disturbs("leaves the ring for good", |stage: &Rc<Stage>| {
        stage.know_tasklet(&stackless::getcurrent());
        drop(stackless::schedule_remove());
    }),
    disturbs("takes the tasklets out of the ring", |stage: &Rc<Stage>| {
        for tasklet in stage.tasklets() {
            drop(tasklet.remove());
        }
    }),
    unwinds("asks itself to end", |_| std::panic::resume_unwind(Box::new(TaskletExit))),
];
