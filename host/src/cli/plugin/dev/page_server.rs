//! Serves the live page, on loopback only, to whoever knows its address: that has a random part, so that no other user of
//! the machine and no other page in the browser can guess it.

use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::anyhow;
use tiny_http::{Header, Method, Response, Server};
use url::{Url, form_urlencoded};
use uuid::Uuid;

use super::session::{Request, Task, Wish};
use crate::cli::case_page::CasePage;

/// Bytes of a case that the page sends.
const BODY_MAX: u64 = 1 << 20;

/// How long a question for the next change waits for one; a browser may give up on longer ones.
const WAIT: Duration = Duration::from_secs(20);

/// Requests at once: a page has one that waits, and a browser may show several.
const REQUESTS_MAX: usize = 64;

/// The live page.
pub(super) struct PageServer {
    shared: Arc<Shared>,
}

struct Shared {
    /// `http://127.0.0.1:PORT/TOKEN/`
    url: Url,
    page: Mutex<Page>,
    changed: Condvar,
    requests: AtomicUsize,
}

/// What is served.
#[derive(Default)]
struct Page {
    revision: u64,
    document: String,
    content: String,
}

type Answer = Response<std::io::Cursor<Vec<u8>>>;

impl PageServer {
    /// Listens on a port of loopback; 0: a free one.
    ///
    /// # Errors
    /// When the port is in use.
    pub(super) fn start(port: u16, tasks: Sender<Task>) -> anyhow::Result<Self> {
        let server = Server::http(("127.0.0.1", port))
            .map_err(|error| anyhow!("cannot listen on port {port} of 127.0.0.1: {error}"))?;
        let token = Uuid::now_v7().simple();
        let url = Url::parse(&format!("http://{}/{token}/", server.server_addr()))?;
        let shared = Shared { url, page: Mutex::default(), changed: Condvar::new(), requests: AtomicUsize::new(0) };
        let shared = Arc::new(shared);
        let in_thread = Arc::clone(&shared);
        std::thread::Builder::new().name("page".into()).spawn(move || serve(&server, &in_thread, &tasks))?;
        Ok(Self { shared })
    }

    /// Returns the page's address.
    pub(super) fn url(&self) -> &Url {
        &self.shared.url
    }

    /// Shows another state of the page; `page` makes it of its revision.
    pub(super) fn publish<'p>(&self, page: impl FnOnce(u64) -> CasePage<'p>) {
        let mut served = self.shared.page();
        let revision = served.revision + 1;
        let page = page(revision);
        *served = Page { revision, document: page.document(), content: page.content() };
        drop(served);
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn page(&self) -> MutexGuard<'_, Page> {
        self.page.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, request: &mut tiny_http::Request, tasks: &Sender<Task>) -> Answer {
        if !self.is_for_us(request) {
            return text(403, "the page is at the address that banhook printed");
        }
        let Some(rest) = request.url().strip_prefix(self.url.path()) else { return text(404, "not found") };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let value = |wanted: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, _)| key == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
        };
        let wish = match (request.method(), path.as_str()) {
            (Method::Get, "") => return html(&self.page().document, None),
            (Method::Get, "content") => return self.content_after(value("after").parse().unwrap_or_default()),
            (Method::Post, "accept") => Wish::Accept(value("case")),
            (Method::Post, path @ ("try" | "save")) => {
                let mut body = String::new();
                if request.as_reader().take(BODY_MAX).read_to_string(&mut body).is_err() {
                    return text(400, "the case is not readable text");
                }
                if path == "try" { Wish::Try(body) } else { Wish::Save(value("case"), body) }
            }
            _ => return text(404, "not found"),
        };
        let (answer, answered) = channel();
        let sent = tasks.send(Task::Request(Request { wish, answer }));
        match sent.ok().and_then(|()| answered.recv().ok()) {
            Some(Ok(done)) => html(&done, None),
            Some(Err(why)) => text(422, &why),
            None => text(503, "banhook is about to end"),
        }
    }

    /// Returns whether a request names this server: a page elsewhere may have led the browser here by another name.
    fn is_for_us(&self, request: &tiny_http::Request) -> bool {
        let host = request.headers().iter().find(|header| header.field.equiv("Host"));
        let port = self.url.port_or_known_default().unwrap_or_default();
        host.is_some_and(|header| {
            [format!("127.0.0.1:{port}"), format!("localhost:{port}")].iter().any(|own| header.value == own.as_str())
        })
    }

    /// Waits until there is another revision.
    fn content_after(&self, revision: u64) -> Answer {
        let page = self.page();
        let waited = self.changed.wait_timeout_while(page, WAIT, |page| page.revision == revision);
        let (page, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if page.revision == revision { text(204, "") } else { html(&page.content, Some(page.revision)) }
    }
}

fn serve(server: &Server, shared: &Arc<Shared>, tasks: &Sender<Task>) {
    for mut request in server.incoming_requests() {
        let (shared, tasks) = (Arc::clone(shared), tasks.clone());
        if shared.requests.fetch_add(1, Ordering::Relaxed) >= REQUESTS_MAX {
            shared.requests.fetch_sub(1, Ordering::Relaxed);
            // The browser asks again.
            let _ = request.respond(text(503, "too many requests"));
            continue;
        }
        let answer = move || {
            let answer = shared.answer(&mut request, &tasks);
            // A browser that has gone away needs none.
            let _ = request.respond(answer);
            shared.requests.fetch_sub(1, Ordering::Relaxed);
        };
        // Without a thread the request is dropped, and the browser asks again.
        let _ = std::thread::Builder::new().name("request".into()).spawn(answer);
    }
}

fn html(body: &str, revision: Option<u64>) -> Answer {
    let answer = with_headers(Response::from_string(body), "text/html; charset=utf-8");
    match revision.and_then(|revision| header("X-Revision", &revision.to_string())) {
        Some(header) => answer.with_header(header),
        None => answer,
    }
}

fn text(status: u16, body: &str) -> Answer {
    with_headers(Response::from_string(body).with_status_code(status), "text/plain; charset=utf-8")
}

fn with_headers(answer: Answer, content_type: &str) -> Answer {
    let headers = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
    ];
    headers.into_iter().filter_map(|(name, value)| header(name, value)).fold(answer, Response::with_header)
}

fn header(name: &str, value: &str) -> Option<Header> {
    Header::from_bytes(name, value).ok()
}
