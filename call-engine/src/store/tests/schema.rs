//! A database of each version of the schema is read by this one; one of a version to come is not touched.

use sqlx::{Connection as _, SqliteConnection};

use super::super::sqlite::MIGRATIONS;
use super::*;

/// What each version left, as `sqlite3 FILE .dump` writes it.
const LEFT_BY: [(i64, &str); 2] = [(1, include_str!("schemas/0001.sql")), (2, include_str!("schemas/0002.sql"))];

async fn shell(folder: &std::path::Path) -> SqliteConnection {
    let url = format!("sqlite://{}?mode=rwc", folder.join("engine.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

/// The tables and indices of a database, in words.
async fn schema(folder: &std::path::Path) -> Vec<String> {
    let mut shell = shell(folder).await;
    let statements = sqlx::query_scalar("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name");
    statements.fetch_all(&mut shell).await.unwrap()
}

#[tokio::test]
async fn a_database_of_every_earlier_version_is_brought_up_to_date_and_keeps_what_is_in_it() {
    assert_eq!(LEFT_BY.map(|(version, _)| version), MIGRATIONS.map(|(version, ..)| version), "one for each");
    let fresh = folder();
    sqlite(fresh.path()).load(moment().date).await.unwrap();
    for (version, dump) in LEFT_BY {
        let folder = folder();
        let mut shell = shell(folder.path()).await;
        sqlx::raw_sql(dump).execute(&mut shell).await.unwrap();
        shell.close().await.unwrap();

        let mut store = sqlite(folder.path());
        let found = store.load(moment().date).await.unwrap();
        assert_eq!((found.unreadable, found.interrupted), (0, 1), "version {version}");
        let [account] = &found.accounts[..] else { panic!("{:?}", found.accounts) };
        assert_eq!((account.user.as_str(), account.display_name.as_deref()), ("alice", Some("Alice")));
        let [set] = &found.registrations[..] else { panic!("{:?}", found.registrations) };
        let contacts: Vec<_> =
            set.contacts.iter().map(|contact| (contact.contact.as_str(), contact.flow.transport)).collect();
        let expected = [("<sip:a@192.0.2.9:5062>", Transport::Udp), ("<sip:b@192.0.2.9:5064>", Transport::Tcp)];
        assert_eq!((set.aor.clone(), contacts), (aor("alice"), expected.to_vec()));
        let cdrs = store.cdrs(10).await.unwrap();
        let ends: Vec<_> = cdrs.iter().map(|cdr| cdr.end.unwrap().as_str()).collect();
        assert_eq!(ends, ["interrupted", "refused", "caller"]);
        assert_eq!(cdrs[2].legs_json().unwrap()[0]["party"], "caller");
        store.close().await;
        assert_eq!(schema(folder.path()).await, schema(fresh.path()).await, "version {version}");
    }
}

#[tokio::test]
async fn a_database_of_a_later_version_is_left_as_it_is_and_keeps_a_server_from_starting() {
    let folder = folder();
    let mut store = sqlite(folder.path());
    store.load(moment().date).await.unwrap();
    store.close().await;
    drop(store);
    let mut shell = shell(folder.path()).await;
    let later = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'later', true, x'00', 0)";
    sqlx::query(later).execute(&mut shell).await.unwrap();
    shell.close().await.unwrap();
    let before = std::fs::read(folder.path().join("engine.db")).unwrap();
    let refused = Writer::open(sqlite(folder.path()), WriterConfig::default(), Arc::default(), moment()).await;
    let error = refused.map(|(_, handle, _)| handle).unwrap_err();
    assert!(matches!(error, StoreError::NewerSchema { version: 99, .. }), "{error:?}");
    assert!(error.to_string().contains("schema version 99"), "{error}");
    assert_eq!(std::fs::read(folder.path().join("engine.db")).unwrap(), before);
    assert!(!folder.path().join("engine.db-wal").exists(), "nothing was written");
}
