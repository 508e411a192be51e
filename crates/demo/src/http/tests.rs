//! Requests over a raw socket, since a client library would hide the faults.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::{Fault, Resource, Response, Server};

fn ask(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(server: &Server, path: &str, headers: &str) -> String {
    ask(server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n"))
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

fn server() -> Server {
    let server = Server::start().unwrap();
    server.put("/digits", Resource::bytes("0123456789"));
    server
}

#[test]
fn whole_contents_parts_and_heads_are_served() {
    let server = server();
    let whole = get(&server, "/digits", "");
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n") && whole.contains("Content-Length: 10\r\n"), "{whole}");
    assert_eq!(body(&whole), "0123456789");
    let head = ask(&server, "HEAD /digits HTTP/1.1\r\nConnection: close\r\n\r\n");
    assert!(head.contains("Content-Length: 10\r\n") && body(&head).is_empty(), "{head}");
    for (range, content_range, expected) in [
        ("0-0", "0-0", "0"),
        ("7-", "7-9", "789"),
        ("8-99", "8-9", "89"),
        ("-3", "7-9", "789"),
        ("-30", "0-9", "0123456789"),
    ] {
        let part = get(&server, "/digits", &format!("Range: bytes={range}\r\n"));
        assert!(part.starts_with("HTTP/1.1 206 "), "{part}");
        assert!(part.contains(&format!("Content-Range: bytes {content_range}/10\r\n")), "{part}");
        assert_eq!(body(&part), expected);
    }
    for range in ["10-", "-0"] {
        let none = get(&server, "/digits", &format!("Range: bytes={range}\r\n"));
        assert!(none.starts_with("HTTP/1.1 416 ") && none.contains("Content-Range: bytes */10\r\n"), "{none}");
    }
    for range in ["bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,3-4"] {
        assert!(get(&server, "/digits", &format!("Range: {range}\r\n")).starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn a_part_is_served_only_of_what_the_client_has_already() {
    let server = server();
    server.put("/dated", Resource::bytes("0123456789").etag("\"one\""));
    for (validator, status) in [
        ("\"one\"", "206"),
        ("\"two\"", "200"),
        ("W/\"one\"", "200"),
        ("Thu, 01 Jan 2026 00:00:00 GMT", "206"),
        ("Fri, 02 Jan 2026 00:00:00 GMT", "200"),
    ] {
        let answer = get(&server, "/dated", &format!("Range: bytes=5-\r\nIf-Range: {validator}\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{validator}: {answer}");
    }
}

#[test]
fn a_file_is_streamed_with_its_time() {
    let server = server();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&vec![b'x'; 1 << 20]).unwrap();
    server.put("/a+b file", super::Content::File(file.path().to_owned()));
    assert_eq!(server.url("/a+b file"), format!("http://{}/a%2Bb%20file", server.address()));
    assert_eq!(body(&get(&server, "/a%2Bb%20file", "")).len(), 1 << 20);
    assert!(get(&server, "/a+b%20file", "").starts_with("HTTP/1.1 404 "), "a bare + is a space");
}

#[test]
fn every_lie_is_told() {
    let server = server();
    let told = |fault: Fault, headers: &str| {
        server.heal_all();
        server.fault("/digits", fault);
        get(&server, "/digits", headers)
    };
    let answer = told(Fault::TruncateAfter(4), "");
    assert!(answer.contains("Content-Length: 10\r\n") && body(&answer) == "0123", "{answer}");
    assert_eq!(body(&told(Fault::TruncateAfter(2), "Range: bytes=5-\r\n")), "56");
    assert_eq!(body(&told(Fault::FlipByteAt(3), "")), "012\u{13}456789");
    assert_eq!(body(&told(Fault::FlipByteAt(3), "Range: bytes=4-\r\n")), "456789");
    let answer = told(Fault::LieLength(5), "");
    assert!(answer.contains("Content-Length: 5\r\n") && body(&answer) == "0123456789", "{answer}");
    let answer = told(Fault::NoContentLength, "");
    assert!(!answer.contains("Content-Length") && body(&answer) == "0123456789", "{answer}");
    let answer = told(Fault::Chunked, "");
    assert!(!answer.contains("Content-Length") && body(&answer) == "a\r\n0123456789\r\n0\r\n\r\n", "{answer}");
    let answer = told(Fault::IgnoreRange, "Range: bytes=5-\r\n");
    assert!(answer.starts_with("HTTP/1.1 200 ") && body(&answer) == "0123456789", "{answer}");
    let answer = told(Fault::Wrong206, "");
    assert!(answer.starts_with("HTTP/1.1 206 ") && answer.contains("Content-Range: bytes 1-10/11\r\n"), "{answer}");
    let answer = told(Fault::Redirect("http://elsewhere/".to_owned()), "");
    assert!(answer.starts_with("HTTP/1.1 302 ") && answer.contains("Location: http://elsewhere/\r\n"), "{answer}");
    let secret = Fault::BasicAuth { user: "me".to_owned(), password: "it".to_owned() };
    assert!(told(secret.clone(), "").starts_with("HTTP/1.1 401 "));
    assert_eq!(body(&told(secret, "Authorization: Basic bWU6aXQ=\r\n")), "0123456789");
}

#[test]
fn counted_faults_end() {
    let server = server();
    let retry_after = vec![("Retry-After".to_owned(), "1".to_owned())];
    server.fault("/dig*", Fault::Status { code: 503, headers: retry_after, times: 2 });
    server.fault("/digits", Fault::DisconnectOnce { after: 1 });
    assert!(get(&server, "/digits", "").contains("Retry-After: 1\r\n"));
    assert!(get(&server, "/digits", "").starts_with("HTTP/1.1 503 "));
    assert_eq!(body(&get(&server, "/digits", "")), "0");
    assert_eq!(body(&get(&server, "/digits", "")), "0123456789");
    let log: Vec<_> = server.log().iter().map(|request| (request.status, request.bytes_sent)).collect();
    assert_eq!(log[..2].iter().map(|line| line.0).collect::<Vec<_>>(), [503, 503]);
    assert_eq!(log[2..], [(200, 1), (200, 10)]);
}

#[test]
fn slow_answers_take_their_time_but_not_after_the_end() {
    let server = server();
    server.fault("/digits", Fault::Drip { bytes: 5, every: Duration::from_millis(120) });
    let begun = Instant::now();
    assert_eq!(body(&get(&server, "/digits", "")), "0123456789");
    assert!(begun.elapsed() >= Duration::from_millis(120));
    server.heal_all();
    server.fault("/digits", Fault::Throttle { bytes_per_second: 50 });
    let begun = Instant::now();
    assert_eq!(body(&get(&server, "/digits", "")), "0123456789");
    assert!(begun.elapsed() >= Duration::from_millis(170));

    server.put("/large", Resource::bytes(vec![0; 4 << 20]));
    server.fault("/large", Fault::Throttle { bytes_per_second: 20 << 20 });
    let begun = Instant::now();
    assert_eq!(body(&get(&server, "/large", "")).len(), 4 << 20);
    let seconds = begun.elapsed().as_secs_f64();
    assert!((0.15..2.0).contains(&seconds), "{seconds}");

    server.heal_all();
    server.fault("/digits", Fault::Drip { bytes: 1, every: Duration::from_secs(3600) });
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(b"GET /digits HTTP/1.1\r\n\r\n").unwrap();
    let _ = stream.read(&mut [0; 16]).unwrap();
    let begun = Instant::now();
    drop(server);
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_connection_serves_several_requests_and_handlers_stream() {
    let server = server();
    server.handle("/made/", |incoming: &super::Incoming| {
        let text = format!("{} {:?} {}", incoming.path, incoming.parameter("q"), incoming.body.len());
        let body = super::Body::Stream(Box::new(move |out| out.write_all(text.as_bytes())));
        Response { status: 200, headers: Vec::new(), body }
    });
    let answer = ask(
        &server,
        "GET /digits HTTP/1.1\r\n\r\nPOST /made/up?q=a%20b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n1;x\r\nd\r\n0\r\n\r\nGET /none HTTP/1.0\r\n\r\n",
    );
    assert!(answer.contains("0123456789HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("/made/up Some(\"a b\") 4"), "{answer}");
    assert!(answer.ends_with("not found\n"), "{answer}");
}

#[test]
fn garbage_is_refused() {
    let server = server();
    for garbage in [
        "\x16\x03\x01\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET x HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ] {
        assert!(ask(&server, garbage).starts_with("HTTP/1.1 400 "), "{garbage}");
    }
    assert!(ask(&server, &format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000))).starts_with("HTTP/1.1 431 "));
    assert!(ask(&server, "GET / HTTP/3\r\n\r\n").starts_with("HTTP/1.1 505 "));
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_request_or_not(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        for start in ["", "GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"] {
            let _ = super::message::read(&mut [start.as_bytes(), &bytes].concat().as_slice(), &mut Vec::new());
        }
    }
}
