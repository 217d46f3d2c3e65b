//! A SIP phone: a library for applications that call, and a headless softphone
