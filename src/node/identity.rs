//! Who this node is: its key, its run, and whom it met. One data directory belongs to one process.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use data_encoding::BASE64;
use rand::{TryRng as _, rngs::SysRng};

use crate::wire::{Epoch, NodeId, SigningKey};

use super::{clock::unix_ms, pins::Pins};

const KEY_FILE: &str = "identity.pem";
const EPOCH_FILE: &str = "epoch";
const LOCK_FILE: &str = "lock";
const PINS_FILE: &str = "pins";
const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Why a data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// Another process uses it.
    #[error("another node uses the data directory {0}")]
    InUse(PathBuf),
    /// Others may read the key.
    #[error("others can read the key file {0}")]
    Readable(PathBuf),
    /// The key file holds no key.
    #[error("{0} holds no Ed25519 private key")]
    BadKey(PathBuf),
    /// The file system said no.
    #[error("cannot use {path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    NoChance(String),
}

/// A node's identity.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Its key.
    pub key: Arc<SigningKey>,
    /// Its run: larger than any before.
    pub epoch: Epoch,
    /// Whom it met.
    pub pins: Arc<Pins>,
    /// Held as long as the identity is in use.
    _lock: Option<Arc<File>>,
}

impl Identity {
    /// An identity for this run only: nothing is written, nobody is remembered.
    ///
    /// # Errors
    /// [`IdentityError::NoChance`].
    pub fn ephemeral() -> Result<Self, IdentityError> {
        let epoch = Epoch(unix_ms() / 1000);
        Ok(Self { key: Arc::new(new_key()?), epoch, pins: Arc::default(), _lock: None })
    }

    /// The identity kept in a directory, made at the first start (key file mode 0600). The new epoch
    /// is on disk before this returns.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn open(dir: &Path) -> Result<Self, IdentityError> {
        let io = |path: &Path| {
            let path = path.to_owned();
            move |error| IdentityError::Io { path, error }
        };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io(dir))?;
        let lock = lock(dir)?;
        let key_path = dir.join(KEY_FILE);
        let key =
            if key_path.try_exists().map_err(io(&key_path))? { read_key(&key_path)? } else { make_key(dir)? };
        let epoch = next_epoch(dir).map_err(io(&dir.join(EPOCH_FILE)))?;
        let pins = Pins::open(&dir.join(PINS_FILE)).map_err(io(&dir.join(PINS_FILE)))?;
        Ok(Self { key: Arc::new(key), epoch, pins: Arc::new(pins), _lock: Some(Arc::new(lock)) })
    }

    /// The node this is.
    pub fn node(&self) -> NodeId {
        self.key.node()
    }
}

/// 32 bytes from the operating system.
///
/// # Errors
/// [`IdentityError::NoChance`].
pub fn random_seed() -> Result<[u8; 32], IdentityError> {
    let mut seed = [0; 32];
    SysRng.try_fill_bytes(&mut seed).map_err(|error| IdentityError::NoChance(error.to_string()))?;
    Ok(seed)
}

fn new_key() -> Result<SigningKey, IdentityError> {
    SigningKey::from_seed(random_seed()?).map_err(|error| IdentityError::NoChance(error.to_string()))
}

fn lock(dir: &Path) -> Result<File, IdentityError> {
    let path = dir.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path);
    let file = file.map_err(|error| IdentityError::Io { path: path.clone(), error })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(IdentityError::InUse(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(IdentityError::Io { path, error }),
    }
}

fn read_key(path: &Path) -> Result<SigningKey, IdentityError> {
    let io = |error| IdentityError::Io { path: path.to_owned(), error };
    let mode = fs::metadata(path).map_err(io)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(IdentityError::Readable(path.to_owned()));
    }
    let pem = fs::read_to_string(path).map_err(io)?;
    let body = pem.trim().strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END));
    let text: String = body.unwrap_or_default().split_whitespace().collect();
    let der = BASE64.decode(text.as_bytes()).unwrap_or_default();
    SigningKey::from_pkcs8(&der).map_err(|_| IdentityError::BadKey(path.to_owned()))
}

/// Under another name first, so that a crash leaves no half a key.
fn make_key(dir: &Path) -> Result<SigningKey, IdentityError> {
    let key = new_key()?;
    let pem = format!("{PEM_BEGIN}\n{}\n{PEM_END}\n", BASE64.encode(&key.to_pkcs8()));
    let path = dir.join(KEY_FILE);
    write_whole(dir, KEY_FILE, &pem).map_err(|error| IdentityError::Io { path, error })?;
    Ok(key)
}

/// The larger of the time and one more than the last, on disk before it is used.
fn next_epoch(dir: &Path) -> io::Result<Epoch> {
    let last = match fs::read_to_string(dir.join(EPOCH_FILE)) {
        Ok(text) => text.trim().parse::<u64>().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0,
        Err(error) => return Err(error),
    };
    let epoch = Epoch((unix_ms() / 1000).max(last.saturating_add(1)));
    write_whole(dir, EPOCH_FILE, &format!("{}\n", epoch.0))?;
    Ok(epoch)
}

/// A whole file for its owner alone, or what was there before: on disk when this returns.
pub(super) fn write_whole(dir: &Path, name: &str, text: &str) -> io::Result<()> {
    let temporary = dir.join(format!("{name}.new"));
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, dir.join(name))?;
    File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("sayagain-identity-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        dir
    }

    #[test]
    fn is_the_identity_the_same_and_the_epoch_larger_at_every_start() {
        let dir = scratch("restart");
        let first = Identity::open(&dir).unwrap();
        let (node, epoch) = (first.node(), first.epoch);
        drop(first);
        let second = Identity::open(&dir).unwrap();
        assert_eq!(second.node(), node);
        assert!(second.epoch > epoch);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn does_a_directory_belong_to_one_process_at_a_time() {
        let dir = scratch("lock");
        let first = Identity::open(&dir).unwrap();
        assert!(matches!(Identity::open(&dir), Err(IdentityError::InUse(_))));
        drop(first);
        assert!(Identity::open(&dir).is_ok());
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn is_a_key_that_others_can_read_refused() {
        let dir = scratch("mode");
        drop(Identity::open(&dir).unwrap());
        let key = dir.join(KEY_FILE);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Identity::open(&dir), Err(IdentityError::Readable(_))));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&key, "not a key").unwrap();
        assert!(matches!(Identity::open(&dir), Err(IdentityError::BadKey(_))));
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn does_the_epoch_grow_when_the_clock_was_set_back() {
        let dir = scratch("clock");
        drop(Identity::open(&dir).unwrap());
        fs::write(dir.join(EPOCH_FILE), "99999999999\n").unwrap();
        assert_eq!(Identity::open(&dir).unwrap().epoch, Epoch(100_000_000_000));
        fs::remove_dir_all(&dir).unwrap();
    }
}
