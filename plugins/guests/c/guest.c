// The example plugin in C: posts bans, skips events that are not news, and holds flushes for a digest.
//
// The generated code frees the result of `format` once the host has read it, so all of it comes from malloc. Nothing else
// is freed: the instance, with its memory, ends with the event.

#include <stdlib.h>
#include <string.h>

#include "plugin.h"

typedef plugin_string_t string;
typedef plugin_list_string_t list_string;
typedef banhook_plugin_types_ban_t ban;
typedef banhook_plugin_messages_block_t block;
typedef banhook_plugin_messages_field_t field;
typedef banhook_plugin_messages_message_t message;
typedef banhook_plugin_messages_span_t span;
typedef banhook_plugin_messages_text_t text;
typedef exports_banhook_plugin_formatter_decision_t decision;
typedef exports_banhook_plugin_formatter_event_t event;
typedef exports_banhook_plugin_formatter_option_timestamp_t option_timestamp;

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL) abort();
    return memory;
}

// A string literal, not copied.
#define LITERAL(chars) ((string){(uint8_t *)(chars), sizeof(chars) - 1})

// Concatenates the given strings in new memory.
#define CONCAT(...) \
    concat(sizeof((string[]){__VA_ARGS__}) / sizeof(string), (string[]){__VA_ARGS__})

static string concat(size_t count, const string *parts) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++) len += parts[i].len;
    string all = {allocate(len + 1), 0};
    for (size_t i = 0; i < count; i++) {
        memcpy(all.ptr + all.len, parts[i].ptr, parts[i].len);
        all.len += parts[i].len;
    }
    return all;
}

