//! Where the configuration is.

use std::path::{Path, PathBuf};

use blether_call_engine::config::{Config, ConfigError, FILE_NAME, variables};

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

    /// Reads the file and lays the environment and the command line over it.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        let mut config = Config::load(&self.file(), variables())?;
        if let Some(folder) = &self.data_dir {
            config.data_dir.clone_from(folder);
        }
        Ok(config)
    }
}

/// The folder that `file` is in.
pub(crate) fn folder_of(file: &Path) -> &Path {
    match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
