//! The ledger as text: the counts of all events, and a table of the routes.

use std::fmt::Write as _;

use crate::store::Ledger;

/// Draws the ledger, with its two sums.
pub(super) fn ledger_table(ledger: &Ledger) -> String {
    let mut text = String::new();
    let Ledger { received, unrouted, unmatched, quarantined, routed, forwarded, routes } = ledger;
    let sums = if ledger.balances() { "" } else { "  DOES NOT BALANCE" };
    let damaged = if *quarantined > 0 { format!(" + {quarantined} quarantined") } else { String::new() };
    let with_broker = if *forwarded > 0 { format!(" + {forwarded} forwarded") } else { String::new() };
    let _ = writeln!(
        text,
        "events: {received} received = {unrouted} unrouted + {unmatched} unmatched{damaged} + {routed} routed{with_broker}{sums}"
    );
    let width = routes.keys().map(|name| name.chars().count()).chain([5]).max().unwrap_or(5);
    if !routes.is_empty() {
        let _ = writeln!(text, "{:width$}  matched = posted + digested + skipped + dead + pending", "route");
    }
    for (name, route) in routes {
        let _ = writeln!(
            text,
            "{name:width$}  {:>7}   {:>6}   {:>8}   {:>7}   {:>4}   {:>7}",
            route.matched, route.posted, route.digested, route.skipped, route.dead, route.pending
        );
    }
    text
}
