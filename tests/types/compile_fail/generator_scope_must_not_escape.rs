//! Nobody would close what is made in a scope that was left.

fn main() {
    let word = String::from("word");
    fibra::frame(|| {
        let mut kept = None;
        fibra::generator::scope(|s| kept = Some(s));
        kept.unwrap().iter(|y| y.yield_(word.len())).next();
    });
}
