//! A fiber-local is borrowed for the duration of a call.

fibra::local! {
    static NAME: String = String::from("local");
}

fn main() {
    fibra::run(|| {
        let escaped: &String = NAME.with(|name| name);
        println!("{escaped}");
    });
}
