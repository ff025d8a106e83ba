//! What can go wrong between a member of a fleet and the broker.

/// The oldest release of the broker that does what a fleet relies on.
pub(super) const OLDEST: (i64, i64, i64) = (2, 10, 0);

/// A request to the broker failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BrokerError {
    /// It cannot be reached, or does not answer.
    #[error("the broker cannot be reached: {0}")]
    Unreachable(String),
    /// It does not know this host's key, or no longer does.
    #[error("the broker refuses this host's nkey; `banhook fleet add` adds it, and the broker has to be reloaded then")]
    Unknown,
    /// Its certificate is not trusted, or it speaks no TLS.
    #[error("the broker's certificate is not accepted ({0}); ca_file names an authority of your own")]
    Tls(String),
    /// It is too old.
    #[error("the broker is nats-server {0}, and a fleet needs 2.10 or later")]
    TooOld(String),
    /// It cannot keep a stream of that size.
    #[error("the broker has no room for the streams ({0}): free some space on its disk, or make stream_size smaller")]
    NoRoom(String),
    /// It does what it was asked for, but not for this request.
    #[error("the broker refuses: {description}")]
    Refused {
        /// The broker's number for the reason.
        code: u64,
        /// The broker's words.
        description: String,
    },
    /// There is no stream yet, or JetStream has just been started.
    #[error("the broker has no stream for this yet; the worker of the fleet makes it")]
    NoStream,
    /// The request is not permitted.
    #[error("the broker does not permit this: {0}")]
    NotPermitted(String),
    /// An answer that is not as JetStream documents it.
    #[error("unexpected answer of the broker: {0}")]
    Answer(String),
}

impl BrokerError {
    /// Whether there is no connection, or none with this broker.
    pub(super) const fn is_of_connection(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unknown | Self::Tls(_) | Self::TooOld(_))
    }
}

/// The broker's numbers of reasons.
pub(super) mod code {
    /// The stream does not take the message: most likely it has as many bytes as it may, or as many messages of the host.
    pub(in crate::fleet) const NOT_STORED: u64 = 10_077;
    /// Its disk, or what it may use of it, has no room for a stream of that size.
    pub(in crate::fleet) const NO_ROOM: u64 = 10_047;
    /// There is no such stream.
    pub(in crate::fleet) const NO_STREAM: u64 = 10_059;
    /// Another message was written since.
    pub(in crate::fleet) const WRONG_LAST_SEQUENCE: u64 = 10_071;
    /// Ours: a stream has other settings than those that a fleet relies on.
    pub(in crate::fleet) const WRONG_SETTINGS: u64 = 0;
}
