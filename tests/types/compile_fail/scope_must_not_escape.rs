//! A scope must not be kept for later: no call would wait for fibers that are spawned then.

fn main() {
    fibra::run(|| {
        let mut kept = None;
        fibra::scope(|s| kept = Some(s));
        kept.unwrap().spawn(|| 1);
    });
}
