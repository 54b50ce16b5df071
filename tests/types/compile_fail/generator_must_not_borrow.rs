//! A generator without a scope may outlive the frame that made it.

fn main() {
    fibra::frame(|| {
        let local = String::from("local");
        fibra::generator::iter(|y| y.yield_(local.len())).next();
    });
}
