//! The names that hosts, broker and worker agree on: streams, subjects, and the part of a subject that stands for a host.

/// The stream with the events of all hosts.
pub(crate) const EVENTS: &str = "BANHOOK";
/// The stream with the record of the stream of events, which hosts read.
pub(crate) const META: &str = "BANHOOK_META";
/// The stream with what workers alone read: the records of shards, and what workers say of themselves.
pub(super) const STATE: &str = "BANHOOK_STATE";

/// The stream with what hosts say of themselves, and which of them were reported as silent.
pub(super) const HOSTS: &str = "BANHOOK_HOSTS";

/// The subjects of what hosts say; the last part stands for the host.
pub(super) const PRESENCE_SUBJECTS: &str = "banhook.host.*";
/// The subjects of the worker's marks on hosts.
pub(super) const MARK_SUBJECTS: &str = "banhook.silent.*";

/// The subjects of the events; the last part stands for the host.
pub(super) const EVENT_SUBJECTS: &str = "banhook.ev.*";
/// The subjects of the records of shards; the last part is the shard's name.
pub(super) const SHARD_SUBJECTS: &str = "banhook.state.*";
/// The subjects of what workers say; the last part stands for the worker.
pub(super) const WORKER_SUBJECTS: &str = "banhook.worker.*";
/// The subject of the record of the stream.
pub(super) const RECORD_SUBJECT: &str = "banhook.meta";

/// Begins the subjects of events.
const EVENT_PREFIX: &str = "banhook.ev.";
/// Begins the subjects of what hosts say.
const PRESENCE_PREFIX: &str = "banhook.host.";
/// Begins the subjects of the records of shards.
const SHARD_PREFIX: &str = "banhook.state.";
/// Begins the subjects of what workers say.
const WORKER_PREFIX: &str = "banhook.worker.";
/// Begins the subjects of marks.
const MARK_PREFIX: &str = "banhook.silent.";

/// What a subject of the hosts' stream stands for; with the token of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HostSubject<'s> {
    /// What the host says.
    Presence(&'s str),
    /// Whether it was reported as silent.
    Mark(&'s str),
}

/// Returns the part of subjects that stands for a host: its name, with `_` for all but letters, digits, `-` and `_`.
pub(crate) fn host_token(host: &str) -> String {
    let is_kept = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    host.chars().map(|character| if is_kept(character) { character } else { '_' }).collect()
}

/// Returns the subject of a host's events.
pub(super) fn event_subject(token: &str) -> String {
    format!("{EVENT_PREFIX}{token}")
}

/// Returns the host's part of the subject of an event.
pub(super) fn token_of(subject: &str) -> Option<&str> {
    token_after(EVENT_PREFIX, subject)
}

fn token_after<'s>(prefix: &str, subject: &'s str) -> Option<&'s str> {
    subject.strip_prefix(prefix).filter(|token| !token.is_empty() && !token.contains('.'))
}

/// Returns the subject of what a host says of itself.
pub(super) fn presence_subject(token: &str) -> String {
    format!("{PRESENCE_PREFIX}{token}")
}

/// Returns the subject of the mark on a host.
pub(super) fn mark_subject(token: &str) -> String {
    format!("{MARK_PREFIX}{token}")
}

/// Returns what a subject of the hosts' stream stands for.
pub(super) fn host_subject(subject: &str) -> Option<HostSubject<'_>> {
    let presence = token_after(PRESENCE_PREFIX, subject).map(HostSubject::Presence);
    presence.or_else(|| token_after(MARK_PREFIX, subject).map(HostSubject::Mark))
}

/// Returns the subject of the record of a shard, whose name is one part of a subject.
pub(super) fn shard_subject(shard: &str) -> String {
    format!("{SHARD_PREFIX}{shard}")
}

/// Returns the subject of what a worker says.
pub(super) fn worker_subject(token: &str) -> String {
    format!("{WORKER_PREFIX}{token}")
}

/// Returns the shard of the subject of a record.
pub(super) fn shard_of(subject: &str) -> Option<&str> {
    token_after(SHARD_PREFIX, subject)
}

/// Returns the worker's part of the subject of what it says.
pub(super) fn worker_of(subject: &str) -> Option<&str> {
    token_after(WORKER_PREFIX, subject)
}

/// Returns the subject to ask for the last message under a subject.
pub(super) fn last_message_subject(stream: &str, subject: &str) -> String {
    format!("$JS.API.DIRECT.GET.{stream}.{subject}")
}

/// Returns the prefix of the subjects at which a member gets answers: the broker allows it no other.
pub(super) fn inbox_prefix(token: &str) -> String {
    format!("_INBOX_{token}")
}

/// Returns what the broker allows a host, by its token: the subjects that it may publish to, and those of its answers.
pub(crate) fn server_permissions(token: &str) -> (Vec<String>, String) {
    let subject = event_subject(token);
    let last = last_message_subject(EVENTS, &subject);
    (
        vec![subject, presence_subject(token), last, last_message_subject(META, RECORD_SUBJECT)],
        format!("{}.>", inbox_prefix(token)),
    )
}

/// What the account of the hosts gets from that of the worker.
pub(crate) fn shared_services() -> [String; 4] {
    [
        EVENT_SUBJECTS.to_owned(),
        PRESENCE_SUBJECTS.to_owned(),
        last_message_subject(EVENTS, EVENT_SUBJECTS),
        last_message_subject(META, RECORD_SUBJECT),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_token_is_one_part_of_a_subject() {
        for (host, token) in [
            ("web-1", "web-1"),
            ("web-1.example.org", "web-1_example_org"),
            ("a b>*.c", "a_b___c"),
            ("", ""),
            ("höst", "h_st"),
        ] {
            assert_eq!(host_token(host), token);
        }
        assert_eq!(token_of(&event_subject("web-1")), Some("web-1"));
        assert_eq!(host_subject(&presence_subject("web-1")), Some(HostSubject::Presence("web-1")));
        assert_eq!(host_subject(&mark_subject("web-1")), Some(HostSubject::Mark("web-1")));
        assert_eq!(host_subject("banhook.host.a.b"), None);
        for subject in ["banhook.ev.", "banhook.ev.a.b", "banhook.meta", "x"] {
            assert_eq!(token_of(subject), None, "{subject}");
        }
    }
}
