//! A file that is whole gets a name in the downloads: one that nothing there has.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, FileExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use nix::fcntl::OFlag;

use crate::{app::FileFault, wire::ErrorCode};

use super::{
    fault::{fault, refused},
    names::{numbered, safe_name},
    source::HASH_BYTES,
};

/// Names tried when the first is taken.
pub const MAX_SAME_NAMES: u32 = 999;

/// Moves the part, which is open as `file`, to `downloads` under a name like `name`.
pub(super) fn publish(part: &Path, file: &File, downloads: &Path, name: &str) -> Result<PathBuf, FileFault> {
    make_folder(downloads).map_err(|error| refused("make", downloads, &error))?;
    let name = safe_name(name);
    for number in 1..=MAX_SAME_NAMES {
        let target = downloads.join(numbered(&name, number));
        match give_name(part, file, &target) {
            Ok(()) => {}
            // A crash came between its name and the end of its part.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && is_same(file, &target) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(refused("make", &target, &error)),
        }
        sync_folder(downloads).map_err(|error| refused("write", downloads, &error))?;
        return match fs::remove_file(part) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused("remove", part, &error)),
            Ok(()) | Err(_) => Ok(target),
        };
    }
    let detail = format!("{} has too many files called {name}", downloads.display());
    Err(fault(ErrorCode::FileFailed, detail))
}

/// Makes a folder, and those it is in, for its owner alone.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Fails with `AlreadyExists` when anything has that name, a link that leads nowhere included.
fn give_name(part: &Path, file: &File, target: &Path) -> io::Result<()> {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, TooManyLinks, Unsupported};
    match fs::hard_link(part, target) {
        Err(error)
            if matches!(error.kind(), CrossesDevices | PermissionDenied | TooManyLinks | Unsupported) =>
        {
            copy(file, target)
        }
        linked => linked,
    }
}

/// For downloads on another file system, or one without links.
pub(super) fn copy(file: &File, target: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(OFlag::O_NOFOLLOW.bits());
    let mut copy = options.open(target)?;
    copy_all(file, &mut copy).inspect_err(|_| drop(fs::remove_file(target)))
}

fn copy_all(file: &File, copy: &mut File) -> io::Result<()> {
    let (mut buffer, mut at) = (vec![0; HASH_BYTES], 0);
    loop {
        let read = file.read_at(&mut buffer, at)?;
        if read == 0 {
            return copy.sync_all();
        }
        copy.write_all(buffer.get(..read).unwrap_or_default())?;
        at += read as u64;
    }
}

fn is_same(file: &File, target: &Path) -> bool {
    let (Ok(ours), Ok(theirs)) = (file.metadata(), fs::symlink_metadata(target)) else { return false };
    (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
