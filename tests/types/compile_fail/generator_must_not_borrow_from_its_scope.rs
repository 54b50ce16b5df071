//! What lies inside the scope is gone when the scope closes what is left.

fn main() {
    fibra::frame(|| {
        fibra::generator::scope(|s| {
            let local = String::from("local");
            s.iter(|y| y.yield_(&local)).next();
        });
    });
}
