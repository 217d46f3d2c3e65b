//! How a document changes what is known (RFC 4575 §4.6).

use alloc::vec::Vec;

use super::{Change, ConferenceInfo, Endpoint, User};
use crate::body::xml::{Applied, merge};

impl ConferenceInfo {
    /// Takes in the next document of the subscription (RFC 4575 §4.6). One that is [`Applied::Incomplete`] changes nothing.
    ///
    /// If the state is [`Change::Deleted`] afterwards, the conference is over and the subscription should end. Over 10,000 users, or endpoints of
    /// one, no more are added.
    pub fn apply(&mut self, document: ConferenceInfo) -> Applied {
        if document.version <= self.version {
            return Applied::Outdated;
        }
        if document.state != Change::Partial {
            *self = document;
            return Applied::Updated;
        }
        if document.version - self.version > 1 {
            return Applied::Incomplete;
        }
        self.version = document.version;
        replace(&mut self.description, document.description);
        replace(&mut self.host, document.host);
        replace(&mut self.conference_state, document.conference_state);
        let users = (document.users_state, document.users);
        let all = merge_rows(&mut self.users, users, |user| (&user.entity, user.state), User::update);
        let sidebars = (document.sidebars_state, document.sidebars);
        // An entry has no state of its own: it is there, or it takes the place of one.
        let all_sidebars =
            merge_rows(&mut self.sidebars, sidebars, |it| (&it.uri, Change::Full), |old, new| *old = new);
        if all && all_sidebars { Applied::Updated } else { Applied::Incomplete }
    }
}

fn replace<T>(old: &mut Option<T>, new: Option<T>) {
    if new.is_some() {
        *old = new;
    }
}

/// Puts what a document says of a list into the list. `false` if there was no room for some.
fn merge_rows<T>(
    rows: &mut Vec<T>,
    (change, new): (Change, Vec<T>),
    key: fn(&T) -> (&str, Change),
    update: fn(&mut T, T),
) -> bool {
    match change {
        Change::Deleted => rows.clear(),
        Change::Full => *rows = new,
        Change::Partial => {
            let gone: alloc::collections::BTreeSet<alloc::string::String> =
                new.iter().map(key).filter(|(_, state)| *state == Change::Deleted).map(|(key, _)| key.into()).collect();
            rows.retain(|row| !gone.contains(key(row).0));
            let new = new.into_iter().filter(|row| key(row).1 != Change::Deleted).collect();
            return merge(rows, new, |row| key(row).0, update);
        }
    }
    true
}

impl User {
    fn update(&mut self, new: User) {
        if new.state != Change::Partial {
            *self = new;
            return;
        }
        replace(&mut self.display_text, new.display_text);
        replace(&mut self.languages, new.languages);
        replace(&mut self.cascaded_focus, new.cascaded_focus);
        if !new.associated_aors.is_empty() {
            self.associated_aors = new.associated_aors;
        }
        if !new.roles.is_empty() {
            self.roles = new.roles;
        }
        let endpoints = (Change::Partial, new.endpoints);
        merge_rows(&mut self.endpoints, endpoints, |it| (&it.entity, it.state), Endpoint::update);
    }
}

impl Endpoint {
    fn update(&mut self, new: Endpoint) {
        if new.state != Change::Partial {
            *self = new;
            return;
        }
        replace(&mut self.display_text, new.display_text);
        replace(&mut self.referred, new.referred);
        replace(&mut self.status, new.status);
        replace(&mut self.joining_method, new.joining_method);
        replace(&mut self.joining_info, new.joining_info);
        replace(&mut self.disconnection_method, new.disconnection_method);
        replace(&mut self.disconnection_info, new.disconnection_info);
        replace(&mut self.call, new.call);
        let media = (Change::Partial, new.media);
        merge_rows(&mut self.media, media, |media| (&media.id, Change::Full), |old, new| *old = new);
    }
}
