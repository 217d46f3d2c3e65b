//! SIP messages, URIs, headers, SDP and digest computations: parse, validate, build, write, without I/O
