//! Files that root makes in somebody else's folder are given to whom the folder belongs to: a command that is run with `sudo`, or a server that was
//! once started so, must not leave behind what the server's own user cannot open.
//!
//! What SQLite makes beside a database it gives to the owner of the database by itself.

use std::fs::File;
use std::io;
use std::path::Path;
#[cfg(unix)]
use std::sync::Once;

/// Gives a file that this process has just made to the owner of the folder that it is in. Who is not root has made it for himself, and keeps it. One that
/// was there before must not be given: it may be a link of the folder's owner to what is not his.
///
/// # Errors
/// What the system said, other than that this user may not give anything away, or not to that owner: in a user namespace there are owners who have no
/// number, and `fchown` answers `EINVAL` (user_namespaces(7)). Then a warning says so once.
#[cfg(unix)]
pub(crate) fn give(file: &File, path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, fchown};

    let folder = folder_of(path).metadata()?;
    let (uid, gid) = (folder.uid(), folder.gid());
    if file.metadata()?.uid() == uid {
        return Ok(());
    }
    match fchown(file, Some(uid), Some(gid)) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => {
            static WARNED: Once = Once::new();
            WARNED.call_once(|| {
                let folder = folder_of(path).display();
                tracing::warn!(%error, "files in {folder} cannot be given to its owner, who has no number in this user namespace; they stay with this user");
            });
            Ok(())
        }
        given => given,
    }
}

/// Whether a file belongs to somebody else than its folder does, so that whoever runs the server there may not be able to open it.
#[cfg(unix)]
pub(crate) fn is_strange(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;

    let owner = |path: &Path| path.metadata().map(|file| file.uid()).ok();
    owner(path).is_some_and(|of_file| owner(folder_of(path)).is_some_and(|of_folder| of_file != of_folder))
}

#[cfg(unix)]
fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(not(unix))]
pub(crate) fn give(_file: &File, _path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
pub(crate) fn is_strange(_path: &Path) -> bool {
    false
}
