//! tokio's `multi_thread` runtime with two workers; HTTP by hyper.

use std::io;

use super::{THREADS, tokio_current_thread};
use crate::exchange::Service;

pub(crate) fn serve(service: Service) -> io::Result<()> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    let runtime = builder.worker_threads(THREADS).enable_all().build()?;
    runtime.block_on(async move { tokio::spawn(tokio_current_thread::accept(service)).await? })
}
