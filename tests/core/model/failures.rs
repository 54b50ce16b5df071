//! Converts the errors and payloads of fibra to entries of a trace.

use std::any::Any;

use fibra::channel::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

use super::op::{Failure, Payload};

pub(crate) fn kind(payload: &(dyn Any + Send)) -> Payload {
    match (payload.downcast_ref::<u32>(), payload.downcast_ref::<String>()) {
        (Some(&number), _) => Payload::Panic(number),
        (_, Some(text)) if text.starts_with("deadlock") => Payload::Deadlock,
        (_, Some(text)) => panic!("unexpected: {text}"),
        _ => Payload::Kill,
    }
}

pub(crate) fn send_failure<T>(error: &SendError<T>) -> Failure {
    match error {
        SendError::Closed(_) => Failure::Closed,
        SendError::Deadlock(..) => Failure::Deadlock,
        other => panic!("unexpected: {other}"),
    }
}

pub(crate) fn try_send_failure<T>(error: &TrySendError<T>) -> Failure {
    match error {
        TrySendError::Full(_) => Failure::NotNow,
        TrySendError::Closed(_) => Failure::Closed,
    }
}

pub(crate) fn send_timeout_failure<T>(error: &SendTimeoutError<T>) -> Failure {
    match error {
        SendTimeoutError::Timeout(_) => Failure::TimedOut,
        SendTimeoutError::Closed(_) => Failure::Closed,
        other => panic!("unexpected: {other}"),
    }
}

pub(crate) fn recv_failure(error: &RecvError) -> Failure {
    match error {
        RecvError::Closed => Failure::Closed,
        RecvError::Deadlock(_) => Failure::Deadlock,
        other => panic!("unexpected: {other}"),
    }
}

pub(crate) fn try_recv_failure(error: TryRecvError) -> Failure {
    match error {
        TryRecvError::Empty => Failure::NotNow,
        TryRecvError::Closed => Failure::Closed,
    }
}

pub(crate) fn recv_timeout_failure(error: RecvTimeoutError) -> Failure {
    match error {
        RecvTimeoutError::Timeout => Failure::TimedOut,
        RecvTimeoutError::Closed => Failure::Closed,
        other => panic!("unexpected: {other}"),
    }
}
