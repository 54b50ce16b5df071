//! A yielder is invalid after the end of its generator.

use fibra::generator::{self, Yielder};

fn main() {
    let mut kept: Option<&Yielder<u32>> = None;
    fibra::frame(|| {
        generator::scope(|s| s.iter(|y: &Yielder<u32>| kept = Some(y)).next());
    });
    kept.unwrap().yield_(1);
}
