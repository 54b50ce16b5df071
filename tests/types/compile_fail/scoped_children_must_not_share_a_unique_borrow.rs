//! Two children cannot both change one variable.

fn main() {
    fibra::run(|| {
        let mut count = 0;
        fibra::nursery(|n| {
            n.spawn(|| count += 1);
            n.spawn(|| count += 1);
        });
    });
}
