// The functions of banhook_plugin.h, the exports of the component, and memory.

#include "banhook_plugin.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

// Memory: from what the module has at its start, since growing it takes half of the time that a small plugin needs, and
// then from pages that it grows by. An instance handles one event and is discarded, so nothing is freed.

#define ALIGNMENT 16
#define PAGE (64u << 10)

static _Alignas(ALIGNMENT) uint8_t first[PAGE];
static uint8_t *next = first;
static uint8_t *end = first + sizeof first;

static _Noreturn void out_of_memory(size_t bytes) {
    bh_panic_with(bh_concat("out of memory: the plugin asked for ", bytes, " bytes more (limits.memory of its route)"));
}

void *malloc(size_t bytes) {
    size_t rounded = (bytes + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    if (rounded < bytes) out_of_memory(bytes);
    if (rounded > (size_t)(end - next)) {
        size_t pages = rounded / PAGE + (rounded % PAGE > 0);
        size_t grown = __builtin_wasm_memory_grow(0, pages);
        if (grown == SIZE_MAX) out_of_memory(bytes);
        uint8_t *start = (uint8_t *)(grown * PAGE);
        if (start != end) next = start;
        end = start + pages * PAGE;
    }
    uint8_t *memory = next;
    next += rounded;
    return memory;
}

void *calloc(size_t count, size_t bytes) {
    if (bytes > 0 && count > SIZE_MAX / bytes) out_of_memory(SIZE_MAX);
    // Memory is zero until it is used, and used once.
    return malloc(count * bytes);
}

void *realloc(void *memory, size_t bytes) {
    void *moved = malloc(bytes);
    // The old size is not known. What is behind the old memory is copied, too; it is all before the new.
    if (memory != NULL) memmove(moved, memory, bytes);
    return moved;
}

void free(void *memory) {
    (void)memory;
}

void *bh_copy(const void *values, size_t bytes) {
    return memcpy(malloc(bytes), values, bytes);
}

// Text.

bh_string bh_of_string(bh_string text) {
    return text;
}

bh_string bh_of_chars(const char *chars) {
    return (bh_string){(uint8_t *)chars, strlen(chars)};
}

bh_string bh_of_bool(bool value) {
    return bh_of_chars(value ? "true" : "false");
}

bh_string bh_of_unsigned(unsigned long long value) {
    uint8_t digits[20];
    size_t start = sizeof digits;
    do {
        digits[--start] = (uint8_t)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    size_t len = sizeof digits - start;
    return (bh_string){bh_copy(digits + start, len), len};
}

bh_string bh_of_signed(long long value) {
    if (value >= 0) return bh_of_unsigned((unsigned long long)value);
    return bh_concat("-", 0 - (unsigned long long)value);
}

bh_string bh_join(size_t count, const bh_string *parts) {
    size_t len = 0;
    for (size_t i = 0; i < count; i++) len += parts[i].len;
    bh_string all = {malloc(len), 0};
    for (size_t i = 0; i < count; i++) {
        memcpy(all.ptr + all.len, parts[i].ptr, parts[i].len);
        all.len += parts[i].len;
    }
    return all;
}

bool bh_equal(bh_string a, bh_string b) {
    return a.len == b.len && memcmp(a.ptr, b.ptr, a.len) == 0;
}

bool bh_starts_with(bh_string text, bh_string start) {
    return text.len >= start.len && memcmp(text.ptr, start.ptr, start.len) == 0;
}

bool bh_parse(bh_string decimal, uint32_t *number) {
    uint64_t parsed = 0;
    for (size_t i = 0; i < decimal.len; i++) {
        if (decimal.ptr[i] < '0' || decimal.ptr[i] > '9') return false;
        parsed = parsed * 10 + (decimal.ptr[i] - '0');
        if (parsed > UINT32_MAX) return false;
    }
    if (decimal.len == 0) return false;
    *number = (uint32_t)parsed;
    return true;
}

bh_string bh_escape(bh_string text) {
    // The longest entity is `&amp;`.
    bh_string escaped = {malloc(text.len * 5), 0};
    for (size_t i = 0; i < text.len; i++) {
        const char *entity = NULL;
        if (text.ptr[i] == '&') entity = "&amp;";
        if (text.ptr[i] == '<') entity = "&lt;";
        if (text.ptr[i] == '>') entity = "&gt;";
        if (entity == NULL) {
            escaped.ptr[escaped.len++] = text.ptr[i];
        } else {
            memcpy(escaped.ptr + escaped.len, entity, strlen(entity));
            escaped.len += strlen(entity);
        }
    }
    return escaped;
}

// The log.

void bh_log(banhook_plugin_log_level_t level, bh_string line) {
    banhook_plugin_log_write(level, &line);
}

_Noreturn void bh_panic_with(bh_string line) {
    bh_log(BANHOOK_PLUGIN_LOG_LEVEL_ERROR, line);
    __builtin_trap();
}

// What the compiler calls where it finds a wrong pointer or index: see clang's UndefinedBehaviorSanitizer. Without these the
// host could only say that the plugin trapped, and address 0 would be memory like any other.

struct source_location {
    const char *file;
    uint32_t line;
    uint32_t column;
};

_Noreturn void __ubsan_handle_type_mismatch_v1_abort(const struct source_location *at, uintptr_t pointer);
_Noreturn void __ubsan_handle_type_mismatch_v1_abort(const struct source_location *at, uintptr_t pointer) {
    bh_panic_with(bh_concat(at->file, ":", at->line, ": ", pointer == 0 ? "a null pointer" : "a wrong pointer",
                            " is used; test it before"));
}

_Noreturn void __ubsan_handle_out_of_bounds_abort(const struct source_location *at, uintptr_t index);
_Noreturn void __ubsan_handle_out_of_bounds_abort(const struct source_location *at, uintptr_t index) {
    bh_panic_with(bh_concat(at->file, ":", at->line, ": index ", index, " is outside of its array; test it before"));
}

// Decisions.

bh_decision bh_post(bh_message message) {
    return (bh_decision){.kind = BH_POST, .message = message};
}

bh_decision bh_skip_for(bh_string reason) {
    return (bh_decision){.kind = BH_SKIP, .reason = reason};
}

bh_decision bh_hold_for(bh_hold hold) {
    return (bh_decision){.kind = BH_HOLD, .hold = hold};
}

bh_decision bh_hold_until(bh_timestamp until) {
    return (bh_decision){.kind = BH_HOLD, .hold = {.until = {true, until}}};
}

bh_decision bh_fail_with(bh_string error) {
    return (bh_decision){.kind = BH_ERROR, .reason = error};
}

// Messages.

bh_text bh_rich_of(size_t count, const bh_span *spans) {
    return (bh_text){
        .tag = BANHOOK_PLUGIN_MESSAGES_TEXT_RICH,
        .val.rich = {bh_copy(spans, count * sizeof *spans), count},
    };
}

void bh_add(bh_text *rich, bh_span span) {
    if (rich->tag != BANHOOK_PLUGIN_MESSAGES_TEXT_RICH) bh_panic("bh_add needs a text of bh_rich");
    banhook_plugin_messages_list_span_t *spans = &rich->val.rich;
    spans->ptr = realloc(spans->ptr, (spans->len + 1) * sizeof span);
    spans->ptr[spans->len++] = span;
}

bh_span bh_styled_as(bh_style style, bh_string text) {
    return (bh_span){
        .tag = BANHOOK_PLUGIN_MESSAGES_SPAN_TEXT,
        .val.text = {.text = text, .style = {style != 0, style}},
    };
}

bh_span bh_date(bh_timestamp at, banhook_plugin_messages_date_format_t format) {
    return (bh_span){.tag = BANHOOK_PLUGIN_MESSAGES_SPAN_DATE, .val.date = {.at = at, .format = {true, format}}};
}

mine_option_list_string_t bh_strings_of(size_t count, const bh_string *strings) {
    return (mine_option_list_string_t){true, {bh_copy(strings, count * sizeof *strings), count}};
}

mine_option_list_tuple2_string_string_t bh_hint_of(bh_string name, bh_string value) {
    mine_tuple2_string_string_t hint = {name, value};
    return (mine_option_list_tuple2_string_string_t){true, {bh_copy(&hint, sizeof hint), 1}};
}

banhook_plugin_messages_option_list_block_t bh_blocks_of(size_t count, const bh_block *blocks) {
    return (banhook_plugin_messages_option_list_block_t){true, {bh_copy(blocks, count * sizeof *blocks), count}};
}

bh_block bh_section(bh_text text) {
    return (bh_block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_SECTION, .val.section = {.text = {true, text}}};
}

bh_block bh_fields_of(size_t count, const bh_field *fields) {
    return (bh_block){
        .tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_SECTION,
        .val.section = {.fields = {true, {bh_copy(fields, count * sizeof *fields), count}}},
    };
}

bh_block bh_context(bh_text text) {
    banhook_plugin_messages_context_element_t element = {
        .tag = BANHOOK_PLUGIN_MESSAGES_CONTEXT_ELEMENT_TEXT,
        .val.text = text,
    };
    return (bh_block){
        .tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_CONTEXT,
        .val.context = {bh_copy(&element, sizeof element), 1},
    };
}

bh_block bh_divider(void) {
    return (bh_block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_DIVIDER};
}

bh_block bh_buttons_of(size_t count, const bh_button *buttons) {
    return (bh_block){
        .tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_BUTTONS,
        .val.buttons = {bh_copy(buttons, count * sizeof *buttons), count},
    };
}

bh_block bh_bullets_of(size_t count, const bh_text *items) {
    return (bh_block){
        .tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_BULLETS,
        .val.bullets = {bh_copy(items, count * sizeof *items), count},
    };
}

bh_block bh_quote(bh_text text) {
    return (bh_block){.tag = BANHOOK_PLUGIN_MESSAGES_BLOCK_QUOTE, .val.quote = text};
}

// Questions.

bool bh_get_by(bh_string key, bh_string *value) {
    return banhook_plugin_settings_get(&key, value);
}

bool bh_bans(bh_query query, bh_summary *summary) {
    // banhook logs why there is no answer.
    banhook_plugin_history_error_t error;
    return banhook_plugin_history_bans(&query, summary, &error);
}

bool bh_lookup(bh_string subject, bh_place *place) {
    // banhook logs why there is no answer.
    banhook_plugin_geo_error_t error;
    banhook_plugin_geo_option_place_t found;
    if (!banhook_plugin_geo_lookup(&subject, &found, &error) || !found.is_some) return false;
    *place = found.val;
    return true;
}

// Exports.

bool exports_banhook_plugin_formatter_format(
    bh_event *event, exports_banhook_plugin_formatter_decision_t *ret, mine_string_t *error
) {
    bh_decision decision = plugin_format(event);
    switch (decision.kind) {
    case BH_POST:
        ret->tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_POST;
        ret->val.post = decision.message;
        return true;
    case BH_SKIP:
        ret->tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_SKIP;
        ret->val.skip = decision.reason;
        return true;
    case BH_HOLD:
        ret->tag = EXPORTS_BANHOOK_PLUGIN_FORMATTER_DECISION_HOLD;
        ret->val.hold = decision.hold;
        return true;
    case BH_ERROR:
        *error = decision.reason;
        return false;
    }
    bh_panic_with(bh_of_chars("plugin_format returned no decision; return bh_post, bh_skip, bh_hold_for or bh_fail"));
}

#ifdef EXPORTS_BANHOOK_PLUGIN_DIGESTER_DECISION_POST
bool exports_banhook_plugin_digester_digest(
    bh_batch *batch, exports_banhook_plugin_digester_decision_t *ret, mine_string_t *error
) {
    bh_decision decision = plugin_digest(batch);
    switch (decision.kind) {
    case BH_POST:
        ret->tag = EXPORTS_BANHOOK_PLUGIN_DIGESTER_DECISION_POST;
        ret->val.post = decision.message;
        return true;
    case BH_SKIP:
        ret->tag = EXPORTS_BANHOOK_PLUGIN_DIGESTER_DECISION_SKIP;
        ret->val.skip = decision.reason;
        return true;
    case BH_HOLD:
        ret->tag = EXPORTS_BANHOOK_PLUGIN_DIGESTER_DECISION_HOLD;
        if (!decision.hold.until.is_some) break;
        ret->val.hold = decision.hold.until.val;
        return true;
    case BH_ERROR:
        *error = decision.reason;
        return false;
    }
    bh_panic_with(bh_of_chars("plugin_digest returned no decision; return bh_post, bh_skip, bh_hold_until or bh_fail"));
}
#endif

#ifdef EXPORTS_BANHOOK_PLUGIN_CHECKER_LEVEL_ERROR
void exports_banhook_plugin_descriptor_describe(bh_description *ret) {
    *ret = plugin_describe();
}

void exports_banhook_plugin_checker_check(bh_problems *ret) {
    *ret = plugin_check();
}

bh_settings bh_settings_of(size_t count, const bh_setting *settings) {
    return (bh_settings){bh_copy(settings, count * sizeof *settings), count};
}

bh_problems bh_problems_of(size_t count, const bh_problem *problems) {
    return (bh_problems){bh_copy(problems, count * sizeof *problems), count};
}
#endif
