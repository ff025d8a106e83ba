// Plugins for banhook in C: short names and constructors over the generated mine.h, whose comments are the reference.
//
// A plugin defines plugin_format, and what else its world exports: plugin_digest, plugin_describe and plugin_check.
//
// Text is a bh_string. Macros with a `...` take texts, C strings, numbers and bool values as they are: they make text of
// each. Nothing has to be freed, and free does nothing: the instance, with its memory, ends with the event.

#ifndef BANHOOK_PLUGIN_H
#define BANHOOK_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mine.h"

// Events, and what is said of them.
typedef mine_string_t bh_string;
typedef banhook_plugin_types_event_t bh_event;
typedef banhook_plugin_types_ban_t bh_ban;
typedef banhook_plugin_types_timestamp_t bh_timestamp;

// Messages. `(bh_message){.text = …}` has no more than a text; what is left out is absent.
typedef banhook_plugin_messages_message_t bh_message;
typedef banhook_plugin_messages_text_t bh_text;
typedef banhook_plugin_messages_span_t bh_span;
typedef banhook_plugin_messages_style_t bh_style;
typedef banhook_plugin_messages_block_t bh_block;
typedef banhook_plugin_messages_field_t bh_field;
typedef banhook_plugin_messages_button_t bh_button;
typedef banhook_plugin_messages_option_color_t bh_color;

// What becomes of an event, or of a digest. `hold` is a digest's `until`, too.
typedef exports_banhook_plugin_formatter_hold_t bh_hold;
typedef struct {
    enum { BH_POST, BH_SKIP, BH_HOLD, BH_ERROR } kind;
    bh_message message;
    bh_string reason;
    bh_hold hold;
} bh_decision;

// Decides on one event: bh_post, bh_skip, bh_hold_for or bh_fail. Defined by the plugin.
bh_decision plugin_format(const bh_event *event);

#ifdef EXPORTS_BANHOOK_PLUGIN_DIGESTER_DECISION_POST
typedef exports_banhook_plugin_digester_batch_t bh_batch;
typedef exports_banhook_plugin_digester_totals_t bh_totals;
typedef exports_banhook_plugin_digester_tally_t bh_tally;

// Decides on a digest that closes: bh_post, bh_skip, bh_hold_until or bh_fail. Defined by the plugin.
bh_decision plugin_digest(const bh_batch *batch);
#endif

#ifdef EXPORTS_BANHOOK_PLUGIN_CHECKER_LEVEL_ERROR
typedef exports_banhook_plugin_descriptor_description_t bh_description;
typedef exports_banhook_plugin_descriptor_setting_t bh_setting;
typedef exports_banhook_plugin_descriptor_list_setting_t bh_settings;
typedef exports_banhook_plugin_checker_problem_t bh_problem;
typedef exports_banhook_plugin_checker_list_problem_t bh_problems;

// Says what the plugin is and which settings it has. Defined by the plugin.
bh_description plugin_describe(void);

// Finds what is wrong with the settings; `(bh_problems){0}` is nothing. Defined by the plugin.
bh_problems plugin_check(void);
#endif

// `f` of each of up to 16 arguments; how many arguments there are; how many values of a type.
#define BH_1(f, x) f(x)
#define BH_2(f, x, ...) f(x), BH_1(f, __VA_ARGS__)
#define BH_3(f, x, ...) f(x), BH_2(f, __VA_ARGS__)
#define BH_4(f, x, ...) f(x), BH_3(f, __VA_ARGS__)
#define BH_5(f, x, ...) f(x), BH_4(f, __VA_ARGS__)
#define BH_6(f, x, ...) f(x), BH_5(f, __VA_ARGS__)
#define BH_7(f, x, ...) f(x), BH_6(f, __VA_ARGS__)
#define BH_8(f, x, ...) f(x), BH_7(f, __VA_ARGS__)
#define BH_9(f, x, ...) f(x), BH_8(f, __VA_ARGS__)
#define BH_10(f, x, ...) f(x), BH_9(f, __VA_ARGS__)
#define BH_11(f, x, ...) f(x), BH_10(f, __VA_ARGS__)
#define BH_12(f, x, ...) f(x), BH_11(f, __VA_ARGS__)
#define BH_13(f, x, ...) f(x), BH_12(f, __VA_ARGS__)
#define BH_14(f, x, ...) f(x), BH_13(f, __VA_ARGS__)
#define BH_15(f, x, ...) f(x), BH_14(f, __VA_ARGS__)
#define BH_16(f, x, ...) f(x), BH_15(f, __VA_ARGS__)
#define BH_PICK(_1, _2, _3, _4, _5, _6, _7, _8, _9, _10, _11, _12, _13, _14, _15, _16, picked, ...) picked
#define BH_EACH(f, ...)                                                                                               \
    BH_PICK(__VA_ARGS__, BH_16, BH_15, BH_14, BH_13, BH_12, BH_11, BH_10, BH_9, BH_8, BH_7, BH_6, BH_5, BH_4, BH_3,   \
            BH_2, BH_1, )(f, __VA_ARGS__)
