-- A store of schema 1: three bans that were delivered, and five that wait. Never made again: a later version has to read it.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE events (
    seq INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    at INTEGER NOT NULL,
    logged INTEGER NOT NULL,
    counterpart INTEGER NOT NULL DEFAULT 0,
    kind TEXT NOT NULL,
    host TEXT NOT NULL,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    ticket_at INTEGER,
    restored INTEGER NOT NULL,
    body TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
INSERT INTO events VALUES(1,1795998775350,1795998775350,0,0,'ban','web-1','c000000z','203.0.113.0',NULL,0,'{"action":"ban","id":"01a229de-7836-7998-b96c-0ee921c8caa7","at":"2026-11-30T00:32:55.350Z","host":"web-1","jail":"c000000z","subject":"203.0.113.0","family":"ipv4","failures":3}',-8350791826971964067);
INSERT INTO events VALUES(2,1795998775398,1795998775398,0,0,'ban','web-1','c000001z','203.0.113.1',NULL,0,'{"action":"ban","id":"01a229de-7866-7283-9542-fe600ce83bb3","at":"2026-11-30T00:32:55.398Z","host":"web-1","jail":"c000001z","subject":"203.0.113.1","family":"ipv4","failures":3}',607506454417609318);
INSERT INTO events VALUES(3,1795998775423,1795998775423,0,0,'ban','web-1','c000002z','203.0.113.2',NULL,0,'{"action":"ban","id":"01a229de-787f-74b6-8da9-59e9839091ea","at":"2026-11-30T00:32:55.423Z","host":"web-1","jail":"c000002z","subject":"203.0.113.2","family":"ipv4","failures":3}',-8721208426994196832);
INSERT INTO events VALUES(4,1795998779246,1795998779246,0,0,'ban','web-1','c000003z','203.0.113.3',NULL,0,'{"action":"ban","id":"01a229de-876e-7ed9-a353-6edab9de0da0","at":"2026-11-30T00:32:59.246Z","host":"web-1","jail":"c000003z","subject":"203.0.113.3","family":"ipv4","failures":3}',-8166095967693393925);
INSERT INTO events VALUES(5,1795998779262,1795998779262,0,0,'ban','web-1','c000004z','203.0.113.4',NULL,0,'{"action":"ban","id":"01a229de-877e-73dc-8804-244a558e6e2e","at":"2026-11-30T00:32:59.262Z","host":"web-1","jail":"c000004z","subject":"203.0.113.4","family":"ipv4","failures":3}',7213245723023710703);
INSERT INTO events VALUES(6,1795998779274,1795998779274,0,0,'ban','web-1','c000005z','203.0.113.5',NULL,0,'{"action":"ban","id":"01a229de-878a-7c72-94be-08e49cc73934","at":"2026-11-30T00:32:59.274Z","host":"web-1","jail":"c000005z","subject":"203.0.113.5","family":"ipv4","failures":3}',-940780728764663908);
INSERT INTO events VALUES(7,1795998779290,1795998779290,0,0,'ban','web-1','c000006z','203.0.113.6',NULL,0,'{"action":"ban","id":"01a229de-879a-78d1-9b36-3dfd1a38df3a","at":"2026-11-30T00:32:59.290Z","host":"web-1","jail":"c000006z","subject":"203.0.113.6","family":"ipv4","failures":3}',-2804494080017284748);
INSERT INTO events VALUES(8,1795998779306,1795998779306,0,0,'ban','web-1','c000007z','203.0.113.7',NULL,0,'{"action":"ban","id":"01a229de-87aa-7151-a8fc-da40e460f20c","at":"2026-11-30T00:32:59.306Z","host":"web-1","jail":"c000007z","subject":"203.0.113.7","family":"ipv4","failures":3}',5711503897150924577);
CREATE TABLE checkpoints (
    id INTEGER PRIMARY KEY,
    inode INTEGER NOT NULL,
    head INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    byte_offset INTEGER NOT NULL,
    moved_at INTEGER NOT NULL
);
CREATE TABLE logs (
    log TEXT PRIMARY KEY,
    checkpoint INTEGER NOT NULL,
    last_event_at INTEGER,
    followed INTEGER NOT NULL DEFAULT 0,
    problem TEXT,
    problem_since INTEGER
) WITHOUT ROWID;
CREATE TABLE receipts (
    segment TEXT NOT NULL,
    byte_offset INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    tail_begin INTEGER,
    tail_crc INTEGER,
    PRIMARY KEY (segment, byte_offset)
) WITHOUT ROWID;
INSERT INTO receipts VALUES('01a229de784a7f85b260947cbe796468',787,3,1795998778154,1,49,1030398843);
INSERT INTO receipts VALUES('01a229de784a7f85b260947cbe796468',2017,8,1795998779339,0,787,3247263172);
CREATE TABLE routing_cursor (last_seq INTEGER NOT NULL);
INSERT INTO routing_cursor VALUES(8);
CREATE TABLE routed_events (
    event INTEGER NOT NULL,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    message INTEGER,
    detail TEXT,
    age_starts_at INTEGER,
    standalone INTEGER NOT NULL DEFAULT 0,
    tags TEXT,
    PRIMARY KEY (event, route)
) WITHOUT ROWID;
INSERT INTO routed_events VALUES(1,'all','main','pending',1,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(2,'all','main','pending',2,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(3,'all','main','pending',3,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(4,'all','main','pending',4,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(5,'all','main','pending',5,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(6,'all','main','pending',6,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(7,'all','main','pending',7,NULL,NULL,0,NULL);
INSERT INTO routed_events VALUES(8,'all','main','pending',8,NULL,NULL,0,NULL);
CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    route TEXT NOT NULL,
    webhook TEXT NOT NULL,
    state TEXT NOT NULL,
    events INTEGER NOT NULL,
    body TEXT,
    target TEXT,
    age_starts_at INTEGER NOT NULL,
    cause TEXT,
    key TEXT,
    opened_at INTEGER,
    closes_at INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    parked INTEGER NOT NULL DEFAULT 0,
    next_attempt_at INTEGER NOT NULL DEFAULT 0,
    last_attempt_at INTEGER,
    finished_at INTEGER,
    dead_reason TEXT,
    error TEXT,
    checksum INTEGER,
    plain INTEGER NOT NULL DEFAULT 0,
    stands_in_for TEXT
);
INSERT INTO messages VALUES(1,'all','main','posted',1,NULL,'slack',1795998775350,NULL,NULL,NULL,NULL,1,0,0,1795998778170,1795998778175,1795998778179,NULL,NULL,2178955505,0,NULL);
INSERT INTO messages VALUES(2,'all','main','posted',1,NULL,'slack',1795998775398,NULL,NULL,NULL,NULL,1,0,0,1795998778170,1795998778182,1795998778185,NULL,NULL,2909098018,0,NULL);
INSERT INTO messages VALUES(3,'all','main','posted',1,NULL,'slack',1795998775423,NULL,NULL,NULL,NULL,1,0,0,1795998778170,1795998778190,1795998778192,NULL,NULL,3639273815,0,NULL);
INSERT INTO messages VALUES(4,'all','main','ready',1,'{"blocks":[{"text":{"text":"⛔ `203.0.113.3` banned in `c000003z` on `web-1`","type":"mrkdwn","verbatim":true},"type":"section"},{"elements":[{"text":"3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","type":"mrkdwn","verbatim":true}],"type":"context"}],"text":"⛔ `203.0.113.3` banned in `c000003z` on `web-1`\n3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","unfurl_links":false,"unfurl_media":false}','slack',1795998779246,NULL,NULL,NULL,NULL,5,5,0,0,1795998782245,NULL,NULL,'no connection: Connection refused (os error 111)',2526978208,0,NULL);
INSERT INTO messages VALUES(5,'all','main','ready',1,'{"blocks":[{"text":{"text":"⛔ `203.0.113.4` banned in `c000004z` on `web-1`","type":"mrkdwn","verbatim":true},"type":"section"},{"elements":[{"text":"3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","type":"mrkdwn","verbatim":true}],"type":"context"}],"text":"⛔ `203.0.113.4` banned in `c000004z` on `web-1`\n3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","unfurl_links":false,"unfurl_media":false}','slack',1795998779262,NULL,NULL,NULL,NULL,2,0,0,0,1795998781439,NULL,NULL,'no connection: Connection refused (os error 111)',1359264409,0,NULL);
INSERT INTO messages VALUES(6,'all','main','ready',1,'{"blocks":[{"text":{"text":"⛔ `203.0.113.5` banned in `c000005z` on `web-1`","type":"mrkdwn","verbatim":true},"type":"section"},{"elements":[{"text":"3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","type":"mrkdwn","verbatim":true}],"type":"context"}],"text":"⛔ `203.0.113.5` banned in `c000005z` on `web-1`\n3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","unfurl_links":false,"unfurl_media":false}','slack',1795998779274,NULL,NULL,NULL,NULL,1,0,0,0,1795998782247,NULL,NULL,'no connection: Connection refused (os error 111)',2105659978,0,NULL);
INSERT INTO messages VALUES(7,'all','main','ready',1,'{"blocks":[{"text":{"text":"⛔ `203.0.113.6` banned in `c000006z` on `web-1`","type":"mrkdwn","verbatim":true},"type":"section"},{"elements":[{"text":"3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","type":"mrkdwn","verbatim":true}],"type":"context"}],"text":"⛔ `203.0.113.6` banned in `c000006z` on `web-1`\n3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","unfurl_links":false,"unfurl_media":false}','slack',1795998779290,NULL,NULL,NULL,NULL,0,0,0,1795998779347,NULL,NULL,NULL,NULL,135162687,0,NULL);
INSERT INTO messages VALUES(8,'all','main','ready',1,'{"blocks":[{"text":{"text":"⛔ `203.0.113.7` banned in `c000007z` on `web-1`","type":"mrkdwn","verbatim":true},"type":"section"},{"elements":[{"text":"3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","type":"mrkdwn","verbatim":true}],"type":"context"}],"text":"⛔ `203.0.113.7` banned in `c000007z` on `web-1`\n3 failures · <!date^1795998779^{date_short_pretty} {time}|2026-11-30 00:32:59 UTC>","unfurl_links":false,"unfurl_media":false}','slack',1795998779306,NULL,NULL,NULL,NULL,0,0,0,1795998779347,NULL,NULL,NULL,NULL,613090284,0,NULL);
CREATE TABLE webhooks (
    name TEXT PRIMARY KEY,
    next_slot_at INTEGER NOT NULL DEFAULT 0,
    backoff_until INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    suspended_error TEXT,
    suspended_at INTEGER,
    url_hash TEXT,
    rejected TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
INSERT INTO webhooks VALUES('main',1795998782445,1795998782500,5,NULL,NULL,NULL,'');
CREATE TABLE recent_posts (route TEXT PRIMARY KEY, posts TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE mutes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    jail TEXT,
    subject TEXT,
    until INTEGER NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE plugins (
    route TEXT PRIMARY KEY,
    plugin TEXT NOT NULL,
    sha256 TEXT,
    version TEXT,
    since INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    error TEXT,
    paused_until INTEGER
) WITHOUT ROWID;
INSERT INTO plugins VALUES('all','template (built in)','8e559d59e3c4e9ee28b8e19a6f88967663391de568539d28da6e63b7455b5647','0.1.0',1795998781390,0,NULL,NULL);
CREATE TABLE bans (
    event INTEGER NOT NULL,
    at INTEGER NOT NULL,
    host TEXT NOT NULL,
    jail TEXT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (jail, at, event)
) WITHOUT ROWID;
INSERT INTO bans VALUES(1,1795998775350,'web-1','c000000z','203.0.113.0');
INSERT INTO bans VALUES(2,1795998775398,'web-1','c000001z','203.0.113.1');
INSERT INTO bans VALUES(3,1795998775423,'web-1','c000002z','203.0.113.2');
INSERT INTO bans VALUES(4,1795998779246,'web-1','c000003z','203.0.113.3');
INSERT INTO bans VALUES(5,1795998779262,'web-1','c000004z','203.0.113.4');
INSERT INTO bans VALUES(6,1795998779274,'web-1','c000005z','203.0.113.5');
INSERT INTO bans VALUES(7,1795998779290,'web-1','c000006z','203.0.113.6');
INSERT INTO bans VALUES(8,1795998779306,'web-1','c000007z','203.0.113.7');
CREATE TABLE jails (name TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO jails VALUES('c000000z');
INSERT INTO jails VALUES('c000001z');
INSERT INTO jails VALUES('c000002z');
INSERT INTO jails VALUES('c000003z');
INSERT INTO jails VALUES('c000004z');
INSERT INTO jails VALUES('c000005z');
INSERT INTO jails VALUES('c000006z');
INSERT INTO jails VALUES('c000007z');
CREATE TABLE ledger (route TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, state)) WITHOUT ROWID;
INSERT INTO ledger VALUES('','quarantined',0);
INSERT INTO ledger VALUES('','routed',8);
INSERT INTO ledger VALUES('','unmatched',0);
INSERT INTO ledger VALUES('all','matched',8);
INSERT INTO ledger VALUES('all','pending',5);
INSERT INTO ledger VALUES('all','posted',3);
CREATE TABLE pruned (route TEXT NOT NULL, state TEXT NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (route, state)) WITHOUT ROWID;
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('messages',8);
CREATE INDEX events_by_subject ON events (subject, jail, host, seq, logged);
CREATE INDEX routed_events_by_message ON routed_events (message, event) WHERE message IS NOT NULL;
CREATE INDEX unformatted_events ON routed_events (route, event) WHERE state = 'pending' AND message IS NULL;
CREATE INDEX messages_ready ON messages (webhook, parked, id) WHERE state = 'ready';
CREATE INDEX messages_unattempted ON messages (webhook, route, id) WHERE state = 'ready' AND attempts = 0;
CREATE INDEX messages_open ON messages (route, cause, key) WHERE state = 'open';
CREATE INDEX messages_dead ON messages (id) WHERE state = 'dead';
CREATE INDEX bans_of_subject ON bans (subject, at, jail, host, event);
CREATE INDEX bans_of_host ON bans (host, jail, at, subject, event);
CREATE TRIGGER routed_event_inserted AFTER INSERT ON routed_events BEGIN
    INSERT INTO ledger VALUES (new.route, 'matched', 1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER routed_event_moved AFTER UPDATE OF state ON routed_events BEGIN
    INSERT INTO ledger VALUES (new.route, old.state, -1), (new.route, new.state, 1)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER message_moved AFTER UPDATE OF state ON messages WHEN new.events > 0 BEGIN
    INSERT INTO ledger VALUES
        (new.route, CASE old.state WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead' ELSE old.state END, -old.events),
        (new.route, CASE new.state WHEN 'open' THEN 'pending' WHEN 'ready' THEN 'pending' WHEN 'dropped' THEN 'dead' ELSE new.state END, new.events)
        ON CONFLICT DO UPDATE SET n = n + excluded.n;
END;
CREATE TRIGGER notice_finished AFTER UPDATE OF state ON messages WHEN new.events = 0 AND new.state NOT IN ('open', 'ready') BEGIN
    DELETE FROM messages WHERE id = new.id;
END;
CREATE TRIGGER routed_event_pruned BEFORE DELETE ON routed_events BEGIN
    INSERT INTO pruned
        SELECT old.route, coalesce((SELECT CASE state WHEN 'dropped' THEN 'dead' ELSE state END FROM messages WHERE id = old.message), old.state), 1
        ON CONFLICT DO UPDATE SET n = n + 1;
    INSERT INTO pruned VALUES (old.route, 'matched', 1) ON CONFLICT DO UPDATE SET n = n + 1;
END;
COMMIT;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
