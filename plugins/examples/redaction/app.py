"""redaction: bans without addresses and names of users. Networks take their place, and log lines are left out."""

from ipaddress import ip_network

import banhook_plugin
from banhook_plugin import Decision, block, bold, code, post, rich, skip
from wit_world.exports.digester import Batch
from wit_world.imports.types import Action_Ban, Event, Family

# The longest prefixes that are shown, by version of the protocol.
PREFIXES = {4: 24, 6: 48}
ADDRESSES = {Family.IPV4, Family.IPV6, Family.IPV4_NETWORK, Family.IPV6_NETWORK}


class Formatter(banhook_plugin.Formatter):
    def format(self, event: Event) -> Decision:
        match event.action:
            case Action_Ban(ban) if not ban.restored:
                pass
            case _:
                return skip("only new bans")
        network = network_of(ban.subject) if ban.family in ADDRESSES else None
        # A name may be that of a user.
        who = ["somebody"] if network is None else ["an address in ", code(network)]
        text = rich(*who, " was banned in ", bold(event.jail), f" on {event.host}")
        fields = {"Failures": ban.failures, "Times banned": ban.count}
        return post(text, color="warning", tags=[network], blocks=[block.section(text, fields=fields)])


class Digester(banhook_plugin.Digester):
    def digest(self, batch: Batch) -> Decision:
        # Not banhook's own text, which names the subjects.
        totals = batch.totals
        bans = "1 ban" if totals.bans == 1 else f"{totals.bans} bans of {totals.subjects} subjects"
        rows = [[tally.name, str(tally.bans)] for tally in totals.by_jail]
        networks = [rich(code(tally.name), f": {tally.bans}") for tally in totals.by_tag[:5]]
        return post(
            bans,
            color="warning",
            blocks=[
                block.section(rich(bold(bans))),
                block.table([["Jail", "Bans"], *rows]),
                block.bullets(networks) if networks else None,
            ],
        )


def network_of(subject: str | None) -> str | None:
    """Return the network that stands for an address or a smaller network."""
    if subject is None:
        return None
    try:
        network = ip_network(subject, strict=False)
    except ValueError:
        return None
    prefix = min(network.prefixlen, PREFIXES[network.version])
    return str(network.supernet(new_prefix=prefix))
