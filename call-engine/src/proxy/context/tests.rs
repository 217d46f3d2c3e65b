use super::*;
use blether_sip_core::{HeaderName, Limits, Message};
use blether_transaction_core::Timer;
use std::io::ErrorKind;

const RING: Duration = Duration::from_secs(60);
const TIMER_C: Duration = Duration::from_secs(181);

/// A context in virtual time, and what it has done, in words.
struct Run {
    context: ResponseContext,
    now: Instant,
    request: Request,
}

fn request(method: &str) -> Request {
    let text = format!(
        "{method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@example.com>;tag=1\r\n\
         To: <sip:bob@example.com>\r\nCall-ID: c\r\nCSeq: 7 {method}\r\nContent-Length: 0\r\n\r\n"
    );
    match Message::parse(text.into(), &Limits::default()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

impl Run {
    /// Of groups of so many targets each.
    fn of(method: &str, groups: &[usize]) -> Self {
        Self::with_breadth(method, groups, MaxBreadth::INITIAL)
    }

    fn with_breadth(method: &str, groups: &[usize], breadth: MaxBreadth) -> Self {
        let now = Instant::now();
        let target =
            |n: usize| Target::of_uri(format!("sip:{n}@192.0.2.8").parse::<blether_sip_core::SipUri>().unwrap());
        let groups = groups.iter().map(|count| (0..*count).map(target).collect()).collect();
        let patience = Patience { ring_for: RING, timer_c: TIMER_C };
        let request = request(method);
        Self { context: ResponseContext::new(now, request.clone(), groups, breadth, patience), now, request }
    }

    /// What it wants done: `forward 0`, `cancel 1`, `486`.
    fn said(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.context.poll_action())
            .map(|action| match action {
                Action::Forward { branch, breadth, .. } if breadth == MaxBreadth::INITIAL => {
                    format!("forward {branch}")
                }
                Action::Forward { branch, breadth, .. } => format!("forward {branch} breadth {}", breadth.0),
                Action::Cancel { branch } => format!("cancel {branch}"),
                Action::Respond(response) => response.status().code().to_string(),
            })
            .collect()
    }

    fn response(&self, code: u16) -> Response {
        let mut response = Response::to_request(&self.request, StatusCode::new(code).unwrap()).to_tag("t").build();
        response.push_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours".parse().unwrap());
        response
    }

    fn hears(&mut self, branch: usize, code: u16) -> Vec<String> {
        let response = self.response(code);
        self.context.handle_response(self.now, branch, response);
        self.said()
    }

    fn cancelled(&mut self) -> Vec<String> {
        self.context.handle_cancelled(self.now);
        self.said()
    }

    fn fails(&mut self, branch: usize, failure: Failure) -> Vec<String> {
        self.context.handle_failure(self.now, branch, failure);
        self.said()
    }

    /// Lets time go by to the next timer, which must come after so much.
    fn after(&mut self, wait: Duration) -> Vec<String> {
        let due = self.context.poll_timeout().unwrap();
        assert_eq!(due - self.now, wait);
        self.now = due;
        self.context.handle_timeout(due);
        self.said()
    }
}

#[test]
fn provisional_responses_but_100_and_the_2xx_are_passed_on_at_once_rfc_3261_16_7_step_5() {
    let mut run = Run::of("INVITE", &[1]);
    assert_eq!(run.said(), ["forward 0"]);
    assert!(run.hears(0, 100).is_empty());
    assert_eq!(run.hears(0, 180), ["180"]);
    assert_eq!(run.hears(0, 183), ["183"]);
    assert_eq!(run.hears(0, 200), ["200"]);
    assert_eq!(run.context.poll_timeout(), None);
}

#[test]
fn our_via_is_taken_off_and_what_has_no_other_is_not_passed_on_rfc_3261_16_7_step_3() {
    let mut run = Run::of("INVITE", &[1]);
    run.said();
    let mut ours = run.response(180);
    ours.pop_via();
    ours.pop_via();
    ours.push_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours".parse().unwrap());
    run.context.handle_response(run.now, 0, ours);
    assert!(run.said().is_empty());
    let response = run.response(180);
    run.context.handle_response(run.now, 0, response);
    let Some(Action::Respond(passed)) = run.context.poll_action() else { panic!("it is passed on") };
    assert_eq!(passed.headers().raw_all(&HeaderName::Via).count(), 1);
    assert_eq!(passed.via().branch(), Some("z9hG4bK1"));
}

#[test]
fn a_final_response_without_a_second_via_ends_its_branch_as_a_502() {
    for code in [200, 486] {
        let mut run = Run::of("INVITE", &[1, 1]);
        run.said();
        run.hears(0, 180);
        let mut ours = run.response(code);
        ours.pop_via();
        ours.pop_via();
        ours.push_via("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKours".parse().unwrap());
        run.context.handle_response(run.now, 0, ours.clone());
        assert_eq!(run.said(), ["forward 1"]);
        run.context.handle_response(run.now, 1, ours);
        assert_eq!((run.said(), run.context.poll_timeout()), (vec!["502".to_owned()], None));
    }
}

#[test]
fn a_branch_that_is_over_without_a_final_response_counts_as_silent() {
    let mut run = Run::of("INVITE", &[1]);
    run.said();
    run.hears(0, 180);
    run.context.handle_terminated(run.now, 0);
    assert_eq!(run.said(), ["408"]);
    // What has answered is over in its time.
    let mut run = Run::of("INVITE", &[2]);
    run.said();
    assert!(run.hears(0, 486).is_empty());
    run.context.handle_terminated(run.now, 0);
    assert_eq!((run.said(), run.hears(1, 200)), (Vec::new(), vec!["200".to_owned()]));
}

#[test]
fn the_first_2xx_cancels_the_others_rfc_3261_16_7_step_10() {
    let mut run = Run::of("INVITE", &[3]);
    assert_eq!(run.said(), ["forward 0 breadth 20", "forward 1 breadth 20", "forward 2 breadth 20"]);
    run.hears(0, 180);
    run.hears(1, 180);
    assert!(run.hears(2, 486).is_empty());
    assert_eq!(run.hears(1, 200), ["200", "cancel 0"]);
    assert!(run.hears(0, 487).is_empty());
}

#[test]
fn every_2xx_to_an_invite_is_passed_on_rfc_3261_16_7_step_5() {
    let mut run = Run::of("INVITE", &[2]);
    run.said();
    assert_eq!(run.hears(0, 200), ["200", "cancel 1"]);
    assert_eq!(run.hears(1, 200), ["200"]);
    assert_eq!(run.hears(0, 200), ["200"]);
    assert!(run.hears(1, 180).is_empty());
}

#[test]
fn one_2xx_to_anything_else_is_passed_on_rfc_3261_16_7_step_5() {
    let mut run = Run::of("MESSAGE", &[2]);
    assert_eq!(run.said().len(), 2);
    assert_eq!(run.hears(0, 200), ["200"]);
    assert!(run.hears(1, 200).is_empty());
}

#[test]
fn the_best_refusal_is_passed_on_when_all_have_refused_rfc_3261_16_7_step_6() {
    let mut run = Run::of("INVITE", &[3]);
    run.said();
    assert!(run.hears(0, 404).is_empty());
    assert!(run.hears(1, 503).is_empty());
    assert_eq!(run.hears(2, 486), ["486"]);
}

#[test]
fn a_6xx_ends_the_search_but_waits_for_what_is_cancelled_rfc_3261_16_7_step_5() {
    let mut run = Run::of("INVITE", &[3, 1]);
    run.said();
    run.hears(0, 180);
    run.hears(1, 180);
    assert_eq!(run.hears(2, 603), ["cancel 0", "cancel 1"]);
    assert!(run.hears(0, 487).is_empty());
    assert_eq!(run.hears(1, 487), ["603"]);
}

#[test]
fn a_2xx_that_crosses_a_6xx_wins_rfc_3261_16_7_step_5() {
    let mut run = Run::of("INVITE", &[2]);
    run.said();
    assert_eq!(run.hears(0, 603), ["cancel 1"]);
    assert_eq!(run.hears(1, 200).first().map(String::as_str), Some("200"));
}

#[test]
fn groups_are_tried_one_after_the_other_rfc_3261_16_6() {
    let mut run = Run::of("INVITE", &[1, 1, 1]);
    assert_eq!(run.said(), ["forward 0"]);
    assert_eq!(run.hears(0, 486), ["forward 1"]);
    assert_eq!(run.fails(1, Failure::TimedOut(Timer::B)), ["forward 2"]);
    assert_eq!(run.hears(2, 404), ["486"]);
}

#[test]
fn a_group_that_rings_for_too_long_is_cancelled_and_the_next_is_tried() {
    let mut run = Run::of("INVITE", &[2, 1]);
    assert_eq!(run.said(), ["forward 0 breadth 30", "forward 1 breadth 30"]);
    run.hears(0, 180);
    // One rings, the other has said nothing: only the first has something to say to a CANCEL.
    assert_eq!(run.after(RING), ["cancel 0", "cancel 1"]);
    assert_eq!(run.hears(0, 487), ["forward 2"]);
    run.hears(2, 180);
    assert_eq!(run.after(RING), ["cancel 2"]);
    assert_eq!(run.hears(2, 487), ["408"]);
}

#[test]
fn timer_c_cancels_what_rings_and_answers_for_what_is_silent_rfc_3261_16_8() {
    let patience = Patience { ring_for: Duration::from_secs(1_000), timer_c: TIMER_C };
    let silent = || {
        let mut run = Run::of("INVITE", &[1]);
        run.context = ResponseContext::new(
            run.now,
            run.request.clone(),
            vec![vec![Target::of_uri("sip:b@192.0.2.8".parse::<blether_sip_core::SipUri>().unwrap())]],
            MaxBreadth::INITIAL,
            patience,
        );
        run.said();
        run
    };
    assert_eq!(silent().after(TIMER_C), ["cancel 0", "408"]);
    let mut ringing = silent();
    ringing.now += Duration::from_secs(100);
    // Set anew by each provisional response but 100 (§16.7 step 2).
    ringing.hears(0, 100);
    assert_eq!(ringing.context.poll_timeout().unwrap() - ringing.now, TIMER_C - Duration::from_secs(100));
    ringing.hears(0, 180);
    assert_eq!(ringing.after(TIMER_C), ["cancel 0"]);
    assert_eq!(ringing.hears(0, 487), ["408"]);
}

#[test]
fn what_answers_while_it_is_cancelled_is_connected() {
    let mut run = Run::of("INVITE", &[1]);
    run.said();
    run.hears(0, 180);
    assert_eq!(run.after(RING), ["cancel 0"]);
    assert_eq!(run.hears(0, 200), ["200"]);
}

#[test]
fn a_cancel_is_passed_to_every_branch_and_ends_the_search_rfc_3261_16_10() {
    let mut run = Run::of("INVITE", &[2, 1]);
    run.said();
    run.hears(0, 180);
    assert_eq!(run.cancelled(), ["cancel 0", "cancel 1"]);
    assert!(run.hears(0, 487).is_empty());
    assert_eq!(run.hears(1, 487), ["487"]);
}

#[test]
fn a_transport_that_fails_is_a_503_rfc_3261_16_9_and_silence_a_408_16_6_step_7() {
    let refused = Failure::Transport(ErrorKind::ConnectionRefused);
    let of = |failure| {
        let mut run = Run::of("INVITE", &[1]);
        run.said();
        run.fails(0, failure)
    };
    // Not passed on as such: it speaks of one hop (§16.7 step 6).
    assert_eq!(of(refused), ["500"]);
    assert_eq!(of(Failure::TimedOut(Timer::B)), ["408"]);
}

#[test]
fn the_breadth_is_shared_among_what_is_tried_at_once_and_given_back_rfc_5393_5_3_3() {
    let mut run = Run::with_breadth("INVITE", &[2, 3], MaxBreadth(7));
    assert_eq!(run.said(), ["forward 0 breadth 4", "forward 1 breadth 3"]);
    run.hears(0, 486);
    assert_eq!(run.hears(1, 486), ["forward 2 breadth 3", "forward 3 breadth 2", "forward 4 breadth 2"]);
}

#[test]
fn resends_of_a_refusal_count_once() {
    let mut run = Run::of("INVITE", &[2]);
    run.said();
    assert!(run.hears(0, 486).is_empty());
    assert!(run.hears(0, 486).is_empty());
    assert_eq!(run.hears(1, 480), ["486"]);
    assert!(run.hears(1, 480).is_empty());
}
