//! SIP dialogs, INVITE sessions, offer/answer, registration and client authentication, and the call actor
