//! Bodies in XML.

#[cfg(not(feature = "xml"))]
pub(crate) fn xml(_: &[u8]) {}

/// A document of any format: what is read is written so that it reads as the same, and a document that follows itself breaks nothing.
#[cfg(feature = "xml")]
pub(crate) fn xml(bytes: &[u8]) {
    use blether_sip_core::body::conference::ConferenceInfo;
    use blether_sip_core::body::dialog_info::DialogInfo;
    use blether_sip_core::body::pidf::Presence;
    use blether_sip_core::body::reginfo::RegInfo;
    use blether_sip_core::body::resource_lists::ResourceLists;
    use blether_sip_core::body::xml::Applied;

    macro_rules! fixed_point {
        ($format:ident) => {
            $format::parse(bytes).ok().inspect(|read| {
                let written = read.to_string();
                let again = $format::parse(written.as_bytes()).unwrap_or_else(|error| panic!("{error}: {written}"));
                assert_eq!((&again, again.to_string()), (read, written.clone()), "{written}");
            })
        };
    }

    fixed_point!(Presence);
    if let Some(lists) = fixed_point!(ResourceLists) {
        assert!(lists.entries().count() <= bytes.len());
    }
    if let Some(read) = fixed_point!(DialogInfo) {
        let mut state = read.clone();
        let applied = state.apply(DialogInfo { version: read.version.saturating_add(1), ..read.clone() });
        assert!(applied == Applied::Updated || read.version == u32::MAX);
        assert!(state.dialogs.len() <= 2 * read.dialogs.len());
    }
    if let Some(read) = fixed_point!(RegInfo) {
        let mut state = RegInfo { version: read.version, ..RegInfo::default() };
        let applied = state.apply(RegInfo { version: read.version.saturating_add(1), ..read.clone() });
        assert!(applied == Applied::Updated || read.version == u32::MAX);
        assert!(state.registrations.len() <= read.registrations.len());
    }
    if let Some(read) = fixed_point!(ConferenceInfo) {
        let mut state = ConferenceInfo::new("sip:a@b", read.version.saturating_sub(1));
        assert_eq!(state.apply(read.clone()) == Applied::Updated, read.version > 0);
        assert!(state.users.len() <= read.users.len());
    }
}
