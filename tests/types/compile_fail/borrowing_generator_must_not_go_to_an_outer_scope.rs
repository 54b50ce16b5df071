//! The fibers of an outer scope may outlive the generators of an inner one.

fn main() {
    fibra::run(|| {
        fibra::scope(|fibers| {
            fibra::generator::scope(|s| {
                let mut one = s.iter(|y| y.yield_(1));
                fibers.spawn(move || one.next());
            });
        });
    });
}
