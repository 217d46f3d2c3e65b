//! The configuration as an operator meets it: defaults, the reference file, and one line for each thing that can be wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its helpers too")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use blether_call_engine::config::{Config, ConfigError, REFERENCE};
use blether_call_engine::stage::OfferedAlgorithms;
use blether_sip_core::Host;

const PATH: &str = "etc/call-engine.toml";

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::from_toml(text, Path::new(PATH))
}

fn with_variables(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call-engine.toml");
    fs::write(&path, text).unwrap();
    Config::load(&path, variables.iter().map(|(name, value)| (name.to_string(), value.to_string())))
}

fn line(result: Result<Config, ConfigError>) -> String {
    let line = result.unwrap_err().to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// The one line that `text` gets, without the file's name before it.
fn error(text: &str) -> String {
    let line = line(read(text));
    line.strip_prefix(PATH).and_then(|line| line.strip_prefix(':')).unwrap_or(&line).to_owned()
}

fn defaults_in(folder: &str) -> Config {
    Config { data_dir: folder.into(), ..Config::default() }
}

/// Takes the `#` from the lines of the reference that show a default.
fn uncommented(reference: &str) -> String {
    let lines = reference.lines().map(|line| match line.strip_prefix('#') {
        Some(shown) if shown.starts_with(|first: char| first.is_ascii_lowercase()) => shown,
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn an_empty_file_is_the_default_in_the_folder_of_the_file() {
    assert_eq!(read("").unwrap(), defaults_in("etc"));
}

#[test]
fn the_default_configuration_passes_its_own_check() {
    Config::default().check().unwrap();
}

#[test]
fn the_reference_changes_nothing_as_it_stands() {
    assert_eq!(read(REFERENCE).unwrap(), defaults_in("etc"));
}

#[test]
fn the_defaults_that_the_reference_shows_are_the_defaults() {
    let shown = uncommented(REFERENCE);
    assert!(shown.contains("\nring_timeout = 60") && shown.contains("\nlisten = \"udp:"), "{shown}");
    assert_eq!(read(&shown).unwrap(), defaults_in("etc"));
}

#[test]
fn the_reference_shows_every_key() {
    // An unknown key is answered with the keys there are: ask each section for its own.
    for section in [
        "",
        "[tcp]\n",
        "[tls]\n",
        "[http]\n",
        "[authentication]\n",
        "[media]\n",
        "[registrar]\n",
        "[limits]\n",
        "[calls]\n",
        "[log]\n",
        "[[proxy]]\n",
        "[[account]]\n",
    ] {
        let Err(ConfigError::UnknownKey { known, .. }) = read(&format!("{section}qqqqqqqq = 1")) else {
            panic!("{section} takes an unknown key")
        };
        assert!(!known.is_empty());
        for key in known {
            let shown =
                [format!("\n#{key} = "), format!("\n# {key} = "), format!("\n[{key}]"), format!("\n# [[{key}]]")];
            assert!(shown.iter().any(|shown| REFERENCE.contains(shown)), "`{key}` is not in the reference");
        }
    }
}

#[test]
fn every_key_takes_a_value() {
    let config = read(
        r#"
        data_dir = "/var/lib/blether"
        listen = "udp:[2001:db8::1]:5080"
        shards = 3
        tcp = { enabled = false, max_connections = 500, max_per_peer = 5, idle_timeout = 120 }
        tls = { certificate = "fullchain.pem", key = "/etc/key.pem", client_authorities = "ca.pem", server_authorities = "others.pem", client_certificate = "own.pem", client_key = "own-key.pem" }
        dns.servers = ["192.0.2.53", "2001:db8::53", "[2001:db8::53]:5353"]
        http.listen = "off"
        domains = ["Example.org", "2001:DB8::1"]
        realm = "example.org"
        advertise = "203.0.113.5"
        authentication.digest = "sha256"
        media = { ports = "20000-20999", workers = 4 }
        registrar = { default_expires = 300, min_expires = 30, max_expires = 600, max_contacts = 3, service_route = ["sip:e.example;lr"] }
        limits = { max_message = 4000, max_body = 2000, max_transactions = 1000, max_calls = 20 }
        calls = { ring_timeout = 20, drain_timeout = 0 }
        log = { level = "debug", format = "json" }
        proxy = [
            { dialled = "2XX", to = "phones", fork = "serial", ring_timeout = 20, timer_c = 200, authenticate = false },
            { domain = "partner.example", to = ["sip:192.0.2.10;transport=tcp"], authenticate = false, stateless = true },
        ]
        account = [{ user = "100", password = "correct horse", display_name = "Ailsa" }, { user = "b", password = "12345678" }]
        "#,
    )
    .unwrap();
    assert_eq!(config.data_dir, Path::new("/var/lib/blether"));
    assert_eq!(config.listen.to_string(), "udp:[2001:db8::1]:5080");
    assert_eq!(config.domains, ["example.org", "2001:db8::1"].map(|text| text.parse::<Host>().unwrap()));
    assert_eq!(config.realm, "example.org");
    assert_eq!(config.advertise, Some("203.0.113.5".parse().unwrap()));
    assert_eq!(config.authentication.digest, OfferedAlgorithms::Sha256);
    assert_eq!((config.media.ports.to_string().as_str(), config.media.workers), ("20000-20999", 4));
    assert_eq!(config.registrar.default_expires, Duration::from_secs(300));
    assert_eq!((config.registrar.min_expires.as_secs(), config.registrar.max_expires.as_secs()), (30, 600));
    assert_eq!(config.registrar.max_contacts, 3);
    assert_eq!(config.registrar.service_route, ["sip:e.example;lr".parse().unwrap()]);
    let shown: Vec<_> = config.proxies.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "2XX to the phones of the user, serial, for anybody",
            "partner.example to sip:192.0.2.10;transport=tcp, by-preference, without state, for anybody"
        ]
    );
    assert_eq!((config.proxies[0].ring_timeout.as_secs(), config.proxies[0].timer_c.as_secs()), (20, 200));
    assert_eq!((config.limits.max_message, config.limits.max_body), (4000, 2000));
    assert_eq!((config.limits.max_transactions, config.limits.max_calls), (1000, 20));
    assert_eq!((config.calls.ring_timeout, config.calls.drain_timeout), (Duration::from_secs(20), Duration::ZERO));
    assert_eq!((config.shards, config.shard_count(), config.http.listen), (Some(3), 3, None));
    let servers: Vec<_> = config.dns.servers.iter().map(ToString::to_string).collect();
    assert_eq!(servers, ["192.0.2.53:53", "[2001:db8::53]:53", "[2001:db8::53]:5353"]);
    assert_eq!((config.tcp.max_connections, config.tcp.max_per_peer), (500, 5));
    assert_eq!((config.tcp.enabled, config.tcp.idle_timeout), (false, Duration::from_secs(120)));
    assert_eq!(config.tls.client_authorities.as_deref(), Some(Path::new("etc/ca.pem")));
    assert_eq!(config.tls.server_authorities.as_deref(), Some(Path::new("etc/others.pem")));
    let identity = config.tls.identity.unwrap();
    assert_eq!((identity.certificate, identity.key), (Path::new("etc/fullchain.pem").into(), "/etc/key.pem".into()));
    let shown = config.tls.client_identity.unwrap();
    assert_eq!((shown.certificate, shown.key), ("etc/own.pem".into(), "etc/own-key.pem".into()));
    assert_eq!((config.log.level.as_str(), config.log.format), ("debug", "json".parse().unwrap()));
    assert_eq!(config.accounts[0].display_name, "Ailsa");
    assert_eq!(config.accounts[0].password.expose(), "correct horse");
    assert_eq!(config.accounts[1].display_name, "b", "the user stands for a display name that is not given");
}

#[test]
fn an_unknown_key_is_told_with_the_name_that_it_is_nearest_to() {
    assert_eq!(error("lsiten = 1"), "1:1: unknown key `lsiten`; did you mean `listen`?");
    assert_eq!(error("\n[calls]\n  timeout = 5"), "3:3: unknown key `timeout`; did you mean `ring_timeout`?");
    assert_eq!(error("[log]\ncolour = 1"), "2:1: unknown key `colour`; the keys here are level, format");
    assert_eq!(error("[medai]\nports = \"1\""), "1:2: unknown key `medai`; did you mean `media`?");
    assert_eq!(error("[[account]]\nusr = \"1\""), "2:1: unknown key `usr`; did you mean `user`?");
}

#[test]
fn a_value_of_the_wrong_type_is_told_with_its_key() {
    let check = |text: &str, expected: &str| assert_eq!(error(text), expected);
    check("realm = 5", "1:9: `realm` must be text in quotes, but here it is a whole number");
    check(
        "[media]\nworkers = \"2\"",
        "2:11: `media.workers` must be a whole number without quotes, but here it is text",
    );
    check(
        "[calls]\nring_timeout = 2.5",
        "2:16: `calls.ring_timeout` must be a whole number without quotes, but here it is a number with a fraction",
    );
    check("listen = 5060", "1:10: `listen` must be text in quotes, or a list of texts, but here it is a whole number");
    check(
        "listen = [5060]",
        "1:10: `listen` must be text in quotes, or a list of texts, but here it is a whole number",
    );
    check("shards = \"two\"", "1:10: `shards` must be a whole number without quotes, or \"auto\", but here it is text");
    check("tcp.enabled = \"no\"", "1:15: `tcp.enabled` must be true or false, without quotes, but here it is text");
    check(
        "domains = \"example.org\"",
        "1:11: `domains` must be a list of texts, such as [\"…\", \"…\"], but here it is text",
    );
    check(
        "domains = [5060]",
        "1:11: `domains` must be a list of texts, such as [\"…\", \"…\"], but here it is a whole number",
    );
    check(
        "[[account]]\nuser = 100\npassword = \"12345678\"",
        "2:8: `user of account 1` must be text in quotes, but here it is a whole number",
    );
}

#[test]
fn a_section_that_is_no_section_is_told_with_its_form() {
    let must_be = |section: &str| format!("this must be a section {section}, with its keys in the lines below it");
    assert_eq!(error("media = 5"), format!("1:9: {}", must_be("[media]")));
    assert_eq!(
        error(
            "[account]
user = \"1\""
        ),
        format!("1:1: {}", must_be("[[account]]"))
    );
    assert_eq!(error("account = [\"hush\"]"), format!("1:12: {}", must_be("[[account]]")));
}

#[test]
fn a_number_out_of_its_range_is_told_with_the_range_and_the_unit() {
    let check = |text: &str, expected: &str| assert_eq!(error(text), expected);
    check(
        "[registrar]\nmin_expires = 0",
        "2:15: `registrar.min_expires` is 0; give a whole number from 1 to 3600 seconds",
    );
    check("[calls]\nring_timeout = -5", "2:16: `calls.ring_timeout` is -5; give a whole number from 5 to 170 seconds");
    check(
        "[media]\nworkers = 9999999999999",
        "2:11: `media.workers` is 9999999999999; give a whole number from 1 to 256",
    );
    check(
        "[limits]\nmax_message = 65536",
        "2:15: `limits.max_message` is 65536; give a whole number from 1500 to 65535 bytes",
    );
}

#[test]
fn a_value_that_does_not_fit_another_names_both() {
    assert_eq!(
        error("[registrar]\nmax_expires = 30"),
        "2:15: `registrar.min_expires` is 60, which is above `registrar.max_expires` = 30; lower the first or raise the second"
    );
    assert_eq!(
        error("listen = \"udp:0.0.0.0:10000\""),
        "1:10: `media.ports` = 10000-19999 holds the port of `listen` = udp:0.0.0.0:10000; move one of them"
    );
}

#[test]
fn http_does_not_take_the_port_that_sip_has_for_tcp() {
    let text = "listen = \"udp:0.0.0.0:5060\"\nhttp.listen = \"127.0.0.1:5060\"\n";
    assert_eq!(
        error(text),
        "2:15: `http.listen` = 127.0.0.1:5060 is the port that `listen` = udp:0.0.0.0:5060 takes for TCP; move one of them"
    );
    assert!(read(&format!("{text}tcp.enabled = false")).is_ok());
    assert!(read("listen = \"udp:127.0.0.1:9060\"").is_ok(), "the default gives way");
}

#[test]
fn several_addresses_are_listened_on_and_none_twice() {
    let listens = |config: Config| config.listens().map(|listen| listen.to_string()).collect::<Vec<_>>();
    let both = ["udp:0.0.0.0:5060", "udp:[::]:5060"];
    assert_eq!(listens(read("listen = [\"udp:0.0.0.0:5060\", \"udp:[::]:5060\"]").unwrap()), both);
    let variable = [("BLETHER_LISTEN", "udp:0.0.0.0:5060, udp:[::]:5060")];
    assert_eq!(listens(with_variables("", &variable).unwrap()), both);
    assert_eq!(listens(Config::default()), both[..1]);
    assert_eq!(
        error("listen = []"),
        "1:10: `listen`: the list is empty; name an address to listen on, or remove the line"
    );
    assert_eq!(
        error("listen = [\"udp:0.0.0.0:5060\", \"udp:127.0.0.1:5060\"]"),
        "1:10: `listen` has udp:0.0.0.0:5060 and udp:127.0.0.1:5060, of which only one can be had; remove one, or change its port"
    );
    assert!(read("listen = [\"udp:127.0.0.1:0\", \"udp:127.0.0.1:0\"]").is_ok());
    assert!(
        error("listen = [\"udp:0.0.0.0:5060\", \"udp:[::]:10000\"]")
            .contains("holds the port of `listen` = udp:[::]:10000")
    );
}

#[cfg(feature = "tls")]
#[test]
fn tls_is_listened_for_beside_udp() {
    let config = read("listen = [\"tls:0.0.0.0:5061\", \"udp:0.0.0.0:5060\", \"tls:[::]:5061\"]").unwrap();
    let listens: Vec<_> = config.listens().map(|listen| listen.to_string()).collect();
    assert_eq!(listens, ["udp:0.0.0.0:5060", "tls:0.0.0.0:5061", "tls:[::]:5061"]);
    assert_eq!(config.listens_for_udp().count(), 1);
    let tls: Vec<_> = config.listens_for_tls().map(|listen| listen.address.to_string()).collect();
    assert_eq!(tls, ["0.0.0.0:5061", "[::]:5061"]);
    let asking = "listen = [\"udp:0.0.0.0:5060\", \"tls:0.0.0.0:5061;clients=required\"]\n";
    assert!(error(asking).contains("no `tls.client_authorities` says whose are believed"));
    assert!(read(&format!("{asking}tls.client_authorities = \"ca.pem\"")).is_ok());
    assert!(error("listen = \"tls:0.0.0.0:5061\"").contains("there is no address for UDP"));
    let twice = "listen = [\"udp:0.0.0.0:5060\", \"tls:0.0.0.0:5060\"]";
    assert!(error(twice).contains("of which only one can be had"));
    // Its port is one of TCP, which media has none of, and HTTP has.
    let high = "listen = [\"udp:0.0.0.0:5060\", \"tls:0.0.0.0:10000\"]\n";
    assert!(read(high).is_ok());
    let http = format!("{high}http.listen = \"127.0.0.1:10000\"\ntcp.enabled = false");
    assert!(error(&http).contains("takes for TCP; move one of them"));
}

#[test]
fn one_file_may_have_certificate_and_key_and_a_key_alone_is_none() {
    let identity = read("tls.certificate = \"both.pem\"").unwrap().tls.identity.unwrap();
    assert_eq!((identity.certificate, identity.key), ("etc/both.pem".into(), "etc/both.pem".into()));
    assert!(error("tls.key = \"key.pem\"").contains("no `tls.certificate`"));
    assert!(error("tls.client_key = \"key.pem\"").contains("no `tls.client_certificate`"));
    assert_eq!(read("[tls]\ncertificate = \"\"\nkey = \"\"").unwrap().tls.identity, None);
}

#[test]
fn an_address_that_is_none_is_told_with_the_form_it_has() {
    let listen = "\"5060\" is no address to listen on; write it like \"udp:0.0.0.0:5060\", \"udp:[::]:5060\" or \"tls:0.0.0.0:5061\"";
    assert_eq!(error("listen = \"5060\""), format!("1:10: `listen`: {listen}"));
    assert!(error("http.listen = \"9060\"").contains("no address for HTTP; write it like \"127.0.0.1:9060\""));
    assert!(error("advertise = \"example.org\"").contains("write a numeric one"));
    assert!(error("advertise = \"0.0.0.0\"").contains("write a numeric one"));
    assert!(error("[media]\nports = \"10000\"").contains("write it like \"10000-19999\""));
    assert!(error("domains = [\"sip:a\"]").contains("without sip:"));
    assert!(error("[log]\nlevel = \"loud\"").contains("\"loud\" is not one of error, warn, info, debug, trace"));
    assert!(
        error("authentication.digest = \"SHA-256\"").contains("\"SHA-256\" is not one of sha256-then-md5, sha256, md5")
    );
    assert!(error("data_dir = \"\"").contains("the path is empty"));
    assert!(error("realm = \"\"").contains("cannot be a realm"));
}

#[test]
fn two_accounts_with_one_user_are_told_with_both_places() {
    let account = |user: &str| format!("[[account]]\nuser = \"{user}\"\npassword = \"12345678\"\n");
    assert_eq!(
        error(&[account("100"), account("101"), account("100")].concat()),
        format!("8:8: account 3 has the user `100` of account 1 ({PATH}:2:8); give it another, or remove it")
    );
}

#[test]
fn an_account_that_lacks_a_key_is_told_where_it_begins() {
    assert_eq!(
        error("\n[[account]]\nuser = \"100\""),
        "2:1: account 1 has no `password`; add the line password = \"...\""
    );
    assert_eq!(
        error("[[account]]\npassword = \"12345678\""),
        "1:1: account 1 has no `user`; add the line user = \"...\""
    );
}

#[test]
fn what_is_wrong_with_a_proxy_is_told_with_its_place() {
    for (keys, expected) in [
        ("to = \"phones\"", "1:1: proxy 1 has no `dialled`; add the line dialled = \"...\""),
        ("dialled = \"1XX\"", "1:1: proxy 1 has no `to`; add the line to = \"...\""),
        ("dialled = \"1X[\"\nto = \"phones\"", "2:11: `dialled of proxy 1`: the `[` at place 3"),
        (
            "dialled = \"1\"\ndomain = \"b.example\"\nto = \"phones\"",
            "3:10: `domain of proxy 1`: `dialled` stands there, too",
        ),
        ("domain = \"b.example\"\nto = \"phones\"", "3:6: `to of proxy 1`: another domain has no phones here"),
        ("dialled = \"1\"\nto = \"sip:bob@b.example\"", "3:6: `to of proxy 1`: \"sip:bob@b.example\" is no target"),
        ("dialled = \"1\"\nto = \"sips:192.0.2.1\"", "3:6: `to of proxy 1`"),
        ("dialled = \"1\"\nto = []", "3:6: `to of proxy 1`: the list is empty"),
        (
            "dialled = \"1\"\nto = \"phones\"\nfork = \"both\"",
            "4:8: `fork of proxy 1`: \"both\" is not one of by-preference",
        ),
        (
            "dialled = \"1\"\nto = \"phones\"\ntimer_c = 0",
            "4:11: `timer_c of proxy 1` is 0; give a whole number from 1 to 3600",
        ),
        (
            "dialled = \"1\"\nto = \"sip:b.example\"\nstateless = true",
            "4:13: `stateless of proxy 1`: a proxy without state cannot ask where sip:b.example is",
        ),
        ("dialled = \"1\"\nto = \"phones\"\nstateless = true", "4:13: `stateless of proxy 1`: phones come and go"),
        (
            "dialled = \"1\"\nto = \"sip:192.0.2.10\"\nstateless = true",
            "4:13: `stateless of proxy 1`: credentials serve once",
        ),
        (
            "dialled = \"1X\"\nto = \"phones\"\n[[proxy]]\ndialled = \"1[0-9]\"\nto = \"phones\"",
            "5:11: `dialled of proxy 2`: an earlier [[proxy]] takes the same",
        ),
    ] {
        let told = error(&format!("[[proxy]]\n{keys}"));
        assert!(told.starts_with(expected), "{keys}\n{told}");
    }
    for server in ["ns.example", "192.0.2.53:0", "0.0.0.0", ""] {
        let error = error(&format!("dns.servers = [\"{server}\"]"));
        assert!(error.contains("is no address of a name server; write it like \"192.0.2.53\""), "{server}: {error}");
    }
    assert!(error("registrar.service_route = [\"sip:edge.example\"]").contains("is no proxy to send by"));
    let beside = "listen = [\"udp:0.0.0.0:5060\", \"tls:0.0.0.0:5061\"]\n";
    let told = error(&format!("{beside}[[proxy]]\ndialled = \"1\"\nto = \"phones\""));
    assert!(told.contains("`listen`: a [[proxy]] does not forward between TLS"), "{told}");
    assert!(read(beside).is_ok(), "without a [[proxy]] there is TLS");
}

#[test]
fn what_is_wrong_with_a_password_never_shows_it() {
    for password in ["\"hush\"", "\"hush\\n12345678\"", "\"hush-hush\nlost-quote\"", "[\"hush-hush\"]", "hush-hush"] {
        let line = error(&format!("[[account]]\nuser = \"100\"\npassword = {password}"));
        assert!(!line.contains("hush"), "{line}");
        assert!(line.starts_with("3:") || line.starts_with("4:"), "{line}");
    }
    let user_as_password = "[[account]]\nuser = \"hush-hush\"\npassword = \"hush-hush\"";
    assert!(!error(user_as_password).contains("hush"));
    let config = read("[[account]]\nuser = \"100\"\npassword = \"hush-hush\"").unwrap();
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn what_is_not_toml_is_told_in_one_line_with_its_place() {
    for (text, place) in [
        ("domains = [", "1:"),
        ("[media]\nports = 10000-19999", "2:"),
        ("realm = blether", "1:9"),
        ("a = 1\na = 2", "2:1"),
        ("realm", "1:"),
        ("[media]\n[media]", "2:"),
    ] {
        let line = error(text);
        assert!(line.starts_with(place) && line.contains("not TOML"), "{text:?}: {line}");
    }
}

#[test]
fn columns_count_characters_not_bytes() {
    assert!(error("log = { format = \"ü\", level = \"loud\" }").starts_with("1:31: "));
    assert!(error("realm = \"ü\"   # ü\n\"ü\" = 1").starts_with("2:1: "));
}

#[test]
fn a_file_that_cannot_be_read_is_told_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.toml");
    let told = line(Config::load(&absent, []));
    assert!(told.starts_with(&format!("{}: cannot read the configuration: ", absent.display())), "{told}");
    assert!(told.contains("check the path"), "{told}");
    assert!(line(Config::load(folder.path(), [])).contains("name the file in it"));
    let latin1 = folder.path().join("latin1.toml");
    fs::write(&latin1, b"realm = \"\xfc\"").unwrap();
    assert!(line(Config::load(&latin1, [])).contains("save it as UTF-8"));
}

#[test]
fn a_variable_wins_over_the_file() {
    let variables = [
        ("BLETHER_LISTEN", "udp:127.0.0.1:5070"),
        ("BLETHER_DOMAINS", "example.org, 192.0.2.1"),
        ("BLETHER_MEDIA_PORTS", "30000-30099"),
        ("BLETHER_CALLS_RING_TIMEOUT", "7"),
        ("BLETHER_REALM", "12345"),
        ("BLETHER_AUTHENTICATION_DIGEST", "md5"),
        ("BLETHER_LOG_LEVEL", ""),
        ("BLETHER_TCP_ENABLED", "false"),
        ("BLETHER_SHARDS", "auto"),
        ("BLETHER_HTTP_LISTEN", "[::1]:80"),
        ("PATH", "/bin"),
    ];
    let config =
        with_variables("realm = \"a\"\nshards = 4\n[calls]\nring_timeout = 9\n[log]\nlevel = \"warn\"", &variables)
            .unwrap();
    assert_eq!(config.listen.to_string(), "udp:127.0.0.1:5070");
    assert_eq!(config.domains, ["example.org", "192.0.2.1"].map(|text| text.parse::<Host>().unwrap()));
    assert_eq!(config.media.ports.to_string(), "30000-30099");
    assert_eq!(config.calls.ring_timeout.as_secs(), 7);
    assert_eq!(config.realm, "12345");
    assert_eq!(config.authentication.digest, OfferedAlgorithms::Md5);
    assert_eq!((config.tcp.enabled, config.shards), (false, None));
    assert_eq!(config.http.listen.unwrap().to_string(), "[::1]:80");
    assert_eq!(config.log.level.as_str(), "warn", "an empty variable counts as not set");
}

#[test]
fn what_is_wrong_with_a_variable_names_the_variable() {
    let check = |name: &str, value: &str, expected: &str| {
        assert_eq!(line(with_variables("", &[(name, value)])), format!("environment variable {name}: {expected}"));
    };
    check("BLETHER_LISTNE", "x", "it names no key; did you mean `BLETHER_LISTEN`?");
    check("BLETHER_RING_TIMEOUT", "5", "it names no key; did you mean `BLETHER_CALLS_RING_TIMEOUT`?");
    check("BLETHER_MEDIA_CODEC", "x", "it names no key; remove it, or see the reference for the names there are");
    check("BLETHER_MEDIA_WORKERS", "two", "`media.workers` must be a whole number, but here it is text");
    check("BLETHER_SHARDS", "-1", "`shards` is -1; give a whole number from 1 to 256");
    check("BLETHER_TCP_ENABLED", "1", "`tcp.enabled` must be true or false, without quotes, but here it is text");
    check("BLETHER_MEDIA_WORKERS", "0", "`media.workers` is 0; give a whole number from 1 to 256");
    check("BLETHER_MEDIA_PORTS", "1", "`media.ports`: \"1\" is no range of ports; write it like \"10000-19999\"");
}

#[test]
fn variables_of_other_programs_are_left_alone() {
    assert!(with_variables("", &[("BLETHER_KEEP", "1"), ("BLETHERING", "1"), ("LISTEN", "x")]).is_ok());
}

#[test]
fn a_relative_data_folder_starts_at_the_file_and_a_variable_at_the_working_folder() {
    let folder = |text: &str| read(text).unwrap().data_dir;
    assert_eq!(folder("data_dir = \".\""), Path::new("etc"));
    assert_eq!(folder("data_dir = \"data\""), Path::new("etc/data"));
    assert_eq!(folder("data_dir = \"/data\""), Path::new("/data"));
    assert_eq!(Config::from_toml("", Path::new("call-engine.toml")).unwrap().data_dir, Path::new("."));
    assert_eq!(with_variables("", &[("BLETHER_DATA_DIR", "here")]).unwrap().data_dir, Path::new("here"));
}

#[test]
fn the_file_is_looked_for_where_the_operator_said() {
    let variable = [("BLETHER_DATA_DIR".to_owned(), "/srv/blether".to_owned())];
    let given = Path::new("my.toml");
    assert_eq!(Config::locate(None, &[]), Path::new("blether-data/call-engine.toml"));
    assert_eq!(Config::locate(None, &variable), Path::new("/srv/blether/call-engine.toml"));
    assert_eq!(Config::locate(Some(given), &variable), given);
}

#[test]
fn a_configuration_made_in_code_is_checked_the_same_way() {
    let mut config = Config::default();
    config.calls.ring_timeout = Duration::from_millis(5500);
    assert_eq!(
        config.check().unwrap_err().to_string(),
        "`calls.ring_timeout` is not a whole number of seconds; round it"
    );
}
