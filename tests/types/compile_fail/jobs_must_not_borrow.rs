//! A job that its fiber may leave cannot borrow from it.

fn main() {
    fibra::run(|| {
        let text = String::from("on the stack of a fiber");
        fibra::blocking(|| text.len());
    });
}
