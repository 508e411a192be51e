//! Errors of gRPC: which of them may pass, and how the others are told.

use tonic::{Code, Status};

use crate::address::Address;
use crate::error::{Error, Kind};
use crate::text::visible;

/// Returns true for an error after which the same request may succeed.
pub(crate) fn may_pass(status: &Status) -> bool {
    // A connection that broke in the middle of an answer is `Unknown` or `Internal`.
    is_lost(status)
        || matches!(
            status.code(),
            Code::Unavailable
                | Code::Aborted
                | Code::ResourceExhausted
                | Code::Internal
                | Code::Unknown
                | Code::DeadlineExceeded
        )
}

/// Returns true for a request whose connection was closed before it was answered, as proxies do after some number of
/// requests. A service that cancels a request itself gives no cause.
fn is_lost(status: &Status) -> bool {
    status.code() == Code::Cancelled && std::error::Error::source(status).is_some()
}

/// Returns true if nobody listens at the address of the service, as while it is started again. A service that refuses
/// work itself gives no cause.
pub(crate) fn is_absent(status: &Status) -> bool {
    status.code() == Code::Unavailable && std::error::Error::source(status).is_some()
}

/// Returns the error of a request that failed. `doing` says what the service should do, as in "store files".
pub(crate) fn told(status: &Status, address: &Address, doing: &str) -> Error {
    let said = visible(status.message());
    let error = match status.code() {
        Code::Unavailable => Error::new(Kind::Unreachable, "the remote builder cannot be reached"),
        Code::Cancelled if is_lost(status) => Error::new(Kind::Unreachable, "the remote builder closes connections"),
        Code::DeadlineExceeded => Error::new(Kind::Unreachable, "the remote builder did not answer in time"),
        Code::Unauthenticated => Error::failure("the remote builder demands credentials")
            .hint("set `builder-token`, or `builder-certificate` and `builder-key`, in the configuration"),
        Code::PermissionDenied => Error::failure("the remote builder forbids this with these credentials")
            .hint("ask its operator for the right to store files and to execute"),
        Code::Unimplemented => Error::new(Kind::NotFound, format!("the remote builder does not know how to {doing}")),
        Code::InvalidArgument | Code::FailedPrecondition => {
            Error::new(Kind::NotFound, format!("the remote builder refuses to {doing}"))
        }
        code => Error::failure(format!("the remote builder failed to {doing}")).fact("code", format!("{code:?}")),
    };
    let error = error.fact("builder", address).fact("asked to", doing);
    let error = if said.is_empty() { error } else { error.fact("it says", said) };
    match std::error::Error::source(status) {
        Some(source) => error.because(source),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_request_whose_connection_was_closed_is_made_again() {
        let by_service = Status::cancelled("stop");
        let mut lost = Status::cancelled("operation was canceled");
        lost.set_source(Arc::new(std::io::Error::other("connection closed")));
        assert_eq!((may_pass(&by_service), may_pass(&lost)), (false, true));
        let address = "reapi://build".parse().unwrap();
        let error = told(&lost, &address, "store files");
        assert_eq!(error.kind(), Kind::Unreachable);
        assert!(error.to_string().contains("closes connections"), "{error}");
    }
}
