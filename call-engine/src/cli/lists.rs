//! What a running server has: its calls, its registrations.

use std::process::ExitCode;

use anyhow::Result;
use blether_call_engine::control::{AskError, CallItem, RegistrationItem, Request};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::asking::{Asking, no_server, say};
use super::place::Place;
use super::table::{length, table, time_of_day};

/// How a list is written.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(super) struct Form {
    /// One JSON object a line, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) async fn calls(place: &Place, form: Form) -> Result<ExitCode> {
    list(place, form, &Request::Calls, "no calls", |calls: &[CallItem]| {
        let rows: Vec<_> = calls
            .iter()
            .map(|call| {
                [
                    call.caller.clone().unwrap_or_default(),
                    call.dialled.clone(),
                    call.state.as_str().to_owned(),
                    time_of_day(call.since),
                    length(call.duration_seconds),
                    call.answered_by.clone().unwrap_or_default(),
                    call.call_id.clone(),
                ]
            })
            .collect();
        table(["CALLER", "DIALLED", "STATE", "SINCE", "FOR", "ANSWERED BY", "CALL-ID"], &rows)
    })
    .await
}

pub(super) async fn registrations(place: &Place, form: Form) -> Result<ExitCode> {
    list(place, form, &Request::Registrations, "no registrations", |registrations: &[RegistrationItem]| {
        let rows: Vec<_> = registrations
            .iter()
            .map(|registration| {
                [
                    registration.user.clone(),
                    registration.contact.clone(),
                    format!("{}:{}", registration.transport, registration.source),
                    length(registration.expires_in_seconds),
                    registration.user_agent.clone().unwrap_or_default(),
                ]
            })
            .collect();
        table(["USER", "CONTACT", "FROM", "EXPIRES IN", "USER AGENT"], &rows)
    })
    .await
}

async fn list<T: DeserializeOwned + Serialize>(
    place: &Place,
    form: Form,
    request: &Request,
    none: &str,
    text: impl FnOnce(&[T]) -> String,
) -> Result<ExitCode> {
    match Asking::new(place)?.collect(request).await {
        Ok((items, _)) => {
            let items: Vec<T> = items.into_iter().map(serde_json::from_value).collect::<Result<_, _>>()?;
            show(form, &items, none, text)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ AskError::NoServer(_)) => Ok(no_server(&error)),
        Err(error) => Err(error.into()),
    }
}

/// Writes a list as it is wanted.
pub(super) fn show<T: Serialize>(form: Form, items: &[T], none: &str, text: impl FnOnce(&[T]) -> String) -> Result<()> {
    if form.json {
        let mut lines = String::new();
        for item in items {
            lines.push_str(&serde_json::to_string(item)?);
            lines.push('\n');
        }
        return say(&lines);
    }
    say(&if items.is_empty() { format!("{none}\n") } else { text(items) })
}
