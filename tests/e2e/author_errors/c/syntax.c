// A plugin with a bracket too few.

#include "banhook_plugin.h"

bh_decision plugin_format(const bh_event *event) {
    return bh_skip("a ban in ", event->jail;
}