static bool equal(string a, string b) {
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

// Formats a decimal number with at least that many digits.
static string number(uint32_t value, size_t digits) {
    uint8_t reversed[10];
    size_t len = 0;
    do {
        reversed[len++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0 || len < digits);
    string decimal = {allocate(len), len};
    for (size_t i = 0; i < len; i++) decimal.ptr[i] = reversed[len - 1 - i];
    return decimal;
}

static bool parse(string decimal, uint32_t *value) {
    uint64_t parsed = 0;
    for (size_t i = 0; i < decimal.len; i++) {
        if (decimal.ptr[i] < '0' || decimal.ptr[i] > '9') return false;
        parsed = parsed * 10 + (decimal.ptr[i] - '0');
        if (parsed > UINT32_MAX) return false;
    }
    *value = (uint32_t)parsed;
    return decimal.len > 0;
}

static bool setting(string key, string *value) {
    return banhook_plugin_settings_get(&key, value);
}

static void write_log(const event *event) {
    string line = CONCAT(event->jail, LITERAL(" on "), event->host);
    banhook_plugin_log_write(BANHOOK_PLUGIN_LOG_LEVEL_INFO, &line);

    plugin_list_tuple2_string_string_t all;
    banhook_plugin_settings_all(&all);
    line = LITERAL("settings: ");
    for (size_t i = 0; i < all.len; i++) line = CONCAT(line, i > 0 ? LITERAL(", ") : LITERAL(""), all.ptr[i].f0);
    banhook_plugin_log_write(BANHOOK_PLUGIN_LOG_LEVEL_DEBUG, &line);
}

// Formats in the route's time zone, as in `Sunday 2026-11-22 11:56`.
static string local_time(banhook_plugin_types_timestamp_t at) {
    static const char *const weekdays[] = {
        "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday",
    };
    banhook_plugin_clock_local_time_t local;
    banhook_plugin_clock_local(at, &local);
    string weekday = {(uint8_t *)weekdays[local.weekday], strlen(weekdays[local.weekday])};
    return CONCAT(weekday, LITERAL(" "), number((uint32_t)local.year, 1), LITERAL("-"), number(local.month, 2),
                  LITERAL("-"), number(local.day, 2), LITERAL(" "), number(local.hour, 2), LITERAL(":"),
                  number(local.minute, 2));
}

// The host escapes spans of `rich` text, so text from outside needs no escaping here.
static text rich(size_t count, const span *spans) {
    text rich = {.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_RICH, .val.rich = {allocate(count * sizeof(span)), count}};
    memcpy(rich.val.rich.ptr, spans, count * sizeof(span));
    return rich;
}

// The label `site` of the configuration.
static const string *site(const event *event) {
    for (size_t i = 0; i < event->labels.len; i++) {
        if (equal(event->labels.ptr[i].f0, LITERAL("site"))) return &event->labels.ptr[i].f1;
    }
    return NULL;
}

static list_string list_of(string text) {
    list_string list = {allocate(sizeof text), 1};
    list.ptr[0] = text;
    return list;
}

static span plain(string text) {
    return (span){.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_TEXT, .val.text = {.text = text}};
}

static span styled(string text, banhook_plugin_messages_style_t style) {
    return (span){.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_TEXT, .val.text = {.text = text, .style = {true, style}}};
}

static text headline(const event *event, const ban *ban) {
    string end = CONCAT(LITERAL(" on "), event->host);
    const string *place = site(event);
    if (place != NULL) end = CONCAT(end, LITERAL(" ("), *place, LITERAL(")"));
    span spans[10] = {
        {.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_EMOJI, .val.emoji = CONCAT(LITERAL("no_entry"))},
        plain(CONCAT(LITERAL(" "))),
        styled(CONCAT(ban->subject.is_some ? ban->subject.val : LITERAL("somebody")), BANHOOK_PLUGIN_MESSAGES_STYLE_CODE),
        plain(CONCAT(LITERAL(" banned in "))),
        styled(CONCAT(event->jail), BANHOOK_PLUGIN_MESSAGES_STYLE_BOLD),
        plain(end),
    };
    size_t count = 6;
    if (ban->began.is_some) {
        spans[count++] = plain(CONCAT(LITERAL(", ")));
        spans[count++] = (span){
            .tag = BANHOOK_PLUGIN_MESSAGES_SPAN_DATE,
            .val.date = {.at = ban->began.val, .format = {true, BANHOOK_PLUGIN_MESSAGES_DATE_FORMAT_RELATIVE}},
        };
    }
    string user;
    if (setting(LITERAL("call"), &user)) {
        spans[count++] = plain(CONCAT(LITERAL(" ")));
        spans[count++] = (span){
            .tag = BANHOOK_PLUGIN_MESSAGES_SPAN_MENTION,
            .val.mention = {.tag = BANHOOK_PLUGIN_MESSAGES_MENTION_USER, .val.user = CONCAT(user)},
        };
    }
    return rich(count, spans);
}

static void add_field(banhook_plugin_messages_list_field_t *fields, string label, string value) {
    fields->ptr[fields->len++] = (field){
        .label = CONCAT(label),
        .value = {.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_PLAIN, .val.plain = value},
    };
}

static block section(const event *event, const ban *ban) {
    banhook_plugin_messages_list_field_t fields = {allocate(5 * sizeof(field)), 0};
    if (ban->failures.is_some) add_field(&fields, LITERAL("Failures"), number(ban->failures.val, 1));
    if (ban->by_hand.is_some && ban->by_hand.val) add_field(&fields, LITERAL("By hand"), CONCAT(LITERAL("yes")));
    if (ban->count.is_some) add_field(&fields, LITERAL("Bans so far"), number(ban->count.val, 1));
    if (ban->duration.is_some) {
        bool permanent = ban->duration.val.tag == BANHOOK_PLUGIN_TYPES_DURATION_PERMANENT;
        add_field(&fields, LITERAL("For"),
                  permanent ? CONCAT(LITERAL("permanent"))
                            : CONCAT(number(ban->duration.val.val.seconds, 1), LITERAL(" s")));
    }
    add_field(&fields, LITERAL("Local time"), local_time(event->at));
    block section = {
        .tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_SECTION,
        .val.section = {.text = {true, headline(event, ban)}, .fields = {true, fields}},
    };
    string picture;
    if (setting(LITERAL("picture"), &picture)) {
        section.val.section.accessory.is_some = true;
        section.val.section.accessory.val.url = CONCAT(picture);
        section.val.section.accessory.val.alt = CONCAT(LITERAL("a picture"));
    }
    return section;
}

// The log lines: one as it is, several as a list.
static block matches(const ban *ban) {
    if (ban->matches.len == 1) {
        return (block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_PREFORMATTED, .val.preformatted = CONCAT(ban->matches.ptr[0])};
    }
    text *lines = allocate(ban->matches.len * sizeof *lines);
    for (size_t i = 0; i < ban->matches.len; i++) {
        lines[i] = (text){.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_PLAIN, .val.plain = CONCAT(ban->matches.ptr[i])};
    }
    return (block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_BULLETS, .val.bullets = {lines, ban->matches.len}};
}

static block runbook(string url) {
    span link = {
        .tag = BANHOOK_PLUGIN_MESSAGES_SPAN_LINK,
        .val.link = {.label = {true, CONCAT(LITERAL("What to do"))}, .url = CONCAT(url)},
    };
    banhook_plugin_messages_context_element_t *element = allocate(sizeof *element);
    element->tag = BANHOOK_PLUGIN_MESSAGES_CONTEXT_ELEMENT_TEXT;
    element->val.text = rich(1, &link);
    return (block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_CONTEXT, .val.context = {element, 1}};
}

static message post(const event *event, const ban *ban) {
    banhook_plugin_messages_list_block_t blocks = {allocate(3 * sizeof(block)), 0};
    blocks.ptr[blocks.len++] = section(event, ban);
    if (ban->matches.len > 0) blocks.ptr[blocks.len++] = matches(ban);
    string url;
    if (setting(LITERAL("runbook"), &url)) blocks.ptr[blocks.len++] = runbook(url);
    message message = {
        .text = headline(event, ban),
        .blocks = {true, blocks},
        // All bans in a jail are one conversation.
        .thread = {true, CONCAT(event->jail)},
        .name = {true, CONCAT(event->id)},
    };
    if (ban->by_hand.is_some && ban->by_hand.val) {
        message.color.is_some = true;
        message.color.val.tag = BANHOOK_PLUGIN_MESSAGES_COLOR_RGB;
        message.color.val.val.rgb = (plugin_tuple3_u8_u8_u8_t){0x80, 0x40, 0xc0};
    }
    if (ban->duration.is_some && ban->duration.val.tag == BANHOOK_PLUGIN_TYPES_DURATION_PERMANENT) {
        message.color.is_some = true;
        message.color.val.tag = BANHOOK_PLUGIN_MESSAGES_COLOR_DANGER;
        // A permanent ban does not vanish in a storm's digest; in that of a backlog it counts as permanent.
        plugin_tuple2_string_string_t *never = allocate(sizeof *never);
        *never = (plugin_tuple2_string_string_t){CONCAT(LITERAL("digest")), CONCAT(LITERAL("never"))};
        message.hints.is_some = true;
        message.hints.val = (plugin_list_tuple2_string_string_t){never, 1};
        message.tags.is_some = true;
        message.tags.val = list_of(CONCAT(LITERAL("permanent")));
    }
    return message;
}

// Sets when the digest closes, from the setting `hold` (seconds). Returns false and sets `error` if it is invalid.
static bool until(option_timestamp *at, string *error) {
    string hold;
    at->is_some = setting(LITERAL("hold"), &hold);
    if (!at->is_some) return true;
    uint32_t seconds;
    if (!parse(hold, &seconds)) {
        *error = CONCAT(LITERAL("setting \"hold\" is no number of seconds: "), hold);
        return false;
    }
    at->val = banhook_plugin_clock_now() + seconds * 1000.0;
    return true;
}

static decision hold(const event *event) {
    decision decided = {.tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_HOLD};
    decided.val.hold.key = CONCAT(event->jail);
    decided.val.hold.tags.is_some = true;
    const string *place = site(event);
    if (place != NULL) decided.val.hold.tags.val = list_of(CONCAT(*place));
    return decided;
}

static decision skip(string reason) {
    return (decision){.tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_SKIP, .val.skip = CONCAT(reason)};
}

// Sets `decided` and returns true, or sets `error` and returns false.
bool exports_banhook_plugin_formatter_format(event *event, decision *decided, string *error) {
    write_log(event);

    string retired;
    if (setting(LITERAL("retired"), &retired) && equal(retired, event->host)) {
        *error = CONCAT(event->host, LITERAL(" is retired and should not ban anybody"));
        return false;
    }
    switch (event->action.tag) {
    case BANHOOK_PLUGIN_TYPES_ACTION_FLUSH:
        *decided = hold(event);
        return until(&decided->val.hold.until, error);
    case BANHOOK_PLUGIN_TYPES_ACTION_BAN:
        if (event->action.val.ban.restored) {
            *decided = skip(LITERAL("told before the restart"));
            return true;
        }
        decided->tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_POST;
        decided->val.post = post(event, &event->action.val.ban);
        return true;
    default:
        *decided = skip(LITERAL("only bans are told"));
        return true;
    }
}
