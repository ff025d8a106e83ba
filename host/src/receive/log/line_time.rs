//! The time at the beginning of a line, in the many forms in which it is written.

use super::clock::LineTime;
use super::scan::{digits, number, word};

const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
const WEEKDAYS: &[u8; 21] = b"MonTueWedThuFriSatSun";

/// Splits off a time. A space follows it.
pub(super) fn time(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (time, rest) = iso(line).or_else(|| syslog(line)).or_else(|| epoch(line)).or_else(|| with_weekday(line))?;
    Some((time, rest.strip_prefix(b" ")?))
}

/// Splits off `2026-11-22 11:56:55,601`, `2026-11-22T11:56:55.601123+01:00`, `…+0100`, `…Z`, `2026-11-22T11:56:55`.
pub(super) fn iso(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (stamp, rest) = line.split_first_chunk::<19>()?;
    let [_, _, _, _, b'-', _, _, b'-', _, _, b' ' | b'T', _, _, b':', _, _, b':', _, _] = stamp else { return None };
    let (ms, rest) = fraction(rest);
    match rest {
        [b'Z', rest @ ..] => Some((LineTime::Zoned(stamp, ms, 0), rest)),
        [b'+' | b'-', ..] => {
            let (offset, rest) = offset(rest)?;
            Some((LineTime::Zoned(stamp, ms, offset), rest))
        }
        _ => Some((LineTime::Local(stamp, ms), rest)),
    }
}

/// Splits off `+01:00`, `-0930` or `+01`, in seconds.
fn offset(line: &[u8]) -> Option<(i32, &[u8])> {
    let [sign @ (b'+' | b'-'), h1, h2, rest @ ..] = line else { return None };
    let (minutes, rest) = match rest {
        [b':', m1, m2, rest @ ..] | [m1 @ b'0'..=b'9', m2, rest @ ..] => (number(&[*m1, *m2])?, rest),
        _ => (0, rest),
    };
    let seconds = (i32::from(number(&[*h1, *h2])?) * 60 + i32::from(minutes)) * 60;
    Some((if *sign == b'-' { -seconds } else { seconds }, rest))
}

/// Splits off `Nov 22 11:56:55`, `Nov  2 11:56:55.601123`, and with a year: `Nov 22 11:56:55 2026`, `Nov 22 2026 11:56:55`,
/// `2026 Nov 22 11:56:55`.
fn syslog(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (before, line) = year(line).map_or((None, line), |(year, rest)| (Some(year), rest));
    let (month, rest) = line.split_first_chunk::<3>()?;
    let (months, _) = MONTHS.as_chunks::<3>();
    let month = i8::try_from(months.iter().position(|known| known == month)?).ok()? + 1;
    let (day, rest) = digits(rest.strip_prefix(b" ")?.trim_ascii_start());
    let day = i8::try_from(number(Some(day).filter(|day| day.len() <= 2)?)?).ok()?;
    let rest = rest.strip_prefix(b" ")?;
    let (between, rest) = year(rest).map_or((None, rest), |(year, rest)| (Some(year), rest));
    let (time, rest) = rest.split_first_chunk::<8>()?;
    let [_, _, b':', _, _, b':', _, _] = time else { return None };
    let (ms, rest) = fraction(rest);
    let (after, rest) = match rest.strip_prefix(b" ").and_then(digits_of_year) {
        Some((year, rest)) => (Some(year), rest),
        None => (None, rest),
    };
    let year = before.or(between).or(after);
    Some((
        year.map_or(LineTime::Yearless(month, day, time, ms), |year| LineTime::Dated(year, month, day, time, ms)),
        rest,
    ))
}

/// Splits off `2026 `.
fn year(line: &[u8]) -> Option<(i16, &[u8])> {
    let (year, rest) = digits_of_year(line)?;
    Some((year, rest.strip_prefix(b" ")?))
}

/// Splits off `2026`, before a space.
fn digits_of_year(line: &[u8]) -> Option<(i16, &[u8])> {
    let (digits, rest) = digits(line);
    let [century @ .., _, _] = digits else { return None };
    if digits.len() != 4 || !matches!(century, b"19" | b"20" | b"21") || rest.first() != Some(&b' ') {
        return None;
    }
    let year = digits.iter().fold(0_i16, |sum, digit| sum * 10 + i16::from(digit - b'0'));
    Some((year, rest))
}

