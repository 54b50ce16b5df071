//! The client over TLS: who the server is, and HTTP/2 where it has that.

use std::error::Error as _;

use fibra::http::{Client, ClientBuilder, Http};
use fibra::tls::rustls;
use rustls::ServerConfig;

use crate::client_help::{Site, builder, redirect, say};
use crate::support::net::soon;
use crate::support::tls::{self, acceptor, identity, localhost, server_config};

/// Starts a server of HTTP/1 over TLS.
fn site(config: ServerConfig) -> Site {
    let acceptor = acceptor(config);
    Site::scripted(move |_, stream| {
        let Ok(stream) = acceptor.accept(stream) else { return };
        let resumed = stream.handshake_kind() == Some(rustls::HandshakeKind::Resumed);
        let handler = move |request: crate::client_help::Asked| match request.uri().path() {
            "/down" => redirect(302, "http://127.0.0.1:1/"),
            path => say(format!("{path} {resumed}")),
        };
        drop(Http::new().serve_connection(stream, handler));
    })
}

fn url(site: &Site, path: &str) -> String {
    format!("https://localhost:{}{path}", site.address.port())
}

fn trusting() -> ClientBuilder {
    builder().tls_config(tls::client_config())
}

fn client() -> Client {
    trusting().build().unwrap()
}

#[test]
fn https_works_and_its_connections_are_kept() {
    fibra::run(|| {
        let (site, client) = (site(server_config(localhost())), client());
        for _ in 0..3 {
            let response = soon(|| client.get(url(&site, "/a")).send().unwrap());
            assert_eq!(response.remote_addr(), Some(site.address));
            assert_eq!(response.text().unwrap(), "/a false");
        }
        assert_eq!(site.connections.get(), 1);
    });
}

#[test]
fn later_connections_resume_the_session() {
    fibra::run(|| {
        let site = site(server_config(localhost()));
        let client = trusting().pool_max_idle_per_host(0).build().unwrap();
        for resumed in ["/ false", "/ true"] {
            let response = client.get(url(&site, "/")).send().unwrap();
            assert_eq!(response.text().unwrap(), resumed);
        }
    });
}

#[test]
fn a_server_that_cannot_prove_its_name_gets_no_request() {
    fibra::run(|| {
        let unknown = rcgen::generate_simple_self_signed(["localhost".into()]).unwrap();
        let key =
            rustls::pki_types::PrivateKeyDer::Pkcs8(unknown.signing_key.serialize_der().into());
        let unknown = tls::Identity { chain: vec![unknown.cert.der().clone()], key };
        let expired = identity("localhost", |params| {
            params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        });
        let table = [
            (unknown, "invalid peer certificate"),
            (expired, "invalid peer certificate: certificate expired"),
            (identity("elsewhere.test", |_| ()), "not valid for name"),
        ];
        for (identity, text) in table {
            let site = site(server_config(identity));
            let error = soon(|| client().get(url(&site, "/")).send().unwrap_err());
            assert!(error.is_connect(), "{error:?}");
            assert!(error.to_string().contains(text), "{error}");
            assert!(!error.is_transient(), "{error:?}");
            let trusts = error.to_string().contains("to trust its issuer, use");
            assert_eq!(trusts, text == "invalid peer certificate", "{error}");
            let io = error.source().unwrap().downcast_ref::<std::io::Error>().unwrap();
            assert!(tls::tls_error(io).to_string().contains(text), "{error:?}");
        }
    });
}

#[test]
fn a_server_without_tls_is_a_failure_to_connect() {
    fibra::run(|| {
        let plain = Site::new(|_| say("plain"));
        let error = soon(|| client().get(url(&plain, "/")).send().unwrap_err());
        assert!(error.is_connect(), "{error:?}");
    });
}

