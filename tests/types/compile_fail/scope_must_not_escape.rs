//! A scope must not be kept for later: nobody would wait for what is spawned then.

fn main() {
    fibra::run(|| {
        let mut kept = None;
        fibra::scope(|s| kept = Some(s));
        kept.unwrap().spawn(|| 1);
    });
}