/// Splits off `Sun Nov 22 11:56:55 2026` and `Sun Nov 22 11:56:55 CET 2026`, as `date` and OpenWrt's `logread` have them, and
/// `Sun 2026-11-22 11:56:55 CET`, as `journalctl -o short-full` has it.
fn with_weekday(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (day, rest) = line.split_first_chunk::<3>()?;
    let (weekdays, _) = WEEKDAYS.as_chunks::<3>();
    let rest = rest.strip_prefix(b" ").filter(|_| weekdays.contains(day))?;
    if let Some((time, rest)) = syslog(rest) {
        let zoned =
            rest.strip_prefix(b" ").and_then(zone).and_then(|(_, rest)| digits_of_year(rest.strip_prefix(b" ")?));
        return Some(match (time, zoned) {
            (LineTime::Yearless(month, day, clock, ms), Some((year, rest))) => {
                (LineTime::Dated(year, month, day, clock, ms), rest)
            }
            _ => (time, rest),
        });
    }
    let (stamp, rest) = iso(rest)?;
    let (offset, rest) = zone(rest.strip_prefix(b" ")?)?;
    Some((
        match (stamp, offset) {
            (LineTime::Local(text, ms), Some(offset)) => LineTime::Zoned(text, ms, offset),
            _ => stamp,
        },
        rest,
    ))
}

/// Splits off the abbreviation of a time zone: `UTC` and `+03` with their offset, `CET` without, as many zones share one.
fn zone(line: &[u8]) -> Option<(Option<i32>, &[u8])> {
    let (zone, _) = word(line)?;
    let rest = line.get(zone.len()..)?;
    if let Some((offset, [])) = offset(zone) {
        return Some((Some(offset), rest));
    }
    let named = (2..=5).contains(&zone.len()) && zone.iter().all(u8::is_ascii_uppercase);
    named.then_some((matches!(zone, b"UTC" | b"GMT").then_some(0), rest))
}

/// Splits off `1795348189.123456`, as `journalctl -o short-unix` has it.
fn epoch(line: &[u8]) -> Option<(LineTime<'_>, &[u8])> {
    let (seconds, rest) = digits(line);
    let (ms, rest) = fraction(rest);
    if !(9..=11).contains(&seconds.len()) {
        return None;
    }
    let seconds = seconds.iter().fold(0_i64, |sum, digit| sum * 10 + i64::from(digit - b'0'));
    Some((LineTime::Epoch(seconds * 1000 + i64::from(ms)), rest))
}

/// Splits off `,601` or `.601123`, in milliseconds; 0 if there is none.
fn fraction(line: &[u8]) -> (u16, &[u8]) {
    let [b',' | b'.', fraction @ ..] = line else { return (0, line) };
    let (fraction, rest) = digits(fraction);
    let digit = |index: usize| fraction.get(index).map_or(0, |digit| u16::from(digit - b'0'));
    if fraction.is_empty() { (0, line) } else { (digit(0) * 100 + digit(1) * 10 + digit(2), rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_reads_every_form() {
        let (t, s) = (b"2026-11-22T11:56:55", b"2026-11-22 11:56:55");
        let c = b"11:56:55";
        for (text, expected) in [
            ("2026-11-22 11:56:55,601", LineTime::Local(s, 601)),
            ("2026-11-22T11:56:55", LineTime::Local(t, 0)),
            ("2026-11-22T11:56:55.601123456Z", LineTime::Zoned(t, 601, 0)),
            ("2026-11-22T11:56:55.601123-09:30", LineTime::Zoned(t, 601, -34200)),
            ("2026-11-22T11:56:55+0100", LineTime::Zoned(t, 0, 3600)),
            ("2026-11-22T11:56:55+01", LineTime::Zoned(t, 0, 3600)),
            ("Nov 22 11:56:55", LineTime::Yearless(11, 22, c, 0)),
            ("Nov  2 11:56:55.601123", LineTime::Yearless(11, 2, c, 601)),
            ("Nov 2 11:56:55", LineTime::Yearless(11, 2, c, 0)),
            ("Nov 22 11:56:55 2026", LineTime::Dated(2026, 11, 22, c, 0)),
            ("Nov 22 2026 11:56:55", LineTime::Dated(2026, 11, 22, c, 0)),
            ("2026 Nov 22 11:56:55", LineTime::Dated(2026, 11, 22, c, 0)),
            ("Sun Nov 22 11:56:55 2026", LineTime::Dated(2026, 11, 22, c, 0)),
            ("Sun Nov 22 11:56:55 CET 2026", LineTime::Dated(2026, 11, 22, c, 0)),
            ("Sun Nov 22 11:56:55", LineTime::Yearless(11, 22, c, 0)),
            ("Sun 2026-11-22 11:56:55 UTC", LineTime::Zoned(s, 0, 0)),
            ("Sun 2026-11-22 11:56:55.601 CET", LineTime::Local(s, 601)),
            ("Sun 2026-11-22 11:56:55 +03", LineTime::Zoned(s, 0, 10800)),
            ("1795348189.123456", LineTime::Epoch(1_795_348_189_123)),
        ] {
            let line = format!("{text} rest");
            assert_eq!(time(line.as_bytes()), Some((expected, b"rest".as_slice())), "{text}");
        }
        for text in [
            "Okt 22 11:56:55",
            "Nov 22",
            "Nov 1234 11:56:55",
            "11:56:55",
            "Sun web-1",
            "2026-11-22",
            "Xyz 2026-11-22 11:56:55 CET",
            "",
        ] {
            let line = format!("{text} rest");
            assert_eq!(time(line.as_bytes()), None, "{text}");
        }
    }
}
