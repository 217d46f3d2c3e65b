//! Where the configuration is.

use std::path::{Path, PathBuf};

use blether_call_engine::config::{Advice, Config, ConfigError, ConfigFile, FILE_NAME, variables};

/// Where to find the configuration, as every command that needs it takes it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Place {
    /// The folder with the configuration; made with two accounts at the first start. Default: what BLETHER_DATA_DIR says, else
    /// ./blether-data.
    #[arg(long, value_name = "FOLDER", global = true)]
    data_dir: Option<PathBuf>,
    /// The configuration file. Default: call-engine.toml in the data folder.
    #[arg(long, value_name = "FILE", global = true, conflicts_with = "data_dir")]
    config: Option<PathBuf>,
}

impl Place {
    /// The configuration file.
    pub(crate) fn file(&self) -> PathBuf {
        match &self.data_dir {
            Some(folder) => folder.join(FILE_NAME),
            None => Config::locate(self.config.as_deref(), &variables()),
        }
    }

    /// Whether the file may be made where it is missing: one that was named is expected to be there.
    pub(crate) fn may_be_made(&self) -> bool {
        self.config.is_none()
    }

    /// Reads the file and lays the environment and the command line over it. What may not be meant of that comes second.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn load(&self) -> Result<(Config, Vec<Advice>), ConfigError> {
        let path = self.file();
        let ConfigFile { mut config, data_dir: in_file, .. } = ConfigFile::load(&path, variables())?;
        if let Some(folder) = &self.data_dir {
            config.data_dir.clone_from(folder);
        }
        let by = if self.data_dir.is_some() { "--data-dir" } else { "the environment variable BLETHER_DATA_DIR" };
        let used = config.data_dir.clone();
        let other = in_file.filter(|in_file| !same_folder(in_file, &used)).map(|in_file| Advice::OtherDataDir {
            in_file,
            used,
            by,
        });
        let open = open_to_others(&path, &config);
        Ok((config, open.into_iter().chain(other).collect()))
    }
}

/// Whether two paths lead to one folder. One that cannot be looked at leads nowhere else than it says.
fn same_folder(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// Whether others may read the passwords in the file, or change them. A file that somebody else owns may be its group's: the server is in that group,
/// or could not read it.
#[cfg(unix)]
fn open_to_others(path: &Path, config: &Config) -> Option<Advice> {
    use std::os::unix::fs::MetadataExt;

    let file = path.metadata().ok()?;
    let ours = file.uid() == rustix::process::geteuid().as_raw();
    let (mode, too_open) = (file.mode() & 0o7777, if ours { 0o077 } else { 0o007 });
    (!config.accounts.is_empty() && mode & too_open != 0).then(|| Advice::OpenFile { path: path.to_owned(), mode })
}

#[cfg(not(unix))]
fn open_to_others(_path: &Path, _config: &Config) -> Option<Advice> {
    None
}

/// The folder that `file` is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
