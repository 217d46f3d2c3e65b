//! A disk that a test can fill.

use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// Set in the process that has mounts of its own.
const OWN_MOUNTS: &str = "BLETHER_TEST_OWN_MOUNTS";

/// A file system in memory, unmounted when dropped.
pub(crate) struct SmallDisk(tempfile::TempDir);

/// Runs a test with an empty disk of so many KiB. Who is not root does so in a process with mounts of its own, which runs the test called `name` anew.
pub(crate) fn with_small_disk(name: &str, kib: u32, test: impl FnOnce(&SmallDisk)) {
    let folder = tempfile::tempdir().unwrap();
    let size = format!("size={kib}k");
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output();
    if mounted.as_ref().is_ok_and(|mount| mount.status.success()) {
        return test(&SmallDisk(folder));
    }
    assert!(std::env::var_os(OWN_MOUNTS).is_none(), "no tmpfs, though this is root of its namespace: {mounted:?}");
    let own = Command::new("unshare")
        .args(["--map-root-user", "--mount"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(OWN_MOUNTS, "1")
        .status();
    assert!(
        own.as_ref().is_ok_and(|status| status.success()),
        "this test mounts a tmpfs: run it as root, or where `unshare --map-root-user --mount` works, or see above why it failed: {own:?}, {mounted:?}"
    );
}

impl SmallDisk {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes all the room there is.
    pub(crate) fn fill(&self) {
        let mut ballast = std::fs::File::create(self.path().join("ballast")).unwrap();
        for piece in [1 << 16, 1 << 12] {
            while ballast.write_all(&vec![7; piece]).is_ok() {}
        }
    }

    /// Gives the room back.
    pub(crate) fn make_room(&self) {
        std::fs::remove_file(self.path().join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}
