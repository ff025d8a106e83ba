//! A mock HTTPS webhook, whose certificate is signed by a private authority.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::binary::require;
use crate::message::Message;
use crate::polling::until;
use crate::test_env::TestEnv;

/// Accepts every message and appends it to a file, one per line.
const SERVER: &str = r#"
import http.server, ssl
class Webhook(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length']))
        with open('arrived', 'ab') as file:
            file.write(body + b'\n')
        self.send_response(200)
        self.send_header('Content-Length', '2')
        self.end_headers()
        self.wfile.write(b'ok')
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Webhook)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

/// The minimal configuration of `openssl req`, so that it adds nothing of its own.
const REQUEST: &str = "[req]\ndistinguished_name = dn\n[dn]\n";

/// A running server in the folder of a test environment. Killed on drop.
pub struct HttpsWebhook {
    child: Child,
    pub port: u16,
    arrived: PathBuf,
}

impl HttpsWebhook {
    /// Creates an authority in `ca.pem` and serves with a certificate signed by it.
    pub fn open(env: &TestEnv) -> Self {
        require("python3", "python3");
        authority(env, "ca");
        openssl(env, "server", "basicConstraints=CA:FALSE", &["-CA", "ca.pem", "-CAkey", "ca.key"]);
        let mut child =
            env.command("python3").args(["-c", SERVER]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut port = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut port).unwrap();
        Self { child, port: port.trim().parse().unwrap(), arrived: env.path("arrived") }
    }

    /// The URL of the webhook.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}/services/T0/B0/X", self.port)
    }

    /// The messages accepted so far.
    pub fn arrived(&self) -> Vec<Message> {
        let lines = fs::read_to_string(&self.arrived).unwrap_or_default();
        lines.lines().map(|line| Message::parse(line.as_bytes()).unwrap()).collect()
    }

    /// Waits for the first message.
    #[track_caller]
    pub fn wait_for_one(&self) -> Message {
        until("a message", || self.arrived().pop().ok_or_else(String::new))
    }
}

impl Drop for HttpsWebhook {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Creates an authority: `NAME.pem` and `NAME.key`.
pub fn authority(env: &TestEnv, name: &str) {
    openssl(env, name, "basicConstraints=critical,CA:TRUE", &[]);
}

fn openssl(env: &TestEnv, name: &str, constraints: &str, signer: &[&str]) {
    require("openssl", "openssl");
    env.write("request.cnf", REQUEST);
    let (key, certificate, subject) =
        (format!("{name}.key"), format!("{name}.pem"), format!("/CN=banhook test {name}"));
    let output = env
        .command("openssl")
        .args(["req", "-x509", "-config", "request.cnf", "-days", "2", "-nodes"])
        .args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-keyout", &key, "-out", &certificate])
        .args(["-subj", &subject, "-addext", constraints, "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(signer)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
