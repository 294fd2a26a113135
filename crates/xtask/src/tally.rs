//! Counts tests from what the runners print last.

use std::ops::AddAssign;

/// Tests that passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests that passed.
    pub(crate) passed: u64,
    /// Tests that failed, did not end, or could not be started.
    pub(crate) failed: u64,
    /// Tests that were left out by a filter or an attribute.
    pub(crate) skipped: u64,
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

impl Tally {
    /// A run that broke before it could count counts as one failure, so that the total shows it.
    pub(crate) fn after(counted: Option<Self>, succeeded: bool) -> Self {
        let mut tally = counted.unwrap_or_default();
        if !succeeded && tally.failed == 0 {
            tally.failed = 1;
        }
        tally
    }

    /// Reads nextest's last line:
    /// `Summary [  5.9s] 94/95 tests run: 90 passed (1 slow), 3 failed, 1 timed out, 0 skipped`.
    pub(crate) fn of_nextest(output: &str) -> Option<Self> {
        let line = output
            .lines()
            .rev()
            .map(plain)
            .find(|line| line.trim_start().starts_with("Summary ["))?;
        let (_, counts) = line.split_once(" run: ")?;
        let mut tally = Self::default();
        for part in without_brackets(counts).split(',') {
            let (number, what) = part.trim().split_once(' ')?;
            let number: u64 = number.parse().ok()?;
            match what.trim() {
                "passed" => tally.passed += number,
                "skipped" => tally.skipped += number,
                _ => tally.failed += number,
            }
        }
        Some(tally)
    }

    /// Reads the counts that Node's test runner prints last, `# pass 5` or `ℹ pass 5`, of every
    /// runner that a script starts.
    pub(crate) fn of_node(output: &str) -> Option<Self> {
        let mut tally = Self::default();
        let mut seen = false;
        for line in output.lines().map(plain) {
            let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) else {
                continue;
            };
            let Some((what, number)) = rest.trim().split_once(' ') else {
                continue;
            };
            let Ok(number) = number.trim().parse::<u64>() else {
                continue;
            };
            match what {
                "pass" => {
                    tally.passed += number;
                    seen = true;
                }
                "fail" | "cancelled" => tally.failed += number,
                "skipped" | "todo" => tally.skipped += number,
                _ => {}
            }
        }
        seen.then_some(tally)
    }
}

/// The line without the escape sequences of colours.
fn plain(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // `ESC [ ... letter`
            chars.by_ref().find(char::is_ascii_alphabetic);
        } else {
            out.push(c);
        }
    }
    out
}

fn without_brackets(text: &str) -> String {
    let mut depth = 0_u32;
    text.chars()
        .filter(|c| {
            match c {
                '(' => depth += 1,
                ')' => {
                    depth = depth.saturating_sub(1);
                    return false;
                }
                _ => {}
            }
            depth == 0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn nextest_counts_are_read_from_its_summary() {
        for (line, expected) in [
            (
                "     Summary [   5.999s] 94 tests run: 93 passed, 1 failed, 0 skipped",
                tally(93, 1, 0),
            ),
            (
                "     Summary [   0.1s] 1 test run: 1 passed, 0 skipped",
                tally(1, 0, 0),
            ),
            (
                "Summary [ 9s] 9/12 tests run: 4 passed (1 slow, 2 flaky), 1 failed, 1 exec failed, 3 timed out, 7 skipped",
                tally(4, 5, 7),
            ),
            (
                "\u{1b}[32;1m     Summary\u{1b}[0m [   0.1s] \u{1b}[1m2\u{1b}[0m tests run: \u{1b}[1m2\u{1b}[0m \u{1b}[32;1mpassed\u{1b}[0m, 0 skipped",
                tally(2, 0, 0),
            ),
        ] {
            let output =
                format!("noise\n{line}\n        FAIL [   0.4s] a::b\nerror: test run failed\n");
            assert_eq!(Tally::of_nextest(&output), Some(expected), "{line}");
        }
        assert_eq!(Tally::of_nextest("error: could not compile `x`"), None);
    }

    #[test]
    fn node_counts_are_summed_over_its_runs() {
        let output = "# tests 3\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 0\nℹ pass 4\nℹ fail 0\nℹ duration_ms 12.5\n";
        assert_eq!(Tally::of_node(output), Some(tally(6, 1, 0)));
        assert_eq!(Tally::of_node("npm error missing script: test"), None);
    }

    #[test]
    fn a_run_that_broke_is_never_counted_as_nothing() {
        assert_eq!(Tally::after(None, false), tally(0, 1, 0));
        assert_eq!(Tally::after(Some(tally(3, 2, 0)), false), tally(3, 2, 0));
        assert_eq!(Tally::after(Some(tally(3, 0, 0)), true), tally(3, 0, 0));
    }

    #[test]
    fn the_total_is_one_plain_line() {
        assert_eq!(tally(12, 3, 4).to_string(), "12 passed, 3 failed");
    }
}
