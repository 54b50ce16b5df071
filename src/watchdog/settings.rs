//! The limit of a hold: from the builder of a runtime, the environment, or the profile.

#![forbid(unsafe_code)]

use std::sync::OnceLock;
use std::time::Duration;

/// The limit in builds with debug assertions.
const IN_DEBUG_BUILDS: Duration = Duration::from_millis(100);

/// The variable that sets the limit of runtimes whose builder sets none.
const VARIABLE: &str = "FIBRA_HOG_LIMIT";

/// The shortest limit: a shorter one would make the watchdog look all the time.
const SHORTEST: Duration = Duration::from_millis(1);

/// The time for which a fiber may hold its scheduler before it is reported.
#[derive(Copy, Clone, Debug, Default)]
pub(crate) enum Limit {
    /// That of the environment, or else of the profile.
    #[default]
    Unset,
    /// No limit.
    Off,
    After(Duration),
}

impl Limit {
    /// Returns the limit that a builder was given: zero is none.
    pub(crate) fn of(limit: Duration) -> Limit {
        if limit.is_zero() { Limit::Off } else { Limit::After(limit.max(SHORTEST)) }
    }

    /// Returns the limit, or `None` if there is none.
    pub(crate) fn get(self) -> Option<Duration> {
        match self {
            Limit::After(limit) => Some(limit),
            Limit::Off => None,
            Limit::Unset => default_limit(),
        }
    }
}

fn default_limit() -> Option<Duration> {
    static DEFAULT: OnceLock<Option<Duration>> = OnceLock::new();
    *DEFAULT.get_or_init(|| {
        let set = std::env::var(VARIABLE).ok().and_then(|text| parsed(&text));
        // The crate is compiled with the profile of the program that uses it.
        let of_profile = Limit::After(IN_DEBUG_BUILDS);
        set.unwrap_or(if cfg!(debug_assertions) { of_profile } else { Limit::Off }).get()
    })
}

/// Returns the limit that `text` sets: a number of milliseconds, or `off`. A text that is neither
/// sets none.
fn parsed(text: &str) -> Option<Limit> {
    let text = text.trim();
    if text == "off" {
        return Some(Limit::Off);
    }
    let millis = text.strip_suffix("ms").unwrap_or(text).trim_end();
    millis.parse().ok().map(|millis| Limit::of(Duration::from_millis(millis)))
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_a_number_of_milliseconds_or_off() {
        let limit = |text| parsed(text).map(Limit::get);
        assert_eq!(limit("250"), Some(Some(Duration::from_millis(250))));
        assert_eq!(limit(" 20 ms "), Some(Some(Duration::from_millis(20))));
        assert_eq!(limit("off"), Some(None));
        assert_eq!(limit("0"), Some(None));
        assert_eq!((limit("soon"), limit(""), limit("-3")), (None, None, None));
        assert_eq!(Limit::of(Duration::from_nanos(1)).get(), Some(SHORTEST));
    }
}