#[test]
fn a_server_that_never_finishes_its_handshake_is_given_up() {
    fibra::run(|| {
        let silent = Site::scripted(|_, stream| {
            let _stream = stream;
            fibra::park();
        });
        let limit = crate::support::ms(20);
        let client = trusting().connect_timeout(limit).build().unwrap();
        assert!(client.get(url(&silent, "/")).send().unwrap_err().is_timeout());
        let client = trusting().timeout(limit).build().unwrap();
        assert!(client.get(url(&silent, "/")).send().unwrap_err().is_timeout());
    });
}

#[test]
fn a_client_may_prove_its_own_name() {
    fibra::run(|| {
        let site = site(tls::strict_server_config(localhost()));
        let config = tls::client_config_with(identity("client.test", |_| ()));
        let known = builder().tls_config(config).build().unwrap();
        assert_eq!(known.get(url(&site, "/")).send().unwrap().text().unwrap(), "/ false");
        assert!(soon(|| client().get(url(&site, "/")).send().is_err()));
    });
}

#[test]
#[cfg(feature = "https")]
fn a_certificate_may_be_trusted_beside_those_of_the_system() {
    fibra::run(|| {
        let authority = || tls::AUTHORITY.as_ref().der().clone();
        let site = site(server_config(localhost()));
        let client = builder().add_root_certificate(authority()).build().unwrap();
        let response = soon(|| client.get(url(&site, "/")).send().unwrap());
        assert_eq!(response.text().unwrap(), "/ false");

        let both = trusting().add_root_certificate(authority()).build().unwrap_err();
        assert!(both.is_builder() && both.to_string().contains("exclude each other"), "{both}");
        let junk = builder().add_root_certificate(vec![1, 2, 3].into()).build().unwrap_err();
        assert!(junk.is_builder() && junk.to_string().contains("not valid"), "{junk}");
    });
}

#[test]
#[cfg(feature = "https")]
fn the_certificates_of_the_system_do_not_include_that_of_this_test() {
    fibra::run(|| {
        let site = site(server_config(localhost()));
        let error = soon(|| builder().build().unwrap().get(url(&site, "/")).send().unwrap_err());
        // Or the system has no certificates.
        assert!(error.is_connect() || error.is_builder(), "{error:?}");
    });
}

#[cfg(feature = "http2")]
mod http2 {
    use std::convert::Infallible;

    use fibra::future::block_on;
    use fibra::http::{FiberExecutor, FiberTimer, Io, hyper};
    use fibra::io::PollIo;
    use fibra::testing::wait_all_blocked;
    use hyper::body::Incoming;
    use hyper::service::service_fn;
    use hyper::{Request, Response, Version};

    use super::*;
    use crate::client_help::Text;
    use crate::support::ms;

