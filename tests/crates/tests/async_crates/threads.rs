//! Crates that block their thread, compute on threads of their own, or call back from one.

use std::time::Duration;

use fibra::future::block_on;
use fibra::http::{Http, hyper::Response};
use fibra::server::Server;
use fibra::sync::mpmc;
use notify::{RecursiveMode, Watcher};
use rayon::prelude::*;

use crate::Outcome;

#[test]
fn rayon_inside_blocking() -> Outcome {
    fibra::run(|| {
        let sum = fibra::blocking(|| (1..=1000_u64).into_par_iter().sum::<u64>());
        assert_eq!(sum, 500_500);
        Ok(())
    })
}

#[test]
fn ureq_inside_blocking() -> Outcome {
    fibra::run(|| {
        let server = Server::bind("127.0.0.1:0")?;
        let url = format!("http://{}/", server.listener().local_addr()?);
        let http = Http::new();
        let running = server.start(move |stream, _| {
            http.serve_connection(stream, |_| Response::new(String::from("hello")))
        });
        let mut response = fibra::blocking(move || ureq::get(url).call())?;
        assert_eq!(response.body_mut().read_to_string()?, "hello");
        running.shutdown(Duration::ZERO);
        Ok(())
    })
}

#[test]
fn notify_sends_events_to_a_fiber() -> Outcome {
    let folder = fibra_crates::Folder::new();
    fibra::run(|| {
        let (sender, receiver) = mpmc::unbounded();
        let mut watcher = notify::recommended_watcher(move |event| drop(sender.send(event)))?;
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        std::fs::write(folder.join("new"), "text")?;
        let event = receiver.recv_timeout(Duration::from_secs(20))??;
        assert!(event.paths[0].ends_with("new"));
        Ok(())
    })
}

#[test]
fn crossbeam_channel_inside_blocking() -> Outcome {
    fibra::run(|| {
        let (sender, receiver) = crossbeam_channel::bounded(0);
        fibra::spawn(move || fibra::blocking(move || sender.send(42)));
        assert_eq!(fibra::blocking(move || receiver.recv())?, 42);
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || sender.send(42));
        assert_eq!(block_on(receiver)?, 42);
        Ok(())
    })
}
