//! Accounts: added, listed, removed, and given another password, while the server runs or not.

use std::io::{self, Read, Write};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use blether_call_engine::config::AccountConfig;
use blether_call_engine::control::{AccountItem, AskError, Kept, Request, offline};
use serde_json::json;

use super::asking::{Asking, say};
use super::lists::{Form, show};
use super::place::Place;
use super::table::table;

/// The most that is read of standard input for a password, in bytes.
const MAX_INPUT: u64 = 1_024;

#[derive(Clone, Debug, clap::Subcommand)]
pub(super) enum AccountCommand {
    /// Add an account. Its password is made up and shown, unless it is given on standard input.
    Add {
        /// The extension that others dial, and the user name that the phone logs in with.
        user: String,
        /// What others see when it calls. Default: the user.
        #[arg(long, value_name = "NAME")]
        display_name: Option<String>,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        form: Form,
    },
    /// List all accounts, those of the configuration file included.
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Remove an account, and with it what is registered as its user.
    Remove {
        /// The extension.
        user: String,
        #[command(flatten)]
        form: Form,
    },
    /// Give an account another password: one that is made up and shown, unless it is given on standard input.
    Passwd {
        /// The extension.
        user: String,
        #[command(flatten)]
        password: PasswordSource,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct PasswordSource {
    /// Read the password from standard input: its first line. On the command line, everybody on this machine could read it.
    #[arg(long)]
    password_stdin: bool,
}

impl PasswordSource {
    /// The password, and the same again if it has to be shown because nobody knows it yet.
    fn password(self, user: &str) -> Result<(String, Option<String>)> {
        if self.password_stdin {
            let mut input = String::new();
            io::stdin().take(MAX_INPUT).read_to_string(&mut input).context("cannot read the password")?;
            let line = input.lines().next().unwrap_or_default();
            if line.is_empty() {
                bail!("standard input has no password in its first line");
            }
            return Ok((line.to_owned(), None));
        }
        let made = AccountConfig::with_random_password(user, user, &mut rand::rng()).password.expose().to_owned();
        Ok((made.clone(), Some(made)))
    }
}

pub(super) async fn account(place: &Place, command: AccountCommand) -> Result<ExitCode> {
    let asking = Asking::new(place)?;
    match command {
        AccountCommand::List { form } => {
            let (accounts, ..) = ask_or_open(&asking, Request::AccountList).await?;
            show(form, &accounts, "no accounts", |accounts| {
                let row = |account: &AccountItem| {
                    [account.user.clone(), account.display_name.clone().unwrap_or_default(), account.source.clone()]
                };
                table(["USER", "DISPLAY NAME", "FROM"], &accounts.iter().map(row).collect::<Vec<_>>())
            })?;
        }
        AccountCommand::Add { user, display_name, password, form } => {
            let (password, shown) = password.password(&user)?;
            let request = Request::AccountAdd { user: user.clone(), display_name, password };
            change(&asking, request, Change { user: &user, what: "added", password: shown }, form).await?;
        }
        AccountCommand::Passwd { user, password, form } => {
            let (password, shown) = password.password(&user)?;
            let request = Request::AccountPasswd { user: user.clone(), password };
            change(&asking, request, Change { user: &user, what: "given another password", password: shown }, form)
                .await?;
        }
        AccountCommand::Remove { user, form } => {
            let request = Request::AccountRemove { user: user.clone() };
            change(&asking, request, Change { user: &user, what: "removed", password: None }, form).await?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What is said of a change.
struct Change<'a> {
    user: &'a str,
    what: &'a str,
    /// A password that was made up.
    password: Option<String>,
}

async fn change(asking: &Asking, request: Request, said: Change<'_>, form: Form) -> Result<()> {
    let (_, kept, by_server) = ask_or_open(asking, request).await?;
    let Change { user, what, password } = said;
    if kept == Some(Kept::InMemory) {
        // The change is made all the same.
        let _ = writeln!(
            io::stderr(),
            "call-engine: the store fails: this holds until the server ends, and is kept beyond that only if the store works again before"
        );
    }
    if form.json {
        let mut line = json!({ "user": user, "kept": kept, "server": by_server });
        if let (Some(password), Some(fields)) = (password, line.as_object_mut()) {
            fields.insert("password".to_owned(), password.into());
        }
        return say(&format!("{line}\n"));
    }
    let when = if by_server { "" } else { "; no server runs, so it holds from its next start on" };
    let password = password.map(|password| format!("password  {password}\n")).unwrap_or_default();
    say(&format!("account {user} {what}{when}\n{password}"))
}

/// Has the running server do it, or where none runs, does it with the database. Whether there was a server comes last.
async fn ask_or_open(asking: &Asking, request: Request) -> Result<(Vec<AccountItem>, Option<Kept>, bool)> {
    match asking.collect(&request).await {
        Ok((items, done)) => {
            let items = items.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
            Ok((items, done.kept, true))
        }
        Err(AskError::NoServer(_)) => {
            let (items, done) = offline::apply(&asking.config, request).await?;
            Ok((items, done.kept, false))
        }
        Err(error) => Err(error.into()),
    }
}