#define BH_NUMBER(...) BH_PICK(__VA_ARGS__, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, )
#define BH_COUNT(type, ...) (sizeof((type[]){__VA_ARGS__}) / sizeof(type))

// Text.

bh_string bh_of_string(bh_string text);
bh_string bh_of_chars(const char *chars);
bh_string bh_of_bool(bool value);
bh_string bh_of_signed(long long value);
bh_string bh_of_unsigned(unsigned long long value);
// Exists for its message: of an option, its `val` is meant, or bh_or.
struct bh_needs_a_string_a_number_or_a_bool_such_as_the_val_of_an_option;
bh_string bh_of_other(struct bh_needs_a_string_a_number_or_a_bool_such_as_the_val_of_an_option value);

// A value as text: a bh_string, a C string, a number or a bool.
#define bh_str(value)                                                                                                 \
    _Generic((value),                                                                                                 \
        bh_string: bh_of_string,                                                                                      \
        char *: bh_of_chars,                                                                                          \
        const char *: bh_of_chars,                                                                                    \
        bool: bh_of_bool,                                                                                             \
        signed char: bh_of_signed,                                                                                    \
        short: bh_of_signed,                                                                                          \
        int: bh_of_signed,                                                                                            \
        long: bh_of_signed,                                                                                           \
        long long: bh_of_signed,                                                                                      \
        unsigned char: bh_of_unsigned,                                                                                \
        unsigned short: bh_of_unsigned,                                                                               \
        unsigned int: bh_of_unsigned,                                                                                 \
        unsigned long: bh_of_unsigned,                                                                                \
        unsigned long long: bh_of_unsigned,                                                                           \
        default: bh_of_other)(value)

// The given values as one text: bh_concat("ban ", count, " in ", event->jail).
#define bh_concat(...) bh_join(BH_NUMBER(__VA_ARGS__), (bh_string[]){BH_EACH(bh_str, __VA_ARGS__)})
bh_string bh_join(size_t count, const bh_string *parts);

bool bh_equal(bh_string a, bh_string b);
bool bh_starts_with(bh_string text, bh_string start);

// Reads a decimal number. Returns false, and leaves the number alone, if the text is not one.
bool bh_parse(bh_string decimal, uint32_t *number);

// The text of an option, or another one: bh_or(ban->subject, "somebody").
#define bh_or(option, other) ((option).is_some ? (option).val : bh_str(other))

// An optional text that is there.
#define bh_some(text) ((mine_option_string_t){true, bh_str(text)})

// Lines for banhook's log, which `banhook test` shows.
#define bh_debug(...) bh_log(BANHOOK_PLUGIN_LOG_LEVEL_DEBUG, bh_concat(__VA_ARGS__))
#define bh_info(...) bh_log(BANHOOK_PLUGIN_LOG_LEVEL_INFO, bh_concat(__VA_ARGS__))
#define bh_warn(...) bh_log(BANHOOK_PLUGIN_LOG_LEVEL_WARN, bh_concat(__VA_ARGS__))
#define bh_error(...) bh_log(BANHOOK_PLUGIN_LOG_LEVEL_ERROR, bh_concat(__VA_ARGS__))
void bh_log(banhook_plugin_log_level_t level, bh_string line);

// Logs where it is, and the given values, and ends the plugin.
#define bh_panic(...) bh_panic_with(bh_concat(__FILE__, ":", __LINE__, ": ", __VA_ARGS__))
// The same if a condition does not hold. `assert` of the C library is off, and would need WASI to print.
#define bh_assert(condition) ((condition) ? (void)0 : bh_panic("assertion failed: " #condition))
_Noreturn void bh_panic_with(bh_string line);

// Copies what outlives the function that made it.
void *bh_copy(const void *values, size_t bytes);

// Decisions.

bh_decision bh_post(bh_message message);
#define bh_skip(...) bh_skip_for(bh_concat(__VA_ARGS__))
bh_decision bh_skip_for(bh_string reason);

