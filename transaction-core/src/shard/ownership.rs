//! Which shard a message belongs to: without I/O.

use std::hash::{DefaultHasher, Hasher};

use blether_sip_core::ByteStr;
use blether_sip_transport::find_call_id;
use rand::RngExt;
use rand::rngs::StdRng;

/// Names a shard of an endpoint, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardIndex(pub u16);

/// Says which shard owns a Call-ID: the rule by which INVITE, resend, ACK, CANCEL, BYE, merged request and response meet in one table,
/// whatever socket or connection they come by.
///
/// It is a hash with a random key, so that no stranger can aim at one shard. Copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Ownership {
    key: [u64; 2],
    shards: u16,
}

impl Ownership {
    /// Among so many shards, 1 at least and 65,535 at most. The key comes from `rng`.
    pub fn new(shards: usize, rng: &mut StdRng) -> Self {
        Self { key: rng.random(), shards: u16::try_from(shards).unwrap_or(u16::MAX).max(1) }
    }

    /// How many shards there are.
    pub fn shards(&self) -> u16 {
        self.shards
    }

    /// The shard that owns a Call-ID, as it stands in the header without the white space around it.
    pub fn owner_of(&self, call_id: &[u8]) -> ShardIndex {
        if self.shards == 1 {
            return ShardIndex(0);
        }
        let mut hasher = DefaultHasher::new();
        self.key.iter().for_each(|&part| hasher.write_u64(part));
        hasher.write(call_id);
        // The upper part of the product is evenly spread below the number of shards.
        let spread = (u128::from(hasher.finish()) * u128::from(self.shards)) >> 64;
        ShardIndex(u16::try_from(spread).unwrap_or_default())
    }

    /// The shard that owns a message; `None` for what has no Call-ID, and so belongs to no table.
    pub fn owner_of_message(&self, message: &[u8]) -> Option<ShardIndex> {
        find_call_id(message).map(|call_id| self.owner_of(call_id))
    }
}

/// Where a message goes from the shard that has received it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is this shard's.
    Here,
    /// It is another shard's.
    Pass {
        /// Whose.
        to: ShardIndex,
        /// Whether it may use the room that queues reserve: responses, ACK, CANCEL and BYE, which end something.
        urgent: bool,
    },
}

/// [`Ownership`] as seen from one shard.
#[derive(Clone, Copy, Debug)]
pub struct Router {
    ownership: Ownership,
    here: ShardIndex,
}

impl Router {
    /// Of the shard `here`.
    pub fn new(ownership: Ownership, here: ShardIndex) -> Self {
        Self { ownership, here }
    }

    /// The rule that all shards share.
    pub fn ownership(&self) -> Ownership {
        self.ownership
    }

    /// This shard.
    pub fn here(&self) -> ShardIndex {
        self.here
    }

    /// Where a message goes that has come to this shard. What has no Call-ID needs no table, and is dealt with here.
    pub fn route(&self, message: &[u8]) -> Way {
        if self.ownership.shards == 1 {
            return Way::Here;
        }
        match self.ownership.owner_of_message(message) {
            Some(to) if to != self.here => Way::Pass { to, urgent: ends_something(message) },
            _ => Way::Here,
        }
    }

    /// A Call-ID for a dialog of ours that this shard owns: 128 random bits, which nobody can guess (RFC 3261 §8.1.1.4).
    ///
    /// As many are thrown away, in the mean, as there are other shards.
    pub fn new_call_id(&self, rng: &mut StdRng) -> ByteStr {
        loop {
            let call_id = format!("{:032x}", rng.random::<u128>());
            if self.ownership.owner_of(call_id.as_bytes()) == self.here {
                return ByteStr::from(call_id);
            }
        }
    }
}

/// Whether a message is a response, an ACK, a CANCEL or a BYE, by its first word.
pub(super) fn ends_something(message: &[u8]) -> bool {
    let blank = message.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let line = message.get(blank..).unwrap_or_default();
    let starts_with = |word: &[u8]| line.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
    starts_with(b"SIP/") || [&b"ACK "[..], b"CANCEL ", b"BYE "].iter().any(|method| line.starts_with(method))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn ownership(shards: usize, seed: u64) -> Ownership {
        Ownership::new(shards, &mut StdRng::seed_from_u64(seed))
    }

    #[test]
    fn each_shard_owns_its_part_of_the_call_ids_and_another_key_another_part() {
        let (one, other) = (ownership(4, 1), ownership(4, 2));
        let (mut counts, mut moved) = ([0; 4], 0);
        for n in 0..10_000 {
            let call_id = format!("{n}@192.0.2.1");
            let owner = one.owner_of(call_id.as_bytes());
            counts[usize::from(owner.0)] += 1;
            moved += usize::from(owner != other.owner_of(call_id.as_bytes()));
        }
        assert!(counts.iter().all(|count| (2_300..2_700).contains(count)), "{counts:?}");
        assert!((7_200..7_800).contains(&moved), "{moved}");
    }

    #[test]
    fn with_one_shard_everything_is_here() {
        let router = Router::new(ownership(1, 1), ShardIndex(0));
        assert_eq!(router.route(b"BYE sip:a SIP/2.0\r\nCall-ID: 1\r\n\r\n"), Way::Here);
    }

    #[test]
    fn a_call_id_of_ours_is_ours() {
        let mut rng = StdRng::seed_from_u64(3);
        for here in 0..7 {
            let router = Router::new(ownership(7, 1), ShardIndex(here));
            assert_eq!(router.ownership().owner_of(router.new_call_id(&mut rng).as_bytes()), ShardIndex(here));
        }
    }

    #[test]
    fn what_has_no_call_id_is_dealt_with_where_it_comes() {
        for here in 0..7 {
            let router = Router::new(ownership(7, 1), ShardIndex(here));
            for text in ["", "\r\n\r\n", "garbage", "BYE sip:a SIP/2.0\r\n\r\n"] {
                assert_eq!(router.route(text.as_bytes()), Way::Here, "{text:?}");
            }
        }
    }

    #[test]
    fn responses_ack_cancel_and_bye_are_urgent() {
        for text in ["SIP/2.0 200 OK", "\r\nACK sip:a SIP/2.0", "CANCEL sip:a SIP/2.0", "BYE sip:a SIP/2.0"] {
            assert!(ends_something(text.as_bytes()), "{text}");
        }
        for text in ["INVITE sip:a SIP/2.0", "REGISTER sip:a SIP/2.0", "BYEBYE sip:a SIP/2.0", "SI", ""] {
            assert!(!ends_something(text.as_bytes()), "{text}");
        }
    }
}
