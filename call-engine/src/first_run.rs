//! The first start: a configuration with two accounts, and what to type into a phone.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rand::{CryptoRng, RngExt};

use crate::config::{AccountConfig, FILE_NAME, REFERENCE};
use crate::ownership;

/// The accounts of a first start: the extension and the name that others see.
const ACCOUNTS: [(&str, &str); 2] = [("100", "Ailsa"), ("101", "Hamish")];

/// A configuration that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Created {
    /// The file.
    pub path: PathBuf,
    /// The accounts in it.
    pub accounts: Vec<AccountConfig>,
}

/// Why no configuration was made. Each is displayed as one line for the operator.
#[derive(Debug, thiserror::Error)]
pub enum FirstRunError {
    /// There is one, which stays as it is.
    #[error("{}: this configuration exists already and was not changed; start again to use it", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The folder could not be made.
    #[error("{}: cannot make this folder: {cause}; {}", path.display(), mend(cause))]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
    /// The file could not be written; nothing of it is left behind.
    #[error("{}: cannot write the configuration: {cause}; {}", path.display(), mend(cause))]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: io::Error,
    },
}

/// Makes `data_dir` (for its owner alone, mode 0700) and in it the commented configuration [`FILE_NAME`] (mode 0600) with the
/// extensions 100 and 101 and a random password for each.
///
/// The file appears whole or not at all, and one that is there is never touched.
///
/// # Errors
/// [`FirstRunError::Exists`] when there is a configuration, else what the system refused.
pub fn create(data_dir: &Path, rng: &mut impl CryptoRng) -> Result<Created, FirstRunError> {
    let path = data_dir.join(FILE_NAME);
    if fs::symlink_metadata(&path).is_ok() {
        return Err(FirstRunError::Exists { path });
    }
    create_private_folder(data_dir).map_err(|cause| FirstRunError::Folder { path: data_dir.to_owned(), cause })?;
    // Before the configuration: a server that cannot start yet shows them when it does.
    fs::write(
        data_dir.join(NOT_SHOWN),
        "The passwords in the configuration are shown at the next start that succeeds.\n",
    )
    .map_err(|cause| FirstRunError::Write { path: data_dir.join(NOT_SHOWN), cause })?;
    let accounts: Vec<AccountConfig> =
        ACCOUNTS.into_iter().map(|(user, name)| AccountConfig::with_random_password(user, name, rng)).collect();
    match write_new(&path, &document(&accounts), rng.random()) {
        Ok(()) => Ok(Created { path, accounts }),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(FirstRunError::Exists { path }),
        Err(cause) => Err(FirstRunError::Write { path, cause }),
    }
}

fn document(accounts: &[AccountConfig]) -> String {
    let mut text = REFERENCE.to_owned();
    for AccountConfig { user, password, display_name } in accounts {
        let password = password.expose();
        // Made of letters and digits above, so that nothing needs an escape.
        text += &format!(
            "\n[[account]]\nuser = \"{user}\"\npassword = \"{password}\"\ndisplay_name = \"{display_name}\"\n"
        );
    }
    text
}

/// Makes a folder for its owner alone, and those above it, if it is not there.
pub(crate) fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Writes `text` to a file beside `path`, then gives it that name if no file has it.
fn write_new(path: &Path, text: &str, unique: u64) -> io::Result<()> {
    let temporary = path.with_file_name(format!(".{FILE_NAME}.{unique:016x}.new"));
    let written = write_private(&temporary, text).and_then(|()| name_new(&temporary, path));
    // After success it is the second name of the file, or gone; after a failure it must not lie about with passwords in it.
    // That it cannot be removed is of no more use to the operator than the first error.
    let _ = fs::remove_file(&temporary);
    written?;
    // Without this a crash of the machine could lose the name. Not every file system can do it, and none needs to.
    let _ = path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all());
    Ok(())
}

