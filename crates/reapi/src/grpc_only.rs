//! Answers that are not gRPC: pages of a proxy before the service. They become errors of gRPC with the page's title, as
//! gRPC's mapping of HTTP statuses has it, but that what a proxy refuses for good is not asked again.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use tonic::body::Body;
use tonic::codegen::http::header::CONTENT_TYPE;
use tonic::codegen::http::{Request, Response, StatusCode};
use tonic::codegen::{Body as _, BoxFuture, Context, Poll, Service};
use tonic::transport::{Channel, Error};
use tonic::{Code, Status};

/// Number of bytes of a page in which its title is looked for.
const BEGINNING: usize = 4 << 10;
/// Time for a page to come.
const PATIENCE: Duration = Duration::from_secs(5);

/// A channel on which all answers are gRPC.
#[derive(Clone)]
pub(crate) struct GrpcOnly(pub Channel);

impl Service<Request<Body>> for GrpcOnly {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<Response<Body>, Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
            if kind.is_some_and(|kind| kind.starts_with("application/grpc")) {
                return Ok(answer);
            }
            let status = answer.status();
            let page = tokio::time::timeout(PATIENCE, beginning(answer.into_body())).await.unwrap_or_default();
            Ok(refusal(status, title(&page)).into_http())
        })
    }
}

/// Returns the beginning of a page.
async fn beginning(mut page: Body) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < BEGINNING
        && let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut page).poll_frame(context)).await
    {
        bytes.extend_from_slice(frame.data_ref().map_or(&[], |data| data));
    }
    bytes.truncate(BEGINNING);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Returns the title of a page, if it has one.
fn title(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("<title>")?;
    let (title, _) = rest.split_once("</title>")?;
    Some(title.trim()).filter(|title| !title.is_empty())
}

/// Returns the error that a page with this status and title is.
fn refusal(status: StatusCode, title: Option<&str>) -> Status {
    let said = title.map_or_else(|| status.to_string(), str::to_owned);
    let code = match status.as_u16() {
        401 => Code::Unauthenticated,
        // nginx has no other status for a missing or unknown client certificate.
        400 if said.contains("certificate") => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 500 | 502..=504 => Code::Unavailable,
        _ => Code::FailedPrecondition,
    };
    Status::new(code, format!("{said} (a page, not an answer of the protocol)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_named_by_their_title() {
        let page = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>";
        let refused = refusal(StatusCode::BAD_REQUEST, title(page));
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().starts_with("400 No required SSL certificate was sent ("), "{refused}");
        for (status, code) in [
            (400, Code::FailedPrecondition),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (503, Code::Unavailable),
            (301, Code::FailedPrecondition),
            (200, Code::FailedPrecondition),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let refused = refusal(status, None);
            assert_eq!(refused.code(), code, "{status}");
            assert!(refused.message().starts_with(&status.to_string()), "{refused}");
        }
        for page in ["", "<title>", "<title> </title>", "</title><title>x"] {
            assert_eq!(title(page), None, "{page}");
        }
    }
}
