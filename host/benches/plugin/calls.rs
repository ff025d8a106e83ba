//! The cost of one event: in a fresh instance, in one that is reused, natively, and in a shell.

use std::hint::black_box;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use banhook::event::Event;
use banhook::message::{Decision, Text};
use banhook::plugin::{BUILT_IN, Plugin};

use crate::guests::{self, SMALL};
use crate::report::Report;
use crate::statistics::median_ratio;
use crate::words;

/// Targets of the medians, in microseconds.
const SMALL_AT_MOST: f64 = 8.0;
const TEMPLATE_AT_MOST: f64 = 25.0;

/// All variants take turns, so that noise hits each of them.
const ROUNDS: usize = 200;
/// Rounds that are not counted.
const WARM_UP: usize = 5;
/// Calls of one plugin within a round: fail2ban's events come in bursts.
const BURST: usize = 20;
/// A native call takes no longer than reading the clock, so many are measured as one.
const NATIVE_CALLS: u32 = 100;

/// The same line in a shell.
const SHELL: &str = r#"printf '[%s] banned %s after %s failures' "$1" "$2" "$3""#;

/// Measures, and adds to the report.
pub fn measure(report: &mut Report) -> anyhow::Result<()> {
    let event = guests::ban();
    let runtime = guests::runtime(None)?;
    let small = runtime.load(SMALL, &guests::providers(&runtime), guests::limits())?;
    let template = runtime.load(BUILT_IN, &guests::providers(&runtime), guests::limits())?;
    ensure!(small.smoke_test().is_empty() && template.smoke_test().is_empty(), "a plugin fails its smoke test");
    let expected = words::banned("sshd", "203.0.113.7", Some(5));
    ensure!(text_of(&small, &event)? == expected, "the small guest's text differs from the native code's");
    let (mut small_reused, mut template_reused) = (small.reused()?, template.reused()?);

    let [mut of_small, mut of_small_reused, mut of_template, mut of_template_reused, mut of_native, mut of_shell] =
        [const { Vec::new() }; 6];
    for round in 0..WARM_UP + ROUNDS {
        if round == WARM_UP {
            for values in [&mut of_small, &mut of_small_reused, &mut of_template, &mut of_template_reused] {
                values.clear();
            }
            of_native.clear();
            of_shell.clear();
        }
        burst(&mut of_small, || small.format(&event).decision)?;
        burst(&mut of_template, || template.format(&event).decision)?;
        burst(&mut of_small_reused, || small_reused.format(&event))?;
        burst(&mut of_template_reused, || template_reused.format(&event))?;
        for _ in 0..BURST {
            of_native.push(native(&event)?);
        }
        let (taken, output) = shell()?;
        ensure!(output == expected.as_bytes(), "the shell's text differs from the native code's");
        of_shell.extend([taken; BURST]);
    }

    report.heading("one event, all bounds on, one core", "µs");
    report.row("small Rust guest, fresh instance", &of_small, Some(SMALL_AT_MOST));
    report.row("  the same instance for all events", &of_small_reused, None);
    report.row("  the same code natively", &of_native, None);
    report.row("template plugin, fresh instance", &of_template, Some(TEMPLATE_AT_MOST));
    report.row("  the same instance for all events", &of_template_reused, None);
    report.row("/bin/sh -c, the small guest's line", &of_shell, None);
    println!("medians of the ratios within a round");
    report.number("  small guest / reused", median_ratio(&of_small, &of_small_reused), None);
    report.number("  small guest / native", median_ratio(&of_small, &of_native), None);
    report.number("  template / reused", median_ratio(&of_template, &of_template_reused), None);
    report.number("  /bin/sh / small guest", median_ratio(&of_shell, &of_small), None);
    Ok(())
}

fn text_of(plugin: &Plugin, event: &Event) -> anyhow::Result<String> {
    match plugin.format(event).decision? {
        Decision::Post(message) => match message.text {
            Text::Plain(text) => Ok(text),
            text => Err(anyhow!("{text:?}")),
        },
        other => Err(anyhow!("{other:?}")),
    }
}

/// Microseconds that each of a few calls takes; none may fail.
fn burst<E>(values: &mut Vec<f64>, mut call: impl FnMut() -> Result<Decision, E>) -> anyhow::Result<()>
where
    E: std::error::Error + Send + Sync + 'static,
{
    for _ in 0..BURST {
        let start = Instant::now();
        let decision = call();
        values.push(start.elapsed().as_secs_f64() * 1e6);
        ensure!(matches!(decision?, Decision::Post(_)), "a ban was not posted");
    }
    Ok(())
}

/// Microseconds of one native call.
fn native(event: &Event) -> anyhow::Result<f64> {
    let ban = event.ban().context("the event is a ban")?;
    let start = Instant::now();
    for _ in 0..NATIVE_CALLS {
        let (jail, subject, failures) = black_box((&event.jail, &ban.subject, ban.failures));
        black_box(words::banned(jail, subject, failures));
    }
    Ok(start.elapsed().as_secs_f64() * 1e6 / f64::from(NATIVE_CALLS))
}

/// Microseconds of a shell, and what it printed.
fn shell() -> anyhow::Result<(f64, Vec<u8>)> {
    let start = Instant::now();
    let output = Command::new("/bin/sh").args(["-c", SHELL, "sh", "sshd", "203.0.113.7", "5"]).output()?;
    let taken = start.elapsed().as_secs_f64() * 1e6;
    ensure!(output.status.success(), "/bin/sh: {}", output.status);
    Ok((taken, output.stdout))
}
