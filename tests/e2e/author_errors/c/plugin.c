// A plugin that makes the mistake that the setting `mistake` names.

#include <stdlib.h>

#include "banhook_plugin.h"

static bh_decision exception(void) {
    const bh_ban *ban = NULL;
    return bh_skip(ban->subject.val);
}

static uint32_t recursion(bh_string jail, uint32_t depth) {
    bh_string deeper = bh_concat(jail, depth);
    return recursion(deeper, depth + 1) + (uint32_t)deeper.len;
}

static size_t memory(void) {
    size_t total = 0;
    for (;;) {
        volatile char *more = malloc(1 << 20);
        more[0] = 1;
        total += (size_t)more[0];
    }
    return total;
}

static uint32_t endless_loop(void) {
    volatile uint32_t failures = 1;
    while (failures != 0) failures = failures + 2;
    return failures;
}

bh_decision plugin_format(const bh_event *event) {
    bh_string mistake = bh_str("");
    bh_get("mistake", &mistake);
    if (bh_equal(mistake, bh_str("exception"))) return exception();
    if (bh_equal(mistake, bh_str("assertion"))) {
        bh_assert(event->labels.len > 0);
        return bh_skip(event->labels.ptr[0].f1);
    }
    if (bh_equal(mistake, bh_str("recursion"))) return bh_skip(recursion(event->jail, 0));
    if (bh_equal(mistake, bh_str("memory"))) return bh_skip(memory());
    if (bh_equal(mistake, bh_str("loop"))) return bh_skip(endless_loop());
    if (bh_equal(mistake, bh_str("no-grant"))) {
        bh_summary past;
        return bh_bans((bh_query){0}, &past) ? bh_skip(past.bans) : bh_fail("no answer");
    }
    if (bh_equal(mistake, bh_str("header-long"))) {
        bh_string fifty = bh_str("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        return bh_post((bh_message){
            .text = bh_plain("ban"),
            .blocks = bh_blocks(bh_header(fifty, fifty, fifty, "a")),
        });
    }
    if (bh_equal(mistake, bh_str("bad-url"))) {
        return bh_post((bh_message){
            .text = bh_rich(bh_link("the runbook", "runbook.example.org"), bh_span_text(", or ask")),
        });
    }
    if (bh_equal(mistake, bh_str("bad-button"))) {
        return bh_post((bh_message){
            .text = bh_plain("ban"),
            .blocks = bh_blocks(bh_buttons(bh_button("Runbook", "javascript:alert(1)"))),
        });
    }
    if (bh_equal(mistake, bh_str("raw-no-json"))) {
        return bh_post((bh_message){.text = bh_plain("ban"), .blocks = bh_blocks(bh_raw("{'type': 'divider'}"))});
    }
    if (bh_equal(mistake, bh_str("mention"))) {
        return bh_post((bh_message){.text = bh_rich(bh_mention_user("U012AB3CD"), bh_span_text(" a ban"))});
    }
    return bh_skip("no mistake is called ", mistake);
}

bh_description plugin_describe(void) {
    return (bh_description){
        .name = bh_str("mistakes"),
        .settings = bh_settings(bh_setting_text("mistake", "Which mistake to make"),
                                bh_setting_number("most", "How many bans are worth a message")),
    };
}

bh_problems plugin_check(void) {
    return (bh_problems){0};
}
