//! A phone behind a NAT: what it says of its own address cannot be reached, and it is called and heard all the same.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod server;

use peers::ports::free_port;
use peers::rtp::RtpEnd;
use peers::sipp::Sipp;
use peers::sound::{assert_heard, tune};
use peers::{Folder, User};
use server::Server;

#[test]
fn a_phone_whose_contact_cannot_be_reached_is_called_the_way_its_register_came() {
    let folder = Folder::new("nat-contact");
    let (alice, bob) = (User::new("alice", "wonderland"), User::new("bob", "builder-1"));
    let server = Server::start(&[&alice, &bob]);
    let sipp = |name: &str, scenario: &str| Sipp::new(folder.path(), name, scenario, server.address());
    let port = free_port();
    // 192.0.2.0/24 is nobody's (RFC 5737): were the INVITE or the BYE sent there, nothing would come.
    sipp("register", "register").user(&bob).port(port).contact("<sip:bob@192.0.2.77:5060>").run().assert_successful(1);
    let answering = sipp("answers", "uas_answer").port(port).start();
    sipp("calls", "uac_call").user(&alice).callee("bob").set("talk_ms", 100).run().assert_successful(1);
    answering.wait().assert_successful(1);
    assert_eq!(server.after_the_calls().calls, 0);
}

#[test]
fn a_phone_that_sends_from_another_port_than_its_sdp_says_hears_itself() {
    let folder = Folder::new("nat-media");
    let alice = User::new("alice", "wonderland");
    let server = Server::start(&[&alice]);
    let played = tune(1, 3);
    let end = RtpEnd::open(7);
    // The port in the SDP is not the one that the NAT has opened.
    let nowhere = free_port();
    let call = Sipp::new(folder.path(), "calls", "uac_call", server.address()).user(&alice).callee("*43");
    let mut call = call.audio_port(nowhere).set("talk_ms", 3_500).start();
    let arrived = end.play(&played, call.remote_audio());
    assert_heard("the phone behind the NAT", &played, &arrived.samples, 2);
    call.wait().assert_successful(1);
}