// Holds an event to be grouped with others: bh_hold_for((bh_hold){.key = event->jail}).
bh_decision bh_hold_for(bh_hold hold);

// Keeps a digest open until then.
bh_decision bh_hold_until(bh_timestamp until);

// The event, or the built-in digest, goes out with this error.
#define bh_fail(...) bh_fail_with(bh_concat(__VA_ARGS__))
bh_decision bh_fail_with(bh_string error);

// Texts of messages. Nothing of bh_plain and bh_rich can format, link or mention, whatever an attacker wrote.

#define bh_plain(...) ((bh_text){.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_PLAIN, .val.plain = bh_concat(__VA_ARGS__)})

// Spans, one after the other.
#define bh_rich(...) bh_rich_of(BH_COUNT(bh_span, __VA_ARGS__), (bh_span[]){__VA_ARGS__})
bh_text bh_rich_of(size_t count, const bh_span *spans);
// Adds a span to a rich text.
void bh_add(bh_text *rich, bh_span span);

// Slack's mrkdwn. Markup is in C strings; a bh_string is text from outside, and is escaped:
// bh_mrkdwn("*", event->jail, "* on ", event->host).
#define bh_mrkdwn(...)                                                                                                \
    ((bh_text){.tag = BANHOOK_PLUGIN_MESSAGES_TEXT_MRKDWN,                                                            \
               .val.mrkdwn = bh_join(BH_NUMBER(__VA_ARGS__), (bh_string[]){BH_EACH(bh_markup, __VA_ARGS__)})})
#define bh_markup(value) _Generic((value), bh_string: bh_escape, default: bh_of_string)(bh_str(value))
bh_string bh_escape(bh_string text);

// Spans.
#define bh_span_text(...) bh_styled(0, __VA_ARGS__)
#define bh_bold(...) bh_styled(BANHOOK_PLUGIN_MESSAGES_STYLE_BOLD, __VA_ARGS__)
#define bh_italic(...) bh_styled(BANHOOK_PLUGIN_MESSAGES_STYLE_ITALIC, __VA_ARGS__)
#define bh_strike(...) bh_styled(BANHOOK_PLUGIN_MESSAGES_STYLE_STRIKE, __VA_ARGS__)
#define bh_code(...) bh_styled(BANHOOK_PLUGIN_MESSAGES_STYLE_CODE, __VA_ARGS__)
#define bh_styled(style, ...) bh_styled_as(style, bh_concat(__VA_ARGS__))
bh_span bh_styled_as(bh_style style, bh_string text);
// An emoji by Slack's name, without colons.
#define bh_emoji(name) ((bh_span){.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_EMOJI, .val.emoji = bh_str(name)})
// A link; the URL is http or https.
#define bh_link(label_, url_)                                                                                         \
    ((bh_span){.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_LINK, .val.link = {.label = bh_some(label_), .url = bh_str(url_)}})
// A moment, in the reader's own time zone: bh_date(event->at, BANHOOK_PLUGIN_MESSAGES_DATE_FORMAT_RELATIVE).
bh_span bh_date(bh_timestamp at, banhook_plugin_messages_date_format_t format);
// Notifies a user, if the route has `mentions = true`.
#define bh_mention_user(id)                                                                                           \
    ((bh_span){.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_MENTION,                                                           \
               .val.mention = {.tag = BANHOOK_PLUGIN_MESSAGES_MENTION_USER, .val.user = bh_str(id)}})

// The other fields of a message: `.color = BH_DANGER, .blocks = bh_blocks(bh_header("Ban"), bh_section(text))`.

#define BH_GOOD ((bh_color){true, {.tag = BANHOOK_PLUGIN_MESSAGES_COLOR_GOOD}})
#define BH_WARNING ((bh_color){true, {.tag = BANHOOK_PLUGIN_MESSAGES_COLOR_WARNING}})
#define BH_DANGER ((bh_color){true, {.tag = BANHOOK_PLUGIN_MESSAGES_COLOR_DANGER}})
#define bh_rgb(red, green, blue)                                                                                      \
    ((bh_color){true, {.tag = BANHOOK_PLUGIN_MESSAGES_COLOR_RGB, .val.rgb = {red, green, blue}}})
// Texts, such as tags.
#define bh_strings(...) bh_strings_of(BH_NUMBER(__VA_ARGS__), (bh_string[]){BH_EACH(bh_str, __VA_ARGS__)})
mine_option_list_string_t bh_strings_of(size_t count, const bh_string *strings);
// One hint: its name and its value.
#define bh_hint(name, value) bh_hint_of(bh_str(name), bh_str(value))
mine_option_list_tuple2_string_string_t bh_hint_of(bh_string name, bh_string value);

