//! SIP transactions (RFC 3261 section 17, RFC 6026) as machines without I/O, and the shard that drives them
