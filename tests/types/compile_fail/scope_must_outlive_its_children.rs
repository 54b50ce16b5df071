//! Variables in the body of a scope are dropped before the children end.

fn main() {
    fibra::run(|| {
        fibra::scope(|s| {
            let inner = String::from("too short");
            s.spawn(|| inner.len());
        });
    });
}
