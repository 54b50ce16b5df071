//! What comes back from a job that borrows cannot outlive what it borrows.

fn main() {
    fibra::run(|| {
        let kept = {
            let text = String::from("gone");
            fibra::blocking::uninterruptible(|| text.as_str())
        };
        println!("{kept}");
    });
}
