//! `clock`: the time of the event, not the real one, so that the same event gives the same times.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

use super::context::PluginContext;
use super::grants::Grant;
use super::interface::{Cx, HostInterface, Import, Linked, Opened, Provider};
use crate::event::Timestamp;
use crate::plugin::bindings::banhook::plugin::clock;
use crate::plugin::{lift, lower};

/// The interface.
pub(super) struct Clock;

/// The clock of one route.
struct RouteClock(TimeZone);

impl HostInterface for Clock {
    fn name(&self) -> &'static str {
        "clock"
    }

    fn open(&self, _grant: &Grant, route: &PluginContext) -> Opened {
        RouteClock(route.timezone.clone()).into()
    }
}

impl Provider for RouteClock {
    fn link(&self, to: &mut Linked<'_>, _import: &Import<'_>) -> wasmtime::Result<()> {
        to.func_wrap("now", |cx: Cx<'_>, (): ()| Ok((lower::milliseconds(cx.data().now),)))?;
        let timezone = self.0.clone();
        to.func_wrap("local", move |_: Cx<'_>, (at,): (f64,)| Ok((local(lift::timestamp(at), &timezone),)))
    }
}

fn local(at: Timestamp, timezone: &TimeZone) -> clock::LocalTime {
    let at = at.to_jiff().to_zoned(timezone.clone());
    clock::LocalTime {
        year: at.year().into(),
        month: at.month().unsigned_abs(),
        day: at.day().unsigned_abs(),
        weekday: match at.weekday() {
            Weekday::Monday => clock::Weekday::Monday,
            Weekday::Tuesday => clock::Weekday::Tuesday,
            Weekday::Wednesday => clock::Weekday::Wednesday,
            Weekday::Thursday => clock::Weekday::Thursday,
            Weekday::Friday => clock::Weekday::Friday,
            Weekday::Saturday => clock::Weekday::Saturday,
            Weekday::Sunday => clock::Weekday::Sunday,
        },
        hour: at.hour().unsigned_abs(),
        minute: at.minute().unsigned_abs(),
        second: at.second().unsigned_abs(),
        offset_minutes: i16::try_from(at.offset().seconds() / 60).unwrap_or(0),
    }
}
