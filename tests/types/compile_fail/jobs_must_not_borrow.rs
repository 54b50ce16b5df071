//! A job whose fiber may leave it cannot borrow from the fiber.

fn main() {
    fibra::run(|| {
        let text = String::from("on the stack of a fiber");
        fibra::blocking(|| text.len());
    });
}
