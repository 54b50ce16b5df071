//! Tests making, binding and running tasklets.

mod support;

use fibra::stackless;
use support::{check, log};

/// T01.
#[test]
fn tasklets_run_in_the_order_in_which_they_were_set_up() {
    fibra::run(|| {
        stackless::tasklet(log).setup("A");
        stackless::spawn(|| log("B"));
        stackless::schedule();
        log("m");
    });
    check("A B m");
}
