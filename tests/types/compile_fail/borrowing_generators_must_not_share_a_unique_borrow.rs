//! A suspended generator keeps what it borrows.

fn main() {
    fibra::frame(|| {
        let mut count = 0;
        fibra::generator::scope(|s| {
            let mut one = s.iter(|y| {
                count += 1;
                y.yield_(());
            });
            one.next();
            count += 1;
            one.next();
        });
    });
}
