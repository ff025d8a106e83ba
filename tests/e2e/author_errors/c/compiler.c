// A plugin with all mistakes that the compiler finds, apart from a wrong syntax.

#include "banhook_plugin.h"

static bh_string office = bh_of_chars("203.0.113."); // import-at-module-level

static bh_decision wrong_type(const bh_ban *ban) {
    return bh_skip(ban->failures, " failures"); // wrong-type
}

static bh_button missing_field(void) {
    return bh_button("Runbook"); // missing-field
}

static bh_block unknown_tag(void) {
    return bh_headings("Ban"); // unknown-tag
}

static bh_message misspelt_field(void) {
    return (bh_message){.text = bh_plain("ban"), .colour = BH_DANGER}; // misspelt-field
}

bh_decision plugin_format(const bh_event *event) {
    return bh_skip("a ban in ", event->jail);
}
