//! The types that can be given as the URL of a request.

use url::Url;

use crate::http::client::error::Error;

/// A URL, or a text that is parsed as one.
///
/// The methods of [`Client`](crate::http::Client) take it. Other crates cannot implement it.
pub trait IntoUrl: sealed::Sealed {}

impl<T: sealed::Sealed> IntoUrl for T {}

pub(super) mod sealed {
    use super::{Error, Url};

    pub trait Sealed {
        #[doc(hidden)]
        fn into_url(self) -> Result<Url, Error>;
    }
}

impl sealed::Sealed for Url {
    fn into_url(self) -> Result<Url, Error> {
        Ok(self)
    }
}

impl sealed::Sealed for &Url {
    fn into_url(self) -> Result<Url, Error> {
        Ok(self.clone())
    }
}

impl sealed::Sealed for &str {
    fn into_url(self) -> Result<Url, Error> {
        Url::parse(self).map_err(|error| {
            let hint = if error == url::ParseError::RelativeUrlWithoutBase {
                ": write the scheme and the host, as in http://localhost/"
            } else {
                ""
            };
            // What stands before an `@` may be a password.
            let shown = if self.contains('@') { "the text" } else { &*format!("{self:?}") };
            Error::builder(format!("{shown} is not a URL: {error}{hint}")).because(error)
        })
    }
}

impl sealed::Sealed for String {
    fn into_url(self) -> Result<Url, Error> {
        self.as_str().into_url()
    }
}

impl sealed::Sealed for &String {
    fn into_url(self) -> Result<Url, Error> {
        self.as_str().into_url()
    }
}
