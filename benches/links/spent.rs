//! Time that passed and CPU time that was spent.

use std::{fmt, time::Duration};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::TimeValLike as _,
};
use tokio::time::Instant;

/// What a round took.
#[derive(Clone, Copy)]
pub(crate) struct Spent {
    times: u32,
    passed: Duration,
    cpu: Duration,
    /// Half of the single times were shorter, where they were taken.
    middle: Option<Duration>,
}

/// Both clocks at the start of a round.
pub(crate) struct Clocks {
    start: Instant,
    cpu: Duration,
}

impl Clocks {
    pub(crate) fn start() -> Self {
        Self { start: Instant::now(), cpu: cpu() }
    }

    /// What `times` of something took since then, `singles` being how long each of them took.
    pub(crate) fn spent(&self, times: u32, mut singles: Vec<Duration>) -> Spent {
        let (passed, cpu) = (self.start.elapsed(), cpu() - self.cpu);
        singles.sort_unstable();
        Spent { times, passed, cpu, middle: singles.get(singles.len() / 2).copied() }
    }
}

/// User and system time of this process so far.
fn cpu() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).expect("it is allowed to know");
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    Duration::from_micros(micros.unsigned_abs())
}

impl Spent {
    fn per_second(&self) -> f64 {
        f64::from(self.times) / self.passed.as_secs_f64()
    }

    fn cpu_per_million(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / f64::from(self.times)
    }
}

/// The line of a table: the middle of what the rounds took, each column by itself.
pub(crate) fn median(rounds: Vec<Spent>) -> impl fmt::Display {
    let of = |figure: &dyn Fn(&Spent) -> f64| {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures
    };
    let middle = |figures: &[f64]| figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN);
    let singles = of(&|spent| spent.middle.map_or(f64::NAN, |middle| middle.as_secs_f64() * 1e6));
    let cpu = of(&Spent::cpu_per_million);
    let spread = cpu.last().zip(cpu.first()).map_or(f64::NAN, |(most, least)| (most - least) / middle(&cpu));
    let single = match middle(&singles) {
        micros if micros.is_nan() => String::from("-"),
        micros => format!("{micros:.0} µs"),
    };
    format!(
        "{:>10.0} {single:>13} {:>16.2} {:>6.0} %",
        middle(&of(&Spent::per_second)),
        middle(&cpu),
        spread * 100.0
    )
}
