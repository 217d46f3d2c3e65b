//! Values that others have computed.

use super::*;

const NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const OPAQUE: &str = "FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS";
const CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

fn get() -> Method {
    Method::Extension("GET".into())
}

fn answer(challenge: &str, user: &str, password: &str, asked: &DigestRequest<'_>) -> Credentials {
    Credentials::answer(&challenge.parse().unwrap(), user, &Secret::password(password), asked).unwrap()
}

#[test]
fn rfc_7616_section_3_9_1_sha_256_and_md5() {
    let sha = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1";
    for (algorithm, response) in [("SHA-256", sha), ("MD5", "8ca523f5e9506fed4657c9700eebdbec")] {
        let challenge = format!(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, nonce=\"{NONCE}\", \
             opaque=\"{OPAQUE}\""
        );
        let asked = DigestRequest { method: &get(), uri: "/dir/index.html", cnonce: CNONCE, nc: 1, body: b"" };
        let answer = answer(&challenge, "Mufasa", "Circle of Life", &asked);
        assert_eq!((&*answer.response, answer.opaque.as_deref()), (response, Some(OPAQUE)));
        assert!(answer.to_string().contains(&format!(", algorithm={algorithm}, ")));
        assert!(answer.to_string().contains(", qop=auth, nc=00000001"));
    }
}

#[test]
fn rfc_7616_section_3_9_2_sha_512_256_charset_and_userhash() {
    // What the RFC prints is SHA-512 cut to 256 bits, which is another hash than SHA-512/256 (erratum 4897).
    let printed = "488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec";
    let (user, realm) = ("J\u{e4}s\u{f8}n Doe", "api@example.org");
    assert_ne!(Algorithm::Sha512_256.hash_username(user, realm), printed);
    let userhash = "793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b";
    let response = "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5";

    let text = "Digest realm=\"api@example.org\", qop=\"auth\", algorithm=SHA-512-256, \
                nonce=\"5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK\", \
                opaque=\"HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS\", charset=UTF-8, userhash=";
    let cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v";
    let asked = DigestRequest { method: &get(), uri: "/doe.json", cnonce, nc: 1, body: b"" };
    let stored = ha1(Algorithm::Sha512_256, user, realm, "Secret, or not?");
    for (hashed, start) in [
        ("true", format!("Digest username=\"{userhash}\", realm=")),
        ("false", "Digest username*=UTF-8''J%C3%A4s%C3%B8n%20Doe, realm=".to_owned()),
    ] {
        let answer = answer(&format!("{text}{hashed}"), user, "Secret, or not?", &asked);
        assert_eq!(&*answer.response, response);
        assert!(answer.to_string().starts_with(&start), "{answer}");
        assert_eq!(answer.to_string().ends_with(", userhash=true"), answer.userhash);
        let received: Credentials = answer.to_string().parse().unwrap();
        assert!(received.names_user(user) && received.verify(&stored, &get()));
    }
}

#[test]
fn rfc_2617_section_3_5_and_rfc_2069_section_2_4() {
    // The second with the digest that erratum 749 corrects; it is also what RFC 3261 §22.4 wants of a server without qop.
    for (password, qop, response) in [
        ("Circle Of Life", ", qop=\"auth,auth-int\"", "6629fae49393a05397450978507c4ef1"),
        ("CircleOfLife", "", "1949323746fe6a43ef61f9606e7febea"),
    ] {
        let challenge = format!(
            "Digest realm=\"testrealm@host.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", \
             opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"{qop}"
        );
        let asked = DigestRequest { method: &get(), uri: "/dir/index.html", cnonce: "0a4f113b", nc: 1, body: b"" };
        let answer = answer(&challenge, "Mufasa", password, &asked);
        assert_eq!((&*answer.response, &answer.algorithm), (response, &None));
        let protected = !qop.is_empty();
        assert_eq!(
            (answer.qop.is_some(), answer.cnonce.is_some(), answer.nc.is_some()),
            (protected, protected, protected)
        );
        let stored = ha1(Algorithm::Md5, "Mufasa", "testrealm@host.com", password);
        let expected = if protected { Protection::Auth } else { Protection::Legacy };
        assert_eq!(answer.check(&stored, &get(), b""), Some(expected));
        assert_eq!(answer.verify(&stored, &get()), protected);
    }
}