/// Makes a file for its owner alone, which must not be there.
pub(crate) fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    ownership::give(&file, path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// A second name is refused where the name is taken, which a rename is not.
fn name_new(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        // File systems without second names (FAT, some shared folders) say one of these.
        Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::PermissionDenied) => {
            if fs::symlink_metadata(path).is_ok() {
                return Err(ErrorKind::AlreadyExists.into());
            }
            fs::rename(temporary, path)
        }
        result => result,
    }
}

fn mend(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::PermissionDenied => {
            "start in a folder that you may write to, or name one with the environment variable BLETHER_DATA_DIR"
        }
        ErrorKind::ReadOnlyFilesystem => {
            "this file system is read-only; name a folder elsewhere with the environment variable BLETHER_DATA_DIR"
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "make room on the disk and start again",
        ErrorKind::NotADirectory | ErrorKind::AlreadyExists => {
            "a file has the name of the folder; move it away, or name another with the environment variable BLETHER_DATA_DIR"
        }
        _ => "check the disk, or name another folder with the environment variable BLETHER_DATA_DIR",
    }
}

/// Is in the data folder from the first start until one has succeeded: a port in use must not keep the passwords from being shown.
const NOT_SHOWN: &str = "passwords-not-shown";

/// Whether the next greeting shows the passwords: as long as none has.
pub fn passwords_to_show(data_dir: &Path) -> Passwords {
    if data_dir.join(NOT_SHOWN).exists() { Passwords::Shown } else { Passwords::InTheFile }
}

/// Notes that the passwords have been shown. A second call does nothing.
///
/// # Errors
/// What the system refused; they are shown again at the next start then.
pub fn note_shown(data_dir: &Path) -> io::Result<()> {
    match fs::remove_file(data_dir.join(NOT_SHOWN)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whether the passwords stand in the greeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// At the first start: the operator has not seen them and wants to type them in.
    Shown,
    /// At every later one: what a server prints lands in a log that more people read than its configuration, so the greeting
    /// names the file instead.
    InTheFile,
}

/// What the server prints when it is ready; its `Display` is a text of several lines.
#[derive(Clone, Copy, Debug)]
pub struct Greeting<'a> {
    /// The addresses and ports that a phone in the local network reaches the server by. The accounts are shown with the first.
    pub addresses: &'a [SocketAddr],
    /// Whether it may use TCP, too.
    pub tcp: bool,
    /// The addresses and ports that it reaches the server by over TLS.
    pub tls: &'a [SocketAddr],
    /// The configuration file.
    pub config: &'a Path,
    /// The accounts in it.
    pub accounts: &'a [AccountConfig],
    /// Whether their passwords are shown.
    pub passwords: Passwords,
    /// What to dial to hear oneself, if the server answers it.
    pub echo: Option<&'a str>,
}

/// More accounts than this are not listed one by one: they would push everything else off the screen.
const LISTED: usize = 10;

impl fmt::Display for Greeting<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { addresses, tcp, tls, config, accounts, passwords, echo } = *self;
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let (address, others) = addresses.split_first().unwrap_or((&nowhere, &[]));
        let transports = if tcp { "UDP or TCP" } else { "UDP" };
        let config = config.display();
        if accounts.is_empty() {
            return writeln!(
                f,
                "Ready on {address} ({transports}), but there is no account, so no phone can register; add one to {config}"
            );
        }
        writeln!(f, "Ready. Type one line of this into each phone:\n")?;
        let mut table = Table::new(["address", "port", "user", "password", "name"]);
        for account in accounts.iter().take(LISTED) {
            let password = match passwords {
                Passwords::Shown => account.password.expose(),
                Passwords::InTheFile => "(in the file below)",
            };
            table.row([
                &address.ip().to_string(),
                &format!("{} {transports}", address.port()),
                &account.user,
                password,
                &account.display_name,
            ]);
        }
        write!(f, "{table}")?;
        if let Some(more) = accounts.len().checked_sub(LISTED).filter(|more| *more > 0) {
            writeln!(f, "  and {more} more in the file below")?;
        }
        for other in others {
            writeln!(f, "  or with address {} and port {}", other.ip(), other.port())?;
        }
        for secured in tls {
            writeln!(f, "  or over TLS with address {} and port {}", secured.ip(), secured.port())?;
        }
        if addresses.iter().chain(tls).all(|address| address.ip().is_loopback()) {
            writeln!(
                f,
                "\nOnly phones on this machine reach this address; the key `listen` says where the server listens."
            )?;
        }
        writeln!(f, "\nThen dial:\n")?;
        let mut table = Table::new(["", ""]);
        if let [first, second, ..] = accounts {
            table.row([&second.user, &format!("from {}: {} rings", first.user, second.display_name)]);
        }
        if let Some(echo) = echo {
            table.row([echo, "from any phone: you hear yourself"]);
        }
        write!(f, "{table}")?;
        writeln!(f, "\nAccounts and settings are in {config}")
    }
}

