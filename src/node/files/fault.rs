//! What goes wrong with files, in the words of the room above.

use std::{io, path::Path};

use crate::{app::FileFault, wire::ErrorCode};

pub(super) fn fault(code: ErrorCode, detail: impl Into<String>) -> FileFault {
    FileFault { code, detail: detail.into() }
}

/// What an operating system said about a path: `what` is what could not be done with it.
pub(super) fn refused(what: &str, path: &Path, error: &io::Error) -> FileFault {
    let code = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorCode::NoSpace,
        _ => ErrorCode::FileFailed,
    };
    fault(code, format!("cannot {what} {}: {error}", path.display()))
}

pub(super) fn changed(path: &Path) -> FileFault {
    fault(ErrorCode::FileChanged, format!("{} changed while it was sent", path.display()))
}
