//! Kamailio as a registrar, configured to do what ours does: one process for UDP, as it has one core.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, ensure};
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tempfile::TempDir;

use crate::place::{Place, require};
use crate::server::{PASSWORD, Server};

pub(crate) const NAME: &str = "kamailio";

/// Where Debian puts its modules.
const MODULES: &str = "/usr/lib/x86_64-linux-gnu/kamailio/modules/";

/// Where Debian puts the tables of its database modules.
const TABLES: &str = "/usr/share/kamailio/db_sqlite";

/// The version of its table of contacts, with which it starts.
const TABLE_FILES: [&str; 2] = ["standard-create.sql", "usrloc-create.sql"];

/// What it is to do with a REGISTER.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nobody has to prove who they are; contacts in memory (`db_mode` 0).
    Open,
    /// Digest with SHA-256; contacts in memory.
    Digest,
    /// Nobody has to prove who they are; each contact is written to SQLite before the answer (`db_mode` 1).
    Written,
}

/// Whether all that is needed is installed.
pub(crate) fn check() -> anyhow::Result<()> {
    require("kamailio", "kamailio kamailio-sqlite-modules")?;
    let sqlite = Path::new(MODULES).join("db_sqlite.so");
    ensure!(
        sqlite.exists() && Path::new(TABLES).exists(),
        "Kamailio's SQLite module is not here; on Debian and Ubuntu: apt-get install kamailio-sqlite-modules"
    );
    Ok(())
}

/// Starts it with a configuration of its own, in a folder of its own.
pub(crate) fn start(place: &Place, kind: Kind) -> anyhow::Result<Server> {
    let folder = TempDir::new()?;
    let file = folder.path().join("kamailio.cfg");
    let database = folder.path().join("kamailio.db");
    if kind == Kind::Written {
        create_tables(&database)?;
    }
    fs::write(&file, configuration(kind, &database))?;
    let mut command = place.command("kamailio");
    command.args(["-DD", "-E", "-f"]).arg(&file);
    command.args(["-l", &format!("udp:{}", place.address), "-n", "1", "-m", "1024", "-M", "32", "-b", "4194304", "-w"]);
    command.arg(folder.path());
    Server::peer(place, command, Some(folder), &options)
}

fn configuration(kind: Kind, database: &Path) -> String {
    let path = database.display();
    let (load, store) = match kind {
        Kind::Written => (
            "loadmodule \"db_sqlite.so\"\n",
            format!(
                "modparam(\"usrloc\", \"db_mode\", 1)\nmodparam(\"usrloc\", \"db_url\", \"sqlite:///{path}\")\n\
                 modparam(\"db_sqlite\", \"db_set_journal_mode\", \"{path}=WAL\")\n"
            ),
        ),
        Kind::Open | Kind::Digest => ("", "modparam(\"usrloc\", \"db_mode\", 0)\n".to_owned()),
    };
    let authenticate = match kind {
        Kind::Digest => format!(
            "        if (!pv_www_authenticate(\"$td\", \"{PASSWORD}\", \"0\")) {{ www_challenge(\"$td\", \"1\"); exit; }}\n"
        ),
        Kind::Open | Kind::Written => String::new(),
    };
    format!(
        "debug=0\nlog_stderror=yes\nauto_aliases=no\ndns=no\nrev_dns=no\nuse_dns_cache=off\ndisable_tcp=yes\n\
         mpath=\"{MODULES}\"\n{load}\
         loadmodule \"sl.so\"\nloadmodule \"pv.so\"\nloadmodule \"textops.so\"\nloadmodule \"usrloc.so\"\n\
         loadmodule \"registrar.so\"\nloadmodule \"auth.so\"\n\
         modparam(\"auth\", \"algorithm\", \"SHA-256\")\nmodparam(\"auth\", \"nonce_expire\", 300)\n\
         modparam(\"usrloc\", \"hash_size\", 14)\nmodparam(\"registrar\", \"max_contacts\", 10)\n{store}\
         request_route {{\n    if (is_method(\"REGISTER\")) {{\n{authenticate}        save(\"location\"); exit;\n    }}\n    \
         sl_send_reply(\"200\", \"OK\");\n}}\n"
    )
}

/// Makes its tables, as `kamdbctl create` does.
fn create_tables(database: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(database).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await?;
        for name in TABLE_FILES {
            let path = Path::new(TABLES).join(name);
            let sql = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    })
}

/// An OPTIONS, which it answers as soon as it is there.
fn options(local: SocketAddr) -> Vec<u8> {
    format!(
        "OPTIONS sip:{local} SIP/2.0\r\nVia: SIP/2.0/UDP {local};branch=z9hG4bK-hello;rport\r\nFrom: <sip:bench@{local}>;tag=1\r\n\
         To: <sip:bench@{local}>\r\nCall-ID: hello\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}
