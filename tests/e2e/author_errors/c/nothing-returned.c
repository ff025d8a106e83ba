// A plugin whose function returns nothing.

#include "banhook_plugin.h"

bh_decision plugin_format(const bh_event *event) {
    bh_skip("a ban in ", event->jail);
}
