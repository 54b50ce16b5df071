//! A handle outside of the scope could resume what borrows from it.

fn main() {
    fibra::frame(|| {
        let mut kept = None;
        fibra::generator::scope(|s| kept = Some(s.iter(|y| y.yield_(1))));
        kept.unwrap().next();
    });
}
