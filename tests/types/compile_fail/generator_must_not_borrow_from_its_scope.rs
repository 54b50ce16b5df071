//! Variables inside the scope are gone when the scope closes the remaining generators.

fn main() {
    fibra::frame(|| {
        fibra::generator::scope(|s| {
            let local = String::from("local");
            s.iter(|y| y.yield_(&local)).next();
        });
    });
}