/// Left-aligned columns, each as wide as its widest cell.
struct Table<const N: usize>(Vec<[String; N]>);

impl<const N: usize> Table<N> {
    fn new(head: [&str; N]) -> Self {
        let mut table = Self(Vec::new());
        if head.iter().any(|cell| !cell.is_empty()) {
            table.row(head);
        }
        table
    }

    fn row(&mut self, cells: [&str; N]) {
        self.0.push(cells.map(str::to_owned));
    }
}

impl<const N: usize> fmt::Display for Table<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut widths = [0; N];
        for row in &self.0 {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.0 {
            let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
            writeln!(f, "  {}", cells.collect::<Vec<_>>().join("   ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    use super::*;
    use crate::config::Config;

    fn rng(seed: u64) -> StdRng {
        StdRng::seed_from_u64(seed)
    }

    #[test]
    fn the_first_start_makes_a_configuration_that_loads_with_both_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("a/blether-data");
        let created = create(&data_dir, &mut rng(1)).unwrap();
        assert_eq!(created.path, data_dir.join("call-engine.toml"));
        let config = Config::load(&created.path, []).unwrap();
        assert_eq!(config, Config { data_dir, accounts: created.accounts.clone(), ..Config::default() });
        let users: Vec<&str> = created.accounts.iter().map(|account| account.user.as_str()).collect();
        assert_eq!(users, ["100", "101"]);
    }

    #[cfg(unix)]
    #[test]
    fn folder_and_file_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        let created = create(&data_dir, &mut rng(1)).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&data_dir), mode(&created.path)), (0o700, 0o600));
    }

    #[test]
    fn a_configuration_that_exists_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE_NAME);
        fs::write(&path, "mine").unwrap();
        let refused = create(folder.path(), &mut rng(1)).unwrap_err();
        assert!(matches!(refused, FirstRunError::Exists { .. }), "{refused}");
        // One that comes between the look and the writing is safe too.
        assert_eq!(write_new(&path, "ours", 7).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }

    #[test]
    fn nothing_but_the_configuration_is_left_in_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path(), &mut rng(1)).unwrap();
        let taken = folder.path().join(FILE_NAME);
        write_new(&taken, "again", 7).unwrap_err();
        let names = || fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        assert_eq!(names().filter(|name| name != NOT_SHOWN).collect::<Vec<_>>(), [FILE_NAME]);
        assert_eq!(passwords_to_show(folder.path()), Passwords::Shown);
        note_shown(folder.path()).unwrap();
        note_shown(folder.path()).unwrap();
        assert_eq!(names().collect::<Vec<_>>(), [FILE_NAME]);
        assert_eq!(passwords_to_show(folder.path()), Passwords::InTheFile);
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_told_in_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        for data_dir in [file.clone(), file.join("below")] {
            let line = create(&data_dir, &mut rng(1)).unwrap_err().to_string();
            assert!(line.starts_with(&format!("{}: cannot make this folder: ", data_dir.display())), "{line}");
            assert!(line.contains("a file has the name of the folder"), "{line}");
        }
    }

    #[test]
    fn what_the_system_refuses_is_told_with_what_to_do() {
        let line = |kind: ErrorKind| {
            let line = FirstRunError::Write { path: "d/call-engine.toml".into(), cause: kind.into() }.to_string();
            assert_eq!(line.lines().count(), 1);
            line
        };
        assert_eq!(
            line(ErrorKind::StorageFull),
            "d/call-engine.toml: cannot write the configuration: no storage space; make room on the disk and start again"
        );
        assert!(line(ErrorKind::ReadOnlyFilesystem).contains("BLETHER_DATA_DIR"));
        assert!(line(ErrorKind::PermissionDenied).contains("a folder that you may write to"));
    }

    fn greeting(accounts: &[AccountConfig], passwords: Passwords) -> String {
        Greeting {
            addresses: &["192.168.1.20:5060".parse().unwrap()],
            tcp: true,
            tls: &["192.168.1.20:5061".parse().unwrap()],
            config: Path::new("blether-data/call-engine.toml"),
            accounts,
            passwords,
            echo: Some("*43"),
        }
        .to_string()
    }

    fn two_accounts() -> [AccountConfig; 2] {
        [("100", "k7mf9xqa3htyw2bcd", "Ailsa"), ("101", "r4np8vzu6jegs5mfk", "Hamish")].map(|(user, password, name)| {
            AccountConfig { display_name: name.to_owned(), ..AccountConfig::new(user, password) }
        })
    }

    #[test]
    fn the_first_greeting_has_all_that_is_typed_into_a_phone() {
        let expected = "\
Ready. Type one line of this into each phone:

  address        port              user   password            name
  192.168.1.20   5060 UDP or TCP   100    k7mf9xqa3htyw2bcd   Ailsa
  192.168.1.20   5060 UDP or TCP   101    r4np8vzu6jegs5mfk   Hamish
  or over TLS with address 192.168.1.20 and port 5061

Then dial:

  101   from 100: Hamish rings
  *43   from any phone: you hear yourself

Accounts and settings are in blether-data/call-engine.toml
";
        assert_eq!(greeting(&two_accounts(), Passwords::Shown), expected);
    }

    #[test]
    fn later_greetings_name_the_file_instead_of_the_passwords() {
        let text = greeting(&two_accounts(), Passwords::InTheFile);
        assert!(!text.contains("k7mf9xqa3htyw2bcd"), "{text}");
        assert!(text.contains("100    (in the file below)   Ailsa"), "{text}");
    }

    #[test]
    fn a_greeting_lists_ten_accounts_and_counts_the_rest() {
        let accounts: Vec<AccountConfig> =
            (100..112).map(|user| AccountConfig::new(user.to_string(), "12345678")).collect();
        let text = greeting(&accounts, Passwords::InTheFile);
        assert!(text.contains(" 109 ") && !text.contains(" 110 ") && text.contains("and 2 more"), "{text}");
    }

    #[test]
    fn without_accounts_the_greeting_says_that_no_phone_can_register() {
        let text = greeting(&[], Passwords::Shown);
        assert!(text.contains("no account") && text.contains("add one to blether-data/call-engine.toml"), "{text}");
    }

    #[test]
    fn an_address_that_only_this_machine_reaches_is_told() {
        let addresses = ["127.0.0.1:5060", "[::1]:5070"].map(|address| address.parse().unwrap());
        let accounts = two_accounts();
        let greeting = Greeting {
            addresses: &addresses,
            tcp: false,
            tls: &[],
            config: Path::new("c"),
            accounts: &accounts,
            passwords: Passwords::Shown,
            echo: None,
        };
        let text = greeting.to_string();
        assert!(text.contains("Only phones on this machine") && !text.contains("hear yourself"), "{text}");
        assert!(text.contains("5060 UDP   ") && text.contains("or with address ::1 and port 5070"), "{text}");
    }
}
