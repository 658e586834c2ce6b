//! Whether a file that is to come fits.

use std::{fs, io, os::unix::fs::MetadataExt as _, path::Path};

use nix::sys::statvfs::statvfs;

use crate::{app::FileFault, wire::ErrorCode};

use super::fault::{fault, refused};

/// Bytes that must be free when all of a file has arrived: for chat's own history, and for everybody else.
pub const MIN_FREE_BYTES: u64 = 256 << 20;

/// Refuses a file of which `missing` bytes are to come into `parts`, if afterwards less than `floor` was free
/// there, or if it could not be copied to `downloads`.
pub(super) fn must_fit(
    missing: u64,
    len: u64,
    (parts, downloads): (&Path, &Path),
    floor: u64,
) -> Result<(), FileFault> {
    must_have(parts, missing, floor)?;
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let is_elsewhere = device(parts) != device(downloads);
    if is_elsewhere && downloads.exists() { must_have(downloads, len, floor) } else { Ok(()) }
}

fn must_have(folder: &Path, bytes: u64, floor: u64) -> Result<(), FileFault> {
    match free(folder).map_err(|error| refused("look at", folder, &error))? {
        Some(free) if bytes > 0 && free < bytes.saturating_add(floor) => {
            let detail =
                format!("{bytes} more bytes in {} would leave less than {floor} of {free}", folder.display());
            Err(fault(ErrorCode::NoSpace, detail))
        }
        _ => Ok(()),
    }
}

/// Bytes that a folder can take; none where its file system does not tell.
#[allow(clippy::useless_conversion, reason = "some systems count in 32 bits")]
fn free(folder: &Path) -> io::Result<Option<u64>> {
    let stat = statvfs(folder)?;
    let blocks = u64::from(stat.blocks_available());
    let tells = u64::from(stat.blocks()) > 0;
    Ok(tells.then(|| blocks.saturating_mul(u64::from(stat.fragment_size()))))
}