#define bh_blocks(...) bh_blocks_of(BH_COUNT(bh_block, __VA_ARGS__), (bh_block[]){__VA_ARGS__})
banhook_plugin_messages_option_list_block_t bh_blocks_of(size_t count, const bh_block *blocks);

// Blocks.
#define bh_header(...) ((bh_block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_HEADER, .val.header = bh_concat(__VA_ARGS__)})
bh_block bh_section(bh_text text);
#define bh_fields(...) bh_fields_of(BH_COUNT(bh_field, __VA_ARGS__), (bh_field[]){__VA_ARGS__})
bh_block bh_fields_of(size_t count, const bh_field *fields);
#define bh_field(label_, ...) ((bh_field){.label = bh_str(label_), .value = bh_plain(__VA_ARGS__)})
bh_block bh_context(bh_text text);
bh_block bh_divider(void);
#define bh_buttons(...) bh_buttons_of(BH_COUNT(bh_button, __VA_ARGS__), (bh_button[]){__VA_ARGS__})
bh_block bh_buttons_of(size_t count, const bh_button *buttons);
// A link that looks like a button; the URL is http or https.
#define bh_button(label_, url_) ((bh_button){.label = bh_str(label_), .url = bh_str(url_)})
#define bh_preformatted(...)                                                                                          \
    ((bh_block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_PREFORMATTED, .val.preformatted = bh_concat(__VA_ARGS__)})
#define bh_raw(...) ((bh_block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_RAW, .val.raw = bh_concat(__VA_ARGS__)})
#define bh_bullets(...) bh_bullets_of(BH_COUNT(bh_text, __VA_ARGS__), (bh_text[]){__VA_ARGS__})
bh_block bh_bullets_of(size_t count, const bh_text *items);
bh_block bh_quote(bh_text text);

// Questions. Each returns whether there is an answer.

// A setting of the route.
#define bh_get(key, value) bh_get_by(bh_str(key), value)
bool bh_get_by(bh_string key, bh_string *value);

typedef banhook_plugin_history_query_t bh_query;
typedef banhook_plugin_history_summary_t bh_summary;
// Past bans: bh_bans((bh_query){.subject = bh_exact(subject), .within = {true, 86400}}, &past). The route must grant history.
bool bh_bans(bh_query query, bh_summary *summary);
#define bh_exact(text)                                                                                                \
    ((banhook_plugin_history_option_subject_query_t){                                                                 \
        true, {.tag = BANHOOK_PLUGIN_HISTORY_SUBJECT_QUERY_EXACT, .val.exact = bh_str(text)}})

typedef banhook_plugin_geo_place_t bh_place;
// Where an address is registered. The route must grant geo.
bool bh_lookup(bh_string subject, bh_place *place);

#ifdef EXPORTS_BANHOOK_PLUGIN_CHECKER_LEVEL_ERROR
// What plugin_describe and plugin_check return.

#define bh_settings(...) bh_settings_of(BH_COUNT(bh_setting, __VA_ARGS__), (bh_setting[]){__VA_ARGS__})
bh_settings bh_settings_of(size_t count, const bh_setting *settings);
#define bh_setting_text(name, description) bh_setting_of(TEXT, name, description)
#define bh_setting_number(name, description) bh_setting_of(NUMBER, name, description)
#define bh_setting_boolean(name, description) bh_setting_of(BOOLEAN, name, description)
#define bh_setting_lines(name, description) bh_setting_of(LINES, name, description)
#define bh_setting_of(kind_, name_, description_)                                                                     \
    ((bh_setting){.name = bh_str(name_), .kind = EXPORTS_BANHOOK_PLUGIN_DESCRIPTOR_SETTING_KIND_##kind_,              \
                  .description = bh_str(description_)})

#define bh_problems(...) bh_problems_of(BH_COUNT(bh_problem, __VA_ARGS__), (bh_problem[]){__VA_ARGS__})
bh_problems bh_problems_of(size_t count, const bh_problem *problems);
// A setting that the plugin cannot work with: what is wrong, and what would be right.
#define bh_problem(setting_, ...)                                                                                     \
    ((bh_problem){.setting = bh_some(setting_), .level = EXPORTS_BANHOOK_PLUGIN_CHECKER_LEVEL_ERROR,                  \
                  .message = bh_concat(__VA_ARGS__)})
#endif

// A function that has another name than the plugin's is found in its own line, not only missed by the linker.
#pragma clang diagnostic warning "-Wmissing-prototypes"

#endif
