//! Who was met where: on the first meeting the key is noted, from then on it must be the same.

use std::{
    collections::BTreeMap,
    fs, io,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use tracing::warn;

use crate::wire::NodeId;

/// Addresses that are remembered; the file is a person's to prune.
pub const MAX_PINS: usize = 10_000;

/// Whether an address leads where it led before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pinned {
    /// As before.
    Same,
    /// Met for the first time; noted.
    New,
    /// It was another.
    Other(NodeId),
}

/// The nodes met so far, by address: a line each in a file, or only in memory.
#[derive(Debug, Default)]
pub struct Pins {
    known: Mutex<BTreeMap<SocketAddr, NodeId>>,
    file: Option<PathBuf>,
}

impl Pins {
    /// Reads the file; one that is not there yet is empty.
    ///
    /// # Errors
    /// When it cannot be read, or a line is not an address and a node id: a pin is never dropped
    /// silently.
    pub fn open(path: &Path) -> io::Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text?,
        };
        let mut known = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let bad = || io::Error::new(io::ErrorKind::InvalidData, format!("line {} is no pin", number + 1));
            let (addr, node) = line.split_once(' ').ok_or_else(bad)?;
            known.insert(addr.parse().map_err(|_| bad())?, node.parse().map_err(|_| bad())?);
        }
        Ok(Self { known: Mutex::new(known), file: Some(path.to_owned()) })
    }

    /// Compares, and notes an address that is met for the first time.
    pub fn check(&self, addr: SocketAddr, node: NodeId) -> Pinned {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match known.get(&addr) {
            Some(pinned) if *pinned == node => Pinned::Same,
            Some(pinned) => Pinned::Other(*pinned),
            None => {
                if known.len() < MAX_PINS {
                    known.insert(addr, node);
                    self.note(addr, node);
                }
                Pinned::New
            }
        }
    }

    fn note(&self, addr: SocketAddr, node: NodeId) {
        let Some(path) = &self.file else { return };
        let file = fs::OpenOptions::new().create(true).append(true).open(path);
        let written = file.and_then(|mut file| {
            file.write_all(format!("{addr} {node}\n").as_bytes())?;
            file.sync_data()
        });
        if let Err(error) = written {
            warn!(path = %path.display(), %error, "the pin could not be kept");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_pin_kept_across_runs_and_another_key_noticed() {
        let dir = std::env::temp_dir().join(format!("sayagain-pins-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let path = dir.join("pins");
        let (addr, a, b) = ("127.0.0.1:4224".parse().unwrap(), NodeId([1; 32]), NodeId([2; 32]));
        assert_eq!(Pins::open(&path).unwrap().check(addr, a), Pinned::New);
        let pins = Pins::open(&path).unwrap();
        assert_eq!(pins.check(addr, a), Pinned::Same);
        assert_eq!(pins.check(addr, b), Pinned::Other(a));
        fs::write(&path, "nonsense\n").unwrap();
        assert_eq!(Pins::open(&path).unwrap_err().kind(), io::ErrorKind::InvalidData);
        fs::remove_dir_all(&dir).unwrap();
    }
    #[test]
    fn are_as_many_pins_kept_as_the_limit_says_and_not_one_more() {
        let (pins, a, b) = (Pins::default(), NodeId([1; 32]), NodeId([2; 32]));
        let addr = |n: usize| SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 1));
        for n in 0..MAX_PINS {
            assert_eq!(pins.check(addr(n), a), Pinned::New);
        }
        assert_eq!(pins.check(addr(MAX_PINS - 1), b), Pinned::Other(a), "the last is kept");
        assert_eq!(pins.check(addr(MAX_PINS), a), Pinned::New);
        assert_eq!(pins.check(addr(MAX_PINS), b), Pinned::New, "one more is not");
        assert_eq!(pins.check(addr(0), b), Pinned::Other(a), "and none makes way");
    }
}
