//! Answers one request for metrics, by whomever it was made: within a time, and with little memory.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

/// Where the metrics are, as Prometheus expects it.
const PATH: &str = "/metrics";

/// How long a connection lasts at most.
const CONNECTION_TIME: Duration = Duration::from_secs(10);

/// Bytes of a request that are read: hyper takes no less.
const REQUEST_BYTES: usize = 8192;

/// Headers of a request; Prometheus sends six.
const HEADERS_MAX: usize = 64;

/// The text format of Prometheus.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4";

/// Answers one request with the metrics, or an error if there are none. `slot` is given back at the end.
pub(super) async fn serve(stream: TcpStream, metrics: Option<Bytes>, slot: OwnedSemaphorePermit) {
    let answer = service_fn(|request| {
        let answer = answer(&request, metrics.clone());
        async { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(REQUEST_BYTES)
        .max_headers(HEADERS_MAX)
        .timer(TokioTimer::new())
        .header_read_timeout(CONNECTION_TIME)
        .serve_connection(TokioIo::new(stream), answer);
    // Whatever the client did wrong is its own problem.
    let _ = tokio::time::timeout(CONNECTION_TIME, connection).await;
    drop(slot);
}

fn answer(request: &Request<Incoming>, metrics: Option<Bytes>) -> Response<Full<Bytes>> {
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let (status, body) = match (is_read, request.uri().path(), metrics) {
        (false, ..) => (StatusCode::METHOD_NOT_ALLOWED, Bytes::new()),
        (true, PATH, Some(metrics)) => (StatusCode::OK, metrics),
        (true, PATH, None) => (StatusCode::SERVICE_UNAVAILABLE, Bytes::new()),
        (true, ..) => (StatusCode::NOT_FOUND, Bytes::from_static(b"The metrics are at /metrics\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(TEXT_FORMAT));
    response
}
