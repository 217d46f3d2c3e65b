//! baresip calls baresip through this server, and each hears what the other plays.
#![allow(clippy::unwrap_used, reason = "a test may fail at any step")]

mod peers;
mod server;

use std::time::Duration;

use blether_call_engine::cdr::CdrEnd;
use blether_call_engine::config::Config;
use peers::baresip::{Baresip, BaresipConfig};
use peers::sound::{assert_heard, tune, write_wav};
use peers::{Folder, PATIENCE, User, wait_until};
use server::Server;

#[test]
fn each_baresip_hears_the_other_and_either_may_hang_up() {
    let folder = Folder::new("baresip");
    let (alice, bob) = (User::new("100", "wonderland"), User::new("101", "builder-1"));
    let server = Server::start(&[&alice, &bob]);
    let (hers, his) = (tune(1, 6), tune(2, 6));
    let (her_wav, his_wav) = (folder.file("hers.wav"), folder.file("his.wav"));
    write_wav(&her_wav, &hers);
    write_wav(&his_wav, &his);

    let mut bobs = BaresipConfig::answering(folder.path(), &bob, server.address()).play(&his_wav).start();
    let mut alices = BaresipConfig::ringing(folder.path(), &alice, server.address()).play(&her_wav).start();
    bobs.wait_registered();
    alices.wait_registered();
    assert_eq!((server.contacts("100"), server.contacts("101")), (1, 1));

    alices.dial(&format!("sip:101@{}", server.address()));
    alices.wait_event("CALL_ESTABLISHED", PATIENCE);
    alices.wait_heard(Duration::from_secs(3));
    bobs.wait_heard(Duration::from_secs(3));
    alices.hang_up();
    bobs.wait_event("CALL_CLOSED", PATIENCE);
    let left = server.after_the_calls();
    assert_eq!((left.calls, left.media_ports), (0, 0));

    assert_heard("alice", &his, &alices.heard(), 2);
    assert_heard("bob", &hers, &bobs.heard(), 2);
    assert_sounded_well(&server);

    alices.dial(&format!("sip:101@{}", server.address()));
    alices.wait_event("CALL_ESTABLISHED", PATIENCE);
    bobs.hang_up();
    alices.wait_event("CALL_CLOSED", PATIENCE);
    assert_eq!(server.after_the_calls().calls, 0);
    bobs.quit();
    alices.quit();
}

/// The record of the only call so far says of both legs what three seconds of G.711 on a good network are.
fn assert_sounded_well(server: &Server) {
    let store = server.engine().handle().store();
    let cdr = wait_until("the record of the call", PATIENCE, || {
        server.block_on(store.cdrs(1)).unwrap().pop().filter(|cdr| cdr.end == Some(CdrEnd::Caller))
    });
    let legs = cdr.legs_json().unwrap();
    assert_eq!(legs.as_array().unwrap().len(), 2, "{legs:#}");
    for (leg, party) in legs.as_array().unwrap().iter().zip(["caller", "callee"]) {
        let number = |path: &str| leg.pointer(path).and_then(|value| value.as_f64());
        assert_eq!((&leg["party"], &leg["latched"]), (&party.into(), &false.into()), "{leg:#}");
        assert!(["PCMU/8000", "PCMA/8000"].map(Some).contains(&leg["codec"].as_str()), "{leg:#}");
        for way in ["/received", "/sent"] {
            let (packets, bytes) =
                (number(&format!("{way}/packets")).unwrap(), number(&format!("{way}/bytes")).unwrap());
            assert!((140.0..3_000.0).contains(&packets) && bytes >= 160.0 * packets, "{leg:#}");
        }
        assert!(number("/received/lost").unwrap() <= 0.02 * number("/received/packets").unwrap(), "{leg:#}");
        assert!(number("/received/jitter_ms").unwrap() < 100.0, "{leg:#}");
        assert!(number("/received/first_after_ms").unwrap() < 3_000.0, "{leg:#}");
        // A call of three seconds may be over before a report was answered.
        assert!(number("/round_trip_ms").is_none_or(|ms| ms < 1_000.0), "{leg:#}");
        assert!(number("/mos_received").is_none_or(|mos| (3.0..4.5).contains(&mos)), "{leg:#}");
        assert_eq!(
            (number("/digits"), number("/refused"), number("/relay_lost")),
            (Some(0.0), Some(0.0), Some(0.0)),
            "{leg:#}"
        );
    }
}

#[test]
fn either_baresip_holds_and_resumes_and_keys_are_heard_by_the_other() {
    let folder = Folder::new("baresip-hold");
    let (alice, bob) = (User::new("100", "wonderland"), User::new("101", "builder-1"));
    let server = Server::start(&[&alice, &bob]);
    let (her_wav, his_wav) = (folder.file("hers.wav"), folder.file("his.wav"));
    write_wav(&her_wav, &tune(1, 30));
    write_wav(&his_wav, &tune(2, 30));
    let mut bobs = BaresipConfig::answering(folder.path(), &bob, server.address()).play(&his_wav).start();
    let mut alices = BaresipConfig::ringing(folder.path(), &alice, server.address()).play(&her_wav).start();
    bobs.wait_registered();
    alices.wait_registered();

    for alice_holds in [true, false] {
        alices.dial(&format!("sip:101@{}", server.address()));
        alices.wait_event("CALL_ESTABLISHED", PATIENCE);
        bobs.wait_event("CALL_ESTABLISHED", PATIENCE);
        alices.wait_heard(Duration::from_secs(1));
        bobs.wait_heard(Duration::from_secs(1));

        let (holder, held) = if alice_holds { (&mut alices, &mut bobs) } else { (&mut bobs, &mut alices) };
        holder.command("hold", "");
        // The phone that holds sends nothing either.
        holder.wait_silent();
        held.wait_silent();
        assert!(held.times_written("a=sendonly") > 0, "the held phone was never told");
        let resumed = held.times_written("a=sendrecv");
        holder.command("resume", "");
        wait_until("the held phone to learn that it is not held any more", PATIENCE, || {
            (held.times_written("a=sendrecv") >= resumed + 2).then_some(())
        });
        heard_by(holder, held, "12#");
        heard_by(held, holder, "*09");
        held.hang_up();
        holder.wait_event("CALL_CLOSED", PATIENCE);
        let left = server.after_the_calls();
        assert_eq!((left.calls, left.media_ports), (0, 0));
    }
    bobs.quit();
    alices.quit();
}

/// Presses keys on one phone, and waits until the other has heard each.
fn heard_by(presser: &mut Baresip, listener: &mut Baresip, digits: &str) {
    presser.send_digits(digits);
    for digit in digits.chars() {
        assert_eq!(listener.wait_event("CALL_DTMF_START", PATIENCE)["param"], digit.to_string());
    }
}

#[test]
fn an_old_phone_registers_on_the_defaults_when_it_asks_again() {
    let folder = Folder::new("baresip-defaults");
    let alice = User::new("100", "wonderland");
    let mut config = server::config(&[&alice]);
    config.authentication = Config::default().authentication;
    let server = Server::start_with(config, |engine| engine);
    // baresip 1.0 knows no SHA-256 and waits 30 to 60 s before it asks again.
    let phone = BaresipConfig::answering(folder.path(), &alice, server.address()).start();
    wait_until("baresip to register on the defaults", Duration::from_secs(90), || {
        (server.contacts("100") == 1).then_some(())
    });
    phone.quit();
}
