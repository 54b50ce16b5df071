//! Values go in and out: neither type parameter may be exchanged for a shorter-lived one.

use fibra::generator::{Generator, Yielder};

fn out<'a>(long: Generator<&'static str>) -> Generator<&'a str> {
    long
}

fn within<'a>(long: Generator<(), &'static str>) -> Generator<(), &'a str> {
    long
}

fn lent<'y, 'a>(long: &'y Yielder<&'static str>) -> &'y Yielder<&'a str> {
    long
}

fn main() {
    let _ = (out, within, lent);
}
