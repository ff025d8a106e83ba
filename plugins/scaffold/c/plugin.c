// {{name}}: what becomes of an event.
//
// The generated code frees the result of a function once the host has read it, so all of it comes from malloc. Nothing
// else is freed: the instance, with its memory, ends with the event.

#include <stdlib.h>
#include <string.h>

#include "mine.h"

typedef mine_string_t string;
typedef banhook_plugin_messages_message_t message;
typedef banhook_plugin_messages_span_t span;
typedef banhook_plugin_messages_text_t text;
typedef banhook_plugin_types_ban_t ban;
typedef banhook_plugin_types_event_t event;
typedef exports_banhook_plugin_formatter_decision_t decision;

// A string literal, not copied.
#define LITERAL(chars) ((string){(uint8_t *)(chars), sizeof(chars) - 1})

// The given strings one after the other, in new memory.
#define CONCAT(...) concat(sizeof((string[]){__VA_ARGS__}) / sizeof(string), (string[]){__VA_ARGS__})

static void *allocate(size_t bytes) {
    void *memory = malloc(bytes);
    if (memory == NULL) abort();
    return memory;
}

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

static bool starts_with(string text, string start) {
    return text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}
// @if numbers

static string number(uint32_t value) {
    uint8_t reversed[10];
    size_t len = 0;
    do {
        reversed[len++] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    string decimal = {allocate(len), len};
    for (size_t i = 0; i < len; i++) decimal.ptr[i] = reversed[len - 1 - i];
    return decimal;
}
// @end

static bool setting(string key, string *value) {
    return banhook_plugin_settings_get(&key, value);
}

static span styled(string text, banhook_plugin_messages_style_t style) {
    return (span){
        .tag = BANHOOK_PLUGIN_MESSAGES_SPAN_TEXT,
        .val.text = {.text = CONCAT(text), .style = {style != 0, style}},
    };
}

static span plain(string text) {
    return styled(text, 0);
}

static decision skip(string reason) {
    return (decision){.tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_SKIP, .val.skip = CONCAT(reason)};
}
// @if history

// How many times a subject was banned within a week, this time included.
static uint32_t times_banned(string subject) {
    banhook_plugin_history_query_t query = {
        .subject = {true, {.tag = BANHOOK_PLUGIN_HISTORY_SUBJECT_QUERY_EXACT, .val.exact = subject}},
        .within = {true, 7 * 86400},
    };
    banhook_plugin_history_summary_t past;
    banhook_plugin_history_error_t error;
    // banhook logs why there is no answer.
    return banhook_plugin_history_bans(&query, &past, &error) ? past.bans + 1 : 1;
}
// @end
// @if geo

// The country in which an address is registered. Returns false if it is not known.
static bool where_from(string subject, string *country) {
    banhook_plugin_geo_option_place_t place;
    banhook_plugin_geo_error_t error;
    // banhook logs why there is no answer.
    if (!banhook_plugin_geo_lookup(&subject, &place, &error) || !place.is_some) return false;
    if (place.val.country_name.is_some) {
        *country = place.val.country_name.val;
    } else if (place.val.country.is_some) {
        *country = place.val.country.val;
    } else {
        return false;
    }
    return true;
}
// @end

// Text of `rich` is shown as it is, whatever an attacker wrote into it.
static message message_of(const event *event, const ban *ban) {
    bool is_ban = event->action.tag == BANHOOK_PLUGIN_TYPES_ACTION_BAN;
    span *spans = allocate(8 * sizeof *spans);
    size_t count = 0;
    spans[count++] = (span){
        .tag = BANHOOK_PLUGIN_MESSAGES_SPAN_EMOJI,
        .val.emoji = CONCAT(is_ban ? LITERAL("no_entry") : LITERAL("white_check_mark")),
    };
    spans[count++] = plain(LITERAL(" "));
    spans[count++] = styled(ban->subject.is_some ? ban->subject.val : LITERAL("somebody"), BANHOOK_PLUGIN_MESSAGES_STYLE_CODE);
    spans[count++] = plain(is_ban ? LITERAL(" banned in ") : LITERAL(" unbanned in "));
    spans[count++] = styled(event->jail, BANHOOK_PLUGIN_MESSAGES_STYLE_BOLD);
    spans[count++] = plain(CONCAT(LITERAL(" on "), event->host));
    // @if geo
    string place;
    if (ban->subject.is_some && where_from(ban->subject.val, &place)) {
        spans[count++] = plain(CONCAT(LITERAL(", from "), place));
    }
    // @end
    // @if history
    uint32_t times = is_ban && ban->subject.is_some ? times_banned(ban->subject.val) : 1;
    if (times > 1) spans[count++] = plain(CONCAT(LITERAL(", ban "), number(times), LITERAL(" within a week")));
    // @end
    return (message){.text = {.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_RICH, .val.rich = {spans, count}}};
}

// Posts a message, skips the event for a reason, or holds it for a digest. Sets `decided` and returns true, or sets `error`
// and returns false.
bool exports_banhook_plugin_formatter_format(event *event, decision *decided, string *error) {
    (void)error;
    if (event->action.tag != BANHOOK_PLUGIN_TYPES_ACTION_BAN && event->action.tag != BANHOOK_PLUGIN_TYPES_ACTION_UNBAN) {
        *decided = skip(LITERAL("only bans and unbans"));
        return true;
    }
    const ban *ban = &event->action.val.ban;
    if (ban->restored) {
        *decided = skip(LITERAL("restored after a restart"));
        return true;
    }
    string office;
    if (setting(LITERAL("office"), &office) && ban->subject.is_some && starts_with(ban->subject.val, office)) {
        *decided = skip(LITERAL("our own office"));
        return true;
    }
    decided->tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_POST;
    decided->val.post = message_of(event, ban);
    return true;
}
// @if digest

bool exports_banhook_plugin_digester_digest(
    exports_banhook_plugin_digester_batch_t *batch, exports_banhook_plugin_digester_decision_t *decided, string *error
) {
    (void)error;
    const exports_banhook_plugin_digester_totals_t *totals = &batch->totals;
    decided->tag = EXPORTS_BANHOOK_PLUGIN_DIGESTER_DECISION_POST;
    message digest = {.text = {.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_PLAIN}};
    if (totals->bans == 0) {
        // banhook's own text goes out.
        mine_tuple2_string_string_t *built_in = allocate(sizeof *built_in);
        *built_in = (mine_tuple2_string_string_t){CONCAT(LITERAL("digest")), CONCAT(LITERAL("built-in"))};
        digest.hints.is_some = true;
        digest.hints.val = (mine_list_tuple2_string_string_t){built_in, 1};
        digest.text.val.plain = CONCAT(number(totals->events), LITERAL(" events"));
    } else {
        string jails = {NULL, 0};
        for (size_t i = 0; i < totals->by_jail.len; i++) {
            const exports_banhook_plugin_digester_tally_t *jail = &totals->by_jail.ptr[i];
            jails = CONCAT(jails, i > 0 ? LITERAL(", ") : LITERAL(""), jail->name, LITERAL(" "), number(jail->bans));
        }
        digest.text.val.plain = CONCAT(number(totals->bans), LITERAL(" bans of "), number(totals->subjects),
                                       LITERAL(" subjects: "), jails);
    }
    decided->val.post = digest;
    return true;
}
// @end
// @if check

void exports_banhook_plugin_descriptor_describe(exports_banhook_plugin_descriptor_description_t *description) {
    exports_banhook_plugin_descriptor_setting_t *office = allocate(sizeof *office);
    *office = (exports_banhook_plugin_descriptor_setting_t){
        .name = CONCAT(LITERAL("office")),
        .kind = EXPORTS_BANHOOK_PLUGIN_DESCRIPTOR_SETTING_KIND_TEXT,
        .description = CONCAT(LITERAL("What the addresses of our own office begin with")),
    };
    *description = (exports_banhook_plugin_descriptor_description_t){
        .name = CONCAT(LITERAL("{{name}}")),
        .version = {true, CONCAT(LITERAL("0.1.0"))},
        .settings = {office, 1},
    };
}

void exports_banhook_plugin_checker_check(exports_banhook_plugin_checker_list_problem_t *problems) {
    string office;
    *problems = (exports_banhook_plugin_checker_list_problem_t){NULL, 0};
    if (!setting(LITERAL("office"), &office) || office.len > 0) return;
    problems->ptr = allocate(sizeof *problems->ptr);
    problems->len = 1;
    problems->ptr[0] = (exports_banhook_plugin_checker_problem_t){
        .setting = {true, CONCAT(LITERAL("office"))},
        .level = EXPORTS_BANHOOK_PLUGIN_CHECKER_LEVEL_ERROR,
        .message = CONCAT(LITERAL("every address begins with an empty text; leave the setting out instead")),
    };
}
// @end
