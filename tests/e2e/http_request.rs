//! A request of HTTP/1.1, as a stand-in for a chat reads it.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;

const BODY_MAX: usize = 1 << 20;

/// The parts of a request that are checked.
pub struct Request {
    pub method: String,
    pub path: String,
    pub content_type: String,
    pub authorization: Option<String>,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    /// The values of a header, by its name in lower case.
    pub fn header(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str()).collect()
    }

    /// Reads one request; `unread` keeps the bytes that belong to the next one.
    pub fn read(mut connection: &TcpStream, unread: &mut Vec<u8>) -> std::io::Result<Self> {
        let invalid = |reason: String| std::io::Error::new(ErrorKind::InvalidData, reason);
        loop {
            let mut headers = [httparse::EMPTY_HEADER; 64];
            let mut head = httparse::Request::new(&mut headers);
            let parsed = head.parse(unread).map_err(|error| invalid(error.to_string()))?;
            if let httparse::Status::Complete(head_length) = parsed {
                let header = |name: &str| {
                    let found = head.headers.iter().find(|header| header.name.eq_ignore_ascii_case(name));
                    found.map(|header| String::from_utf8_lossy(header.value).into_owned())
                };
                if header("host").is_none() {
                    return Err(invalid("no host".into()));
                }
                let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
                let length = if head.method == Some("HEAD") { Some(0) } else { length };
                let length = match length {
                    Some(length @ ..=BODY_MAX) => length,
                    other => return Err(invalid(format!("content-length {other:?}"))),
                };
                if unread.len() >= head_length + length {
                    let request = Self {
                        method: head.method.unwrap_or_default().to_owned(),
                        path: head.path.unwrap_or_default().to_owned(),
                        content_type: header("content-type").unwrap_or_default(),
                        authorization: header("authorization"),
                        headers: head
                            .headers
                            .iter()
                            .map(|header| {
                                (header.name.to_lowercase(), String::from_utf8_lossy(header.value).into_owned())
                            })
                            .collect(),
                        body: unread[head_length..head_length + length].to_vec(),
                    };
                    unread.drain(..head_length + length);
                    return Ok(request);
                }
            }
            let mut piece = [0; 16 * 1024];
            match connection.read(&mut piece)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => unread.extend_from_slice(&piece[..count]),
            }
        }
    }
}
