//! A data folder and the server in it, which can be asked how its store does.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sqlx::{Connection as _, SqliteConnection};

use crate::calls::{PASSWORD, accounts};
use crate::light::Light;
use crate::peers::{Folder, PATIENCE, ports};
use crate::program::{Running, program};

/// A data folder with a configuration, and the server in it, which is started again at the same address. What it logs is kept outside of it.
pub(crate) struct Site {
    pub(crate) folder: PathBuf,
    log: PathBuf,
    pub(crate) address: SocketAddr,
    http: SocketAddr,
}

impl Site {
    pub(crate) fn new<'a>(folder: &Path, log: &Folder, users: impl IntoIterator<Item = &'a str>) -> Self {
        let site = Self {
            folder: folder.to_owned(),
            log: log.file("server.log"),
            address: ports::loopback(ports::free_port()),
            http: ports::loopback(ports::free_port()),
        };
        std::fs::write(site.folder.join("call-engine.toml"), accounts(users)).unwrap();
        site
    }

    pub(crate) fn start(&self) -> Running {
        self.start_as(program(&self.folder))
    }

    pub(crate) fn start_as(&self, mut command: Command) -> Running {
        command.arg("--data-dir").arg(&self.folder).env("BLETHER_LISTEN", format!("udp:{}", self.address));
        command.env("BLETHER_HTTP_LISTEN", self.http.to_string());
        Running::start_logged(&mut command, &self.log)
    }

    /// Registers a user, who is answered however the store does: it works again only when the test has had this answer. The contact.
    pub(crate) fn register(&self, user: &str) -> String {
        let mut light = Light::new(self.address, PASSWORD);
        let contacts = light.register(user, PATIENCE).unwrap();
        let contact = light.contact(user);
        assert!(contacts.contains(&contact));
        contact
    }

    pub(crate) fn contacts(&self, user: &str) -> Vec<String> {
        Light::new(self.address, PASSWORD).fetch(user, PATIENCE).unwrap()
    }

    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// What a probe is told.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.http).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    pub(crate) fn is_told_durable(&self) -> bool {
        let [metrics, health] = ["/metrics", "/healthz"].map(|path| self.get(path));
        let [durable, degraded] =
            [1, 0].map(|value| metrics.lines().any(|line| line == format!("blether_store_durable {value}")));
        assert_ne!(durable, degraded, "{metrics}");
        assert_eq!(health.contains("\"status\":\"degraded\""), degraded, "{health}");
        durable
    }

    /// How much of a kind waits to be written, as `/metrics` has it.
    pub(crate) fn unwritten(&self, kind: &str) -> usize {
        let (metrics, name) = (self.get("/metrics"), format!("blether_store_unwritten_rows{{kind=\"{kind}\"}} "));
        metrics.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    }

    pub(crate) async fn until_logged(&self, what: &str) {
        let said = async {
            while !self.logged().contains(what) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, said).await.unwrap_or_else(|_| panic!("{what:?} is not in\n{}", self.logged()));
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("blether.db")
    }

    /// A shell that holds the database as `sqlite3` would.
    pub(crate) async fn hold(&self) -> SqliteConnection {
        let url = format!("sqlite://{}", self.database().display());
        let mut shell = SqliteConnection::connect(&url).await.unwrap();
        sqlx::query("BEGIN EXCLUSIVE").execute(&mut shell).await.unwrap();
        shell
    }

    pub(crate) fn set_aside(&self) -> Vec<PathBuf> {
        let files = std::fs::read_dir(&self.folder).unwrap().map(|entry| entry.unwrap().path());
        let aside = |path: &PathBuf| [".corrupt-", ".other-"].iter().any(|why| path.to_string_lossy().contains(why));
        files.filter(aside).collect()
    }
}

pub(crate) const DEGRADED: &str = "NOT DURABLE";
pub(crate) const DURABLE_AGAIN: &str = "the store works again";
