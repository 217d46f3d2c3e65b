//! What is asked of DNS, and what it answers.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use super::destination::DomainName;

/// A kind of record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Which transports a domain has (RFC 3403).
    Naptr,
    /// Where a service of a domain is (RFC 2782).
    Srv,
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
            Self::Naptr => "NAPTR",
            Self::Srv => "SRV",
        })
    }
}

/// What is asked: the records of one kind that a name has.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// Of which name.
    pub name: DomainName,
    /// Of which kind.
    pub kind: RecordKind,
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.kind, self.name)
    }
}

/// An SRV record (RFC 2782).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SrvRecord {
    /// The lower, the earlier.
    pub priority: u16,
    /// The share that it gets of those of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `None` for the root (`.`), by which a domain says that it does not offer the service.
    pub target: Option<DomainName>,
}

/// A NAPTR record (RFC 3403 §4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NaptrRecord {
    /// The lower, the earlier; what has another order than the first that fits is not looked at.
    pub order: u16,
    /// The lower, the earlier, within an order.
    pub preference: u16,
    /// What the replacement is: `s` for the name of SRV records.
    pub flags: String,
    /// Such as `SIP+D2U`.
    pub services: String,
    /// An expression that would rewrite the name; RFC 3263 has none.
    pub regexp: String,
    /// The name that takes its place; `None` for the root or what is no name.
    pub replacement: Option<DomainName>,
}

/// What DNS says of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A or AAAA.
    Address(IpAddr),
    /// SRV.
    Srv(SrvRecord),
    /// NAPTR.
    Naptr(NaptrRecord),
    /// CNAME: what was asked for is under this name. Who answers may have followed it already, and then gives what is there as well.
    Alias(DomainName),
}

/// What a question was answered, if the name servers said anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The records; none where there is no such name, or no such record of it.
    pub records: Vec<Record>,
    /// For how long they hold: the smallest TTL among them, or what RFC 2308 §5 says where there are none.
    pub ttl: Duration,
}
