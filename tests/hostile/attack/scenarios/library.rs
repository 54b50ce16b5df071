//! Scenarios in methods that the library calls on types it is given, such as hashers.

use std::hash::{Hash, Hasher};

use super::{Scenario, scenario};
use crate::attack::stage::strike;

/// Strikes when it is written to.
struct Hashes;

impl Hasher for Hashes {
    fn finish(&self) -> u64 {
        0
    }

    fn write(&mut self, _bytes: &[u8]) {
        strike();
    }
}

pub(super) const SCENARIOS: &[Scenario] = &[
    scenario("hash: the hasher of a fiber's number", "hashed", |_| {
        fibra::current().id().hash(&mut Hashes);
        "hashed".into()
    }),
    scenario("hash: the hasher of a tasklet", "hashed", |_| {
        fibra::stackless::getcurrent().hash(&mut Hashes);
        "hashed".into()
    }),
    #[cfg(feature = "greenlet")]
    scenario("hash: the hasher of a greenlet", "hashed", |_| {
        fibra::greenlet::main::<u32>().hash(&mut Hashes);
        "hashed".into()
    }),
];
