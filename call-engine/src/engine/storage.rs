//! Opens the store of an engine and has it written.

use std::future::Future;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use blether_sip_core::Host;

use super::EngineError;
use crate::first_run::create_private_folder;
use crate::location::Location;
use crate::store::{
    MemoryStore, Moment, SqliteConfig, SqliteStore, Store, StoreError, StoreHandle, Writer, WriterConfig,
};

/// The database, in the data folder.
pub(crate) const FILE_NAME: &str = "blether.db";

/// Opens the database in `data_dir`, makes both if they are not there, and fills `location` from it, when it can be read.
pub(super) async fn durable(
    data_dir: &Path,
    domain: Host,
    location: Arc<Location>,
) -> Result<StoreHandle, EngineError> {
    match create_private_folder(data_dir) {
        // A disk may have room again; what else keeps it from being made does not pass by itself.
        Err(cause) if cause.kind() != ErrorKind::StorageFull => {
            return Err(EngineError::DataFolder { path: PathBuf::from(data_dir), cause });
        }
        Ok(()) | Err(_) => {}
    }
    let store = SqliteStore::new(SqliteConfig::new(data_dir.join(FILE_NAME)))?;
    Ok(open(store, WriterConfig { domain: Some(domain), ..WriterConfig::default() }, location).await?)
}

/// Opens a store and has it written.
pub(super) type Opening = Box<
    dyn FnOnce(Arc<Location>, Host) -> Pin<Box<dyn Future<Output = Result<StoreHandle, StoreError>> + Send>> + Send,
>;

/// How a store of somebody else's is opened.
pub(super) fn opening<S: Store>(store: S, mut config: WriterConfig) -> Opening {
    Box::new(move |location, domain| {
        config.domain.get_or_insert(domain);
        Box::pin(open(store, config, location))
    })
}

/// Call records in memory, and no contacts: those are there already.
pub(super) async fn in_memory(location: Arc<Location>) -> Result<StoreHandle, EngineError> {
    let config = WriterConfig { write_contacts: false, ..WriterConfig::default() };
    Ok(open(MemoryStore::new(), config, location).await?)
}

async fn open<S: Store>(store: S, config: WriterConfig, location: Arc<Location>) -> Result<StoreHandle, StoreError> {
    let moment = Moment { now: Instant::now(), date: SystemTime::now() };
    let (writer, handle, loaded) = Writer::open(store, config, location, moment).await?;
    if loaded.contacts > 0 {
        tracing::info!(contacts = loaded.contacts, "registrations were restored");
    }
    let writing = tokio::spawn(writer.run());
    tokio::spawn(async move {
        // It is never aborted, so this is a panic. What waited for it has been let go, and is in memory alone from here on.
        if let Err(error) = writing.await {
            tracing::error!(%error, "the writer of the store has failed: nothing is durable until a restart");
        }
    });
    Ok(handle)
}