/// Algorithm, `qop`, the client's response and the server's, computed with Python's hashlib from RFC 7616 §3.4 and §3.5: bob's INVITE
/// with a body of five bytes, and an answer without one.
#[rustfmt::skip]
const COMPUTED: [(&str, &str, &str, &str); 12] = [
    ("MD5", "auth", "89eb0059246c02b2f6ee02c7961d5ea3", "9175a7857f138ef9768651f475f1d73a"),
    ("MD5", "auth-int", "77226bb823dc077c1ad3537415667bae", "0a56d367385814b45c7b663438a5dac9"),
    ("MD5-sess", "auth", "e4e4ea61d186d07a92c9e1f6919902e9", "0702355500027529b96f51fb4dd888e2"),
    ("MD5-sess", "auth-int", "8527c9ab1b4eed3fd75491f811944e26", "aeea8c47a88fc4da437b92ab0191fa45"),
    ("SHA-256", "auth", "b3b5a6c69453abafaab9ae4dccdac90a076b6c80615d5f3498e7433b6e93bf4f", "eac28e17b8d5d63e96e148e02f1b50afcf750aeecb3856ac20399028c0ee51e6"),
    ("SHA-256", "auth-int", "554a9ffe79ce71c3cb6c9630deddd2787d8033f895e5cdef6a73c8e84ed4c979", "8831a5721f39e498a8678254fe42ffdc0796da56b392f2b8dc7ea6b4041ea0d6"),
    ("SHA-256-sess", "auth", "5da59c9ca40954be9d5063a15a174066c8251be2c10cf47c144c366dc7daf792", "74979e1c4bee64a04db61c0de37556a1b2f48ebab1e730aef51db55ef9688034"),
    ("SHA-256-sess", "auth-int", "0b4a1efc19e1b701ec5775b6b16dde0fc416102e34a6c5bd6f957b20b5d79170", "9a3976f4aa9fe1356e9f5f3896fdad7c29b1e427762f8b602d8648c503ef5189"),
    ("SHA-512-256", "auth", "7f1a09de0f19af0a1eac2b28d33e3f2fb89cca1ad8fb01bba5e1883b288bac14", "975a12c1ffcd062063ecf7569221689a797a7fef76ce1b9d29bd6e57b90be6e8"),
    ("SHA-512-256", "auth-int", "e9a7fbc1c80a10421c59a0c982f28d40e0ddc7b62ef3dc4faf68f179c6e05922", "98dc01c8a7e037c085813683b0bdcee3d04f97b6f6c37c27c93717b33adaa0ce"),
    ("SHA-512-256-sess", "auth", "077d9677be83f41f162d1a4453dc163389919f81e5927391d972f477da767633", "bf9137540a89905ec6768fd824b2a43b86f8b3aad2c0c579727be1f8ea6bad65"),
    ("SHA-512-256-sess", "auth-int", "0220683d8c9faccc1d05bd2ef0e7ccdff87eacd5f06fb6bfd9cd7d3acf66a00b", "7909181834ee7c7d214fcdb77874d6ec9aa52c26f917ca74e8b7d843dcf74d89"),
];

#[test]
fn each_algorithm_and_protection_both_ways() {
    for (algorithm, qop, response, rspauth) in COMPUTED {
        let challenge = format!(
            "Digest realm=\"biloxi.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", algorithm={algorithm}, qop=\"{qop}\""
        );
        let uri = "sip:bob@biloxi.com";
        let asked = DigestRequest { method: &Method::Invite, uri, cnonce: "0a4f113b", nc: 1, body: b"v=0\r\n" };
        let answer = answer(&challenge, "bob", "zanzibar", &asked);
        assert_eq!(&*answer.response, response, "{algorithm} {qop}");
        let stored = ha1(answer.known_algorithm().unwrap(), "bob", "biloxi.com", "zanzibar");
        let whole = if qop == "auth" { Protection::Auth } else { Protection::AuthInt };
        assert_eq!(answer.check(&stored, &Method::Invite, b"v=0\r\n"), Some(whole));
        assert_eq!(answer.check(&stored, &Method::Invite, b"v=1\r\n"), Some(whole).filter(|_| qop == "auth"));

        let confirmation = Confirmation::new(&answer, &stored, b"");
        assert_eq!(confirmation.rspauth.as_deref(), Some(rspauth), "{algorithm} {qop}");
        assert_eq!(confirmation.check(&answer, &stored, b""), ServerProof::Right(whole));
        assert_eq!(confirmation.check(&answer, &stored, b"x").is_right(), qop == "auth");
        // What the client has said is no proof of the server's.
        let reflected = Confirmation { rspauth: Some(answer.response.clone()), ..confirmation };
        assert_eq!(reflected.check(&answer, &stored, b"v=0\r\n"), ServerProof::Wrong);
    }
}
