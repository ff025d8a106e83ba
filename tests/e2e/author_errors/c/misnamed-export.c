// A plugin whose function has another name than banhook's.

#include "banhook_plugin.h"

bh_decision plugin_formats(const bh_event *event) {
    return bh_skip("a ban in ", event->jail);
}
