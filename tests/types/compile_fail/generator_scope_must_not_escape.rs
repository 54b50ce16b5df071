//! A generator that is made in a scope that was left would never be closed.

fn main() {
    let word = String::from("word");
    fibra::frame(|| {
        let mut kept = None;
        fibra::generator::scope(|s| kept = Some(s));
        kept.unwrap().iter(|y| y.yield_(word.len())).next();
    });
}