    fn serve<S: PollIo + Unpin + 'static>(stream: S) {
        let service = service_fn(|request: Request<Incoming>| async move {
            if request.uri().path() == "/slow" {
                fibra::future::sleep(ms(20)).await;
            }
            if request.uri().path() == "/never" {
                std::future::pending::<()>().await;
            }
            Ok::<_, Infallible>(Response::new(Text::from(format!("{}", request.uri()))))
        });
        let mut builder = hyper::server::conn::http2::Builder::new(FiberExecutor);
        let connection = builder.timer(FiberTimer).serve_connection(Io::new(stream), service);
        drop(block_on(connection));
    }

    /// Starts a server that speaks HTTP/2 over TLS.
    fn site() -> Site {
        let mut config = server_config(localhost());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let acceptor = acceptor(config);
        Site::scripted(move |_, stream| {
            let stream = acceptor.accept(stream).unwrap();
            match stream.alpn_protocol().as_deref() {
                Some(b"h2") => serve(stream),
                _ => drop(Http::new().serve_connection(stream, |_| say("HTTP/1"))),
            }
        })
    }

    #[test]
    fn a_hundred_requests_share_one_connection() {
        fibra::run(|| {
            let (site, client) = (site(), client());
            fibra::scope(|scope| {
                for n in 0..100 {
                    let (client, site) = (&client, &site);
                    scope.spawn(move || {
                        let path = if n % 2 == 0 { "/slow" } else { "/" };
                        let response = client.get(url(site, path)).send().unwrap();
                        assert_eq!(response.version(), Version::HTTP_2);
                        assert_eq!(response.text().unwrap(), url(site, path));
                    });
                }
            });
            assert_eq!(site.connections.get(), 1);
        });
    }

    #[test]
    fn http1_is_used_if_the_client_wants_it_or_the_server_has_nothing_else() {
        fibra::run(|| {
            let site = site();
            let old = trusting().http1_only().build().unwrap();
            assert_eq!(old.get(url(&site, "/")).send().unwrap().text().unwrap(), "HTTP/1");
            let old_site = super::site(server_config(localhost()));
            let client = client();
            fibra::scope(|scope| {
                for _ in 0..5 {
                    scope.spawn(|| {
                        let response = client.get(url(&old_site, "/")).send().unwrap();
                        assert_eq!(response.version(), Version::HTTP_11);
                        response.text().unwrap()
                    });
                }
            });
        });
    }

    #[test]
    fn a_killed_request_resets_its_stream_and_spares_the_connection() {
        fibra::run(|| {
            let (site, client) = (site(), client());
            client.get(url(&site, "/")).send().unwrap().text().unwrap();
            let (other, never) = (client.clone(), url(&site, "/never"));
            client.get(url(&site, "/a")).send().unwrap(); // there is a connection
            let waits = fibra::spawn(move || other.get(never).send().map(drop));
            wait_all_blocked();
            waits.kill();
            assert!(waits.join().unwrap_err().is_killed());
            let error = client.get(url(&site, "/never")).timeout(ms(20)).send().unwrap_err();
            assert!(error.is_timeout());
            assert_eq!(
                client.get(url(&site, "/a")).send().unwrap().text().unwrap(),
                url(&site, "/a")
            );
            assert_eq!(site.connections.get(), 1);
        });
    }

    #[test]
    fn a_lost_connection_is_replaced() {
        fibra::run(|| {
            let first = std::rc::Rc::new(std::cell::Cell::new(None));
            let held = first.clone();
            let site = Site::scripted(move |number, stream| {
                if number == 1 {
                    held.set(Some(fibra::current()));
                }
                serve(stream);
            });
            let client = builder().http2_prior_knowledge().build().unwrap();
            let url = site.url("/a");
            assert_eq!(client.get(&url).send().unwrap().version(), Version::HTTP_2);
            first.take().unwrap().kill();
            for _ in 0..2 {
                assert_eq!(soon(|| client.get(&url).send().unwrap().text().unwrap()), url);
                assert_eq!(site.connections.get(), 2);
            }
        });
    }

    #[test]
    fn an_idle_connection_is_closed_after_its_time() {
        fibra::run(|| {
            let site = site();
            let client = trusting().pool_idle_timeout(ms(20)).build().unwrap();
            let text = client.get(url(&site, "/slow")).send().unwrap().text().unwrap();
            assert_eq!(text, url(&site, "/slow"));
            crate::support::net::yield_until(|| {
                format!("{client:?}") == "Client { servers: 0, idle: 0 }"
            });
        });
    }
}

#[test]
fn the_configuration_is_the_one_that_was_given() {
    let mut config = tls::client_config();
    config.alpn_protocols = vec![b"other".to_vec()];
    fibra::run(|| {
        let site = site(server_config(localhost()));
        let client = builder().tls_config(config).build().unwrap();
        assert_eq!(client.get(url(&site, "/")).send().unwrap().text().unwrap(), "/ false");
        // The port of a redirect to a plain URL refuses.
        let error = client.get(url(&site, "/down")).send().unwrap_err();
        assert_eq!(error.url().unwrap().as_str(), "http://127.0.0.1:1/");
    });
}
