//! The interfaces of WASI 0.2 and what is in them, up to 0.2.10: what a component may import, and nothing else.
//!
//! Without the list, a component could have a function defined for each name that it makes up.

/// Each interface with its functions and resources; `stream.read` is the method `read` of the resource `stream`.
const INTERFACES: &[(&str, &str)] = &[
    ("cli/environment", "get-environment get-arguments initial-cwd"),
    ("cli/exit", "exit exit-with-code"),
    ("cli/stdin", "get-stdin input-stream"),
    ("cli/stdout", "get-stdout output-stream"),
    ("cli/stderr", "get-stderr output-stream"),
    ("cli/terminal-input", "terminal-input"),
    ("cli/terminal-output", "terminal-output"),
    ("cli/terminal-stdin", "get-terminal-stdin terminal-input"),
    ("cli/terminal-stdout", "get-terminal-stdout terminal-output"),
    ("cli/terminal-stderr", "get-terminal-stderr terminal-output"),
    ("clocks/monotonic-clock", "now resolution subscribe-instant subscribe-duration pollable"),
    ("clocks/wall-clock", "now resolution"),
    ("clocks/timezone", "display utc-offset"),
    (
        "filesystem/types",
        "descriptor descriptor.read-via-stream descriptor.write-via-stream descriptor.append-via-stream descriptor.advise \
         descriptor.sync-data descriptor.get-flags descriptor.get-type descriptor.set-size descriptor.set-times \
         descriptor.read descriptor.write descriptor.read-directory descriptor.sync descriptor.create-directory-at \
         descriptor.stat descriptor.stat-at descriptor.set-times-at descriptor.link-at descriptor.open-at \
         descriptor.readlink-at descriptor.remove-directory-at descriptor.rename-at descriptor.symlink-at \
         descriptor.unlink-file-at descriptor.is-same-object descriptor.metadata-hash descriptor.metadata-hash-at \
         directory-entry-stream directory-entry-stream.read-directory-entry filesystem-error-code input-stream \
         output-stream error",
    ),
    ("filesystem/preopens", "get-directories descriptor"),
    ("io/error", "error error.to-debug-string"),
    ("io/poll", "pollable pollable.ready pollable.block poll"),
    (
        "io/streams",
        "input-stream input-stream.read input-stream.blocking-read input-stream.skip input-stream.blocking-skip \
         input-stream.subscribe output-stream output-stream.check-write output-stream.write \
         output-stream.blocking-write-and-flush output-stream.flush output-stream.blocking-flush \
         output-stream.subscribe output-stream.write-zeroes output-stream.blocking-write-zeroes-and-flush \
         output-stream.splice output-stream.blocking-splice error pollable",
    ),
    ("random/random", "get-random-bytes get-random-u64"),
    ("random/insecure", "get-insecure-random-bytes get-insecure-random-u64"),
    ("random/insecure-seed", "insecure-seed"),
    ("sockets/network", "network network-error-code error"),
    ("sockets/instance-network", "instance-network network"),
    (
        "sockets/ip-name-lookup",
        "resolve-addresses resolve-address-stream resolve-address-stream.resolve-next-address \
         resolve-address-stream.subscribe network pollable",
    ),
    (
        "sockets/tcp",
        "tcp-socket tcp-socket.start-bind tcp-socket.finish-bind tcp-socket.start-connect tcp-socket.finish-connect \
         tcp-socket.start-listen tcp-socket.finish-listen tcp-socket.accept tcp-socket.local-address \
         tcp-socket.remote-address tcp-socket.is-listening tcp-socket.address-family tcp-socket.ipv6-only \
         tcp-socket.set-ipv6-only tcp-socket.set-listen-backlog-size tcp-socket.keep-alive-enabled \
         tcp-socket.set-keep-alive-enabled tcp-socket.keep-alive-idle-time tcp-socket.set-keep-alive-idle-time \
         tcp-socket.keep-alive-interval tcp-socket.set-keep-alive-interval tcp-socket.keep-alive-count \
         tcp-socket.set-keep-alive-count tcp-socket.hop-limit tcp-socket.set-hop-limit tcp-socket.receive-buffer-size \
         tcp-socket.set-receive-buffer-size tcp-socket.send-buffer-size tcp-socket.set-send-buffer-size \
         tcp-socket.subscribe tcp-socket.shutdown network input-stream output-stream pollable",
    ),
    (
        "sockets/udp",
        "udp-socket udp-socket.start-bind udp-socket.finish-bind udp-socket.stream udp-socket.local-address \
         udp-socket.remote-address udp-socket.address-family udp-socket.ipv6-only udp-socket.set-ipv6-only \
         udp-socket.unicast-hop-limit udp-socket.set-unicast-hop-limit udp-socket.receive-buffer-size \
         udp-socket.set-receive-buffer-size udp-socket.send-buffer-size udp-socket.set-send-buffer-size \
         udp-socket.subscribe incoming-datagram-stream incoming-datagram-stream.receive \
         incoming-datagram-stream.subscribe outgoing-datagram-stream outgoing-datagram-stream.check-send \
         outgoing-datagram-stream.send outgoing-datagram-stream.subscribe network pollable",
    ),
    ("sockets/tcp-create-socket", "create-tcp-socket network tcp-socket"),
    ("sockets/udp-create-socket", "create-udp-socket network udp-socket"),
];

/// Returns whether WASI has this interface (`cli/exit`).
pub(super) fn has_interface(interface: &str) -> bool {
    items(interface).is_some()
}

/// Returns whether the interface has this function or resource (`exit`, `[method]descriptor.read`).
pub(super) fn has_item(interface: &str, item: &str) -> bool {
    let name = item.strip_prefix("[method]").unwrap_or(item);
    items(interface).is_some_and(|items| items.split_whitespace().any(|known| known == name))
}

fn items(interface: &str) -> Option<&'static str> {
    INTERFACES.iter().find(|(name, _)| *name == interface).map(|(_, items)| *items)
}
