//! One row that cannot be read takes no other with it.

use sqlx::{Connection as _, SqliteConnection};

use super::*;

/// A database with two of everything, and then what was done to it.
async fn damaged(folder: &std::path::Path, statement: &str) -> SqliteStore {
    let at = moment();
    let mut store = sqlite(folder);
    store.load(at.date).await.unwrap();
    let batch = Batch {
        accounts: ["alice", "bob"].map(|user| AccountChange::Put(account(user, "a"))).to_vec(),
        registrations: ["alice", "bob"].map(|user| of(user, vec![stored(at, "<sip:a@h>", 60)])).to_vec(),
        cdrs: vec![ended(&cdr(1, at)), ended(&cdr(2, at))],
        ..Batch::default()
    };
    store.write(&batch).await.unwrap();
    let url = format!("sqlite://{}", folder.join("engine.db").display());
    let mut shell = SqliteConnection::connect(&url).await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(statement.to_owned())).execute(&mut shell).await.unwrap();
    assert_eq!(done.rows_affected(), 1, "{statement}");
    shell.close().await.unwrap();
    store
}

/// One value of one row of each kind that SQLite takes into any column and that is none for us.
const DAMAGES: [&str; 6] = [
    "UPDATE accounts SET md5 = x'ff00' WHERE user = 'alice'",
    "UPDATE accounts SET display_name = CAST(x'ff' AS TEXT) WHERE user = 'alice'",
    "UPDATE registrations SET cseq = 'many' WHERE aor LIKE '%alice%'",
    "UPDATE registrations SET contact = CAST(x'fe' AS TEXT) WHERE aor LIKE '%alice%'",
    "UPDATE registrations SET aor = x'ff' WHERE aor LIKE '%alice%'",
    "UPDATE registrations SET expires_at = 'never' WHERE aor LIKE '%alice%'",
];

#[tokio::test]
async fn one_unreadable_column_costs_its_row_alone() {
    for statement in DAMAGES {
        let folder = folder();
        let mut store = damaged(folder.path(), statement).await;
        let found = store.load(moment().date).await.unwrap_or_else(|error| panic!("{statement}: {error}"));
        assert_eq!(found.unreadable, 1, "{statement}");
        assert_eq!(found.accounts.len() + found.registrations.len(), 3, "{statement}");
        assert!(found.accounts.iter().any(|account| account.user == "bob"), "{statement}");
        assert!(found.registrations.iter().any(|set| set.aor == aor("bob")), "{statement}");
    }
}

#[tokio::test]
async fn an_unreadable_call_record_does_not_hide_the_others() {
    let folder = folder();
    let mut store = damaged(folder.path(), "UPDATE cdrs SET started_at = 'then' WHERE id = 2").await;
    assert_eq!(store.cdrs(10).await.unwrap(), [ended(&cdr(1, moment()))]);
}

#[cfg(feature = "cli")]
#[tokio::test]
async fn an_unreadable_row_is_logged_with_its_table_and_its_key() {
    let folder = folder();
    let mut store = damaged(folder.path(), "UPDATE accounts SET md5 = x'ff00' WHERE user = 'alice'").await;
    let (log, _logs_here) = writing::Log::begin();
    store.load(moment().date).await.unwrap();
    let log = log.text();
    assert!(log.contains("table=\"accounts\"") && log.contains("key=\"alice\"") && log.contains("md5"), "{log}");
}
