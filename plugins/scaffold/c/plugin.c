// {{name}}: what becomes of an event.

#include "banhook_plugin.h"

// @if history
#define WEEK (7 * 86400)

// How many times a subject was banned within a week, this time included.
static uint32_t times_banned(bh_string subject) {
    bh_summary past;
    bool known = bh_bans((bh_query){.subject = bh_exact(subject), .within = {true, WEEK}}, &past);
    return known ? past.bans + 1 : 1;
}

// @end
// @if geo
// The country in which an address is registered. Returns false if it is not known.
static bool where_from(bh_string subject, bh_string *country) {
    bh_place place;
    if (!bh_lookup(subject, &place)) return false;
    *country = bh_or(place.country_name, bh_or(place.country, ""));
    return country->len > 0;
}

// @end
// Rich text is shown as it is, whatever an attacker wrote into it.
static bh_text text_of(const bh_event *event, const bh_ban *ban) {
    bool is_ban = event->action.tag == BANHOOK_PLUGIN_TYPES_ACTION_BAN;
    bh_text text = bh_rich(
        bh_emoji(is_ban ? "no_entry" : "white_check_mark"),
        bh_span_text(" "),
        bh_code(bh_or(ban->subject, "somebody")),
        bh_span_text(is_ban ? " banned in " : " unbanned in "),
        bh_bold(event->jail),
        bh_span_text(" on ", event->host)
    );
    // @if geo
    bh_string country;
    if (ban->subject.is_some && where_from(ban->subject.val, &country)) {
        bh_add(&text, bh_span_text(", from ", country));
    }
    // @end
    // @if history
    uint32_t times = is_ban && ban->subject.is_some ? times_banned(ban->subject.val) : 1;
    if (times > 1) bh_add(&text, bh_span_text(", ban ", times, " within a week"));
    // @end
    return text;
}

// Posts a message, skips the event for a reason, or holds it for a digest.
bh_decision plugin_format(const bh_event *event) {
    if (event->action.tag != BANHOOK_PLUGIN_TYPES_ACTION_BAN && event->action.tag != BANHOOK_PLUGIN_TYPES_ACTION_UNBAN) {
        return bh_skip("only bans and unbans");
    }
    const bh_ban *ban = &event->action.val.ban;
    if (ban->restored) return bh_skip("restored after a restart");
    bh_string office;
    if (bh_get("office", &office) && ban->subject.is_some && bh_starts_with(ban->subject.val, office)) {
        return bh_skip("our own office");
    }
    return bh_post((bh_message){.text = text_of(event, ban)});
}
// @if digest

bh_decision plugin_digest(const bh_batch *batch) {
    const bh_totals *totals = &batch->totals;
    if (totals->bans == 0) {
        // banhook's own text goes out.
        return bh_post((bh_message){.text = bh_plain(totals->events, " events"), .hints = bh_hint("digest", "built-in")});
    }
    bh_string jails = bh_str("");
    for (size_t i = 0; i < totals->by_jail.len; i++) {
        const bh_tally *jail = &totals->by_jail.ptr[i];
        jails = bh_concat(jails, i > 0 ? ", " : "", jail->name, " ", jail->bans);
    }
    return bh_post((bh_message){
        .text = bh_plain(totals->bans, " bans of ", totals->subjects, " subjects: ", jails),
    });
}
// @end
// @if check

bh_description plugin_describe(void) {
    return (bh_description){
        .name = bh_str("{{name}}"),
        .version = bh_some("0.1.0"),
        .settings = bh_settings(bh_setting_text("office", "What the addresses of our own office begin with")),
    };
}

bh_problems plugin_check(void) {
    bh_string office;
    if (!bh_get("office", &office) || office.len > 0) return (bh_problems){0};
    return bh_problems(bh_problem("office", "every address begins with an empty text; leave the setting out instead"));
}
// @end
