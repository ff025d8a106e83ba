//! The table that is printed, and which rows miss their target.

use anyhow::ensure;

use crate::statistics::{median, quantile};

/// Rows printed so far.
#[derive(Default)]
pub struct Report {
    missed: Vec<String>,
}

impl Report {
    /// Begins a table.
    pub fn heading(&self, title: &str, unit: &str) {
        println!("\n{title:<58}{:>12}{:>12}", format!("median {unit}"), format!("p95 {unit}"));
    }

    /// Prints a row of measurements; `at_most` is the target of their median.
    pub fn row(&mut self, name: &str, values: &[f64], at_most: Option<f64>) {
        let (middle, most) = (median(values), quantile(values, 0.95));
        println!("{name:<58}{middle:>12.2}{most:>12.2}{}", self.judge(name, middle, at_most));
    }

    /// Prints a row of one number.
    pub fn number(&mut self, name: &str, value: f64, at_most: Option<f64>) {
        println!("{name:<58}{value:>12.2}{:>12}{}", "", self.judge(name, value, at_most));
    }

    fn judge(&mut self, name: &str, value: f64, at_most: Option<f64>) -> String {
        let Some(at_most) = at_most else { return String::new() };
        // Not `>`: NaN has not met its target either.
        let met = value <= at_most;
        if !met {
            self.missed.push(name.trim().to_owned());
        }
        format!("   at most {at_most:.2}{}", if met { "" } else { " MISSED" })
    }

    /// Notes a measurement that failed: it has not met its target.
    pub fn failed(&mut self, name: &str, error: &anyhow::Error) {
        self.missed.push(format!("{name} ({error:#})"));
    }

    /// # Errors
    /// When a target was missed.
    pub fn finish(self) -> anyhow::Result<()> {
        ensure!(self.missed.is_empty(), "not within the target: {}", self.missed.join("; "));
        Ok(())
    }
}
