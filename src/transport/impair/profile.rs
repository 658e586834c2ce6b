//! What a network is like, as data: the files of `netem/profiles`, which `netem/README.md` describes.

mod fields;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use self::fields::Fields;

/// Bytes of the longest datagram that UDP carries over IPv4, and the MTU of a profile that names none.
pub const MAX_DATAGRAM: usize = 65_507;

macro_rules! shipped {
    ($($name:literal)+) => {
        /// Name and text of every profile that comes with the program.
        const SHIPPED: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../../netem/profiles/", $name, ".json")))),+];
    };
}

shipped! {
    "bufferbloat" "burst" "clean" "lossy10" "lossy30" "lte" "narrow" "reorder" "satellite" "ship" "stall"
    "wifi"
}

/// A network, both directions of it: the client's way forth, and the way back.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    forth: Figures,
    back: Figures,
}

/// One direction, checked and in units of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Figures {
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    /// A datagram that is late holds up those behind it, rather than being overtaken.
    pub(super) keeps_order: bool,
    /// Shares from 0 to 1, here and below.
    pub(super) loss: f64,
    pub(super) burst: Duration,
    pub(super) reorder: f64,
    /// How much earlier than its turn a reordered datagram comes.
    pub(super) lead: Duration,
    pub(super) duplicate: f64,
    pub(super) corrupt: f64,
    pub(super) truncate: f64,
    pub(super) bottleneck: Option<Bottleneck>,
    pub(super) mtu: usize,
    pub(super) blackouts: Option<Blackouts>,
    pub(super) rebind_every: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bottleneck {
    pub(super) bits_per_second: u64,
    /// The longest that a datagram waits before it is its turn.
    pub(super) queue: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Blackouts {
    pub(super) every: Duration,
    pub(super) length: Duration,
    pub(super) first: Duration,
}

/// Why a text is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No JSON object, a field that does not exist, or one of another type.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A bracket: no field holds an array.
    #[error("a profile holds no arrays")]
    Array,
    /// A number outside its range.
    #[error("{field} is {value}, and may be from {least} to {most}")]
    OutOfRange {
        /// Its name.
        field: &'static str,
        /// What the profile says.
        value: f64,
        /// The smallest lawful one.
        least: f64,
        /// The largest lawful one.
        most: f64,
    },
    /// A number above another one that bounds it.
    #[error("{field} is {value}, and may not be above {bound}, which is {most}")]
    Above {
        /// Its name.
        field: &'static str,
        /// What the profile says.
        value: f64,
        /// The other's name.
        bound: &'static str,
        /// What the profile says there.
        most: f64,
    },
    /// Two fields that say the same in two ways.
    #[error("{0} and {1} exclude each other")]
    Both(&'static str, &'static str),
    /// A field that means nothing without another.
    #[error("{0} needs a {1}")]
    Needs(&'static str, &'static str),
    /// A way back within the way back.
    #[error("back holds another back")]
    BackOfBack,
    /// The way back is unlawful, by itself or together with what it does not override.
    #[error("back: {0}")]
    Back(#[source] Box<Self>),
}

impl Profile {
    /// The profiles that come with the program, in alphabetical order.
    pub fn names() -> impl ExactSizeIterator<Item = &'static str> {
        SHIPPED.iter().map(|(name, _)| *name)
    }

    /// One of those; `None` for another name.
    pub fn named(name: &str) -> Option<Self> {
        let (_, text) = SHIPPED.iter().find(|(shipped, _)| *shipped == name)?;
        Self::parse(text).ok()
    }

    /// Reads a profile: a JSON object with the fields that `netem/README.md` lists, times in
    /// milliseconds, shares in percent.
    ///
    /// # Errors
    /// [`ProfileError`], whose text names the field that is wrong.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        if text.contains('[') {
            // Serde would take one for an object whose names are left out.
            return Err(ProfileError::Array);
        }
        let fields: Fields = serde_json::from_str(text)?;
        let forth = fields.figures()?;
        let back = match &fields.back {
            None => forth,
            Some(back) if back.back.is_some() => return Err(ProfileError::BackOfBack),
            Some(back) => back.over(&fields).figures().map_err(|why| ProfileError::Back(why.into()))?,
        };
        Ok(Self { forth, back })
    }

    /// A network with the client's way forth in both directions. What [`Line::new`](super::Line::new)
    /// takes for what the client sends.
    #[must_use]
    pub fn forth(&self) -> Self {
        Self { forth: self.forth, back: self.forth }
    }

    /// A network with the way back in both directions. What [`Line::new`](super::Line::new) takes for
    /// what the client receives.
    #[must_use]
    pub fn back(&self) -> Self {
        Self { forth: self.back, back: self.back }
    }

    pub(super) fn figures(&self) -> Figures {
        self.forth
    }
}

impl Bottleneck {
    /// How long `bytes` take to pass.
    pub(super) fn time_for(&self, bytes: u64) -> Duration {
        let nanos = u128::from(bytes) * 8 * 1_000_000_000 / u128::from(self.bits_per_second.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

impl Blackouts {
    /// Whether nothing gets through at `at` on a line that began at `start`.
    pub(super) fn cover(&self, start: Instant, at: Instant) -> bool {
        let passed = at.saturating_duration_since(start);
        let since_first = passed.checked_sub(self.first).map(|since| since.as_nanos());
        let into = since_first.and_then(|since| since.checked_rem(self.every.as_nanos()));
        into.is_some_and(|into| into < self.length.as_nanos())
    }
}
