//! The result of a job that borrows cannot outlive what the job borrows.

fn main() {
    fibra::run(|| {
        let kept = {
            let text = String::from("gone");
            fibra::blocking::uninterruptible(|| text.as_str())
        };
        println!("{kept}");
    });
}
