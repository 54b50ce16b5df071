//! Static files: what is served, what is not, ranges, conditions, and memory.

use std::fs;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use fibra::http::{Files, Http};
use fibra::net::TcpStream;

use crate::server::{CLOSE, connection, exchange, head, read_until, serve, status};

/// A directory that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("fibra-files-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(path.join("sub")).unwrap();
        for (name, text) in [
            ("digits.txt", "0123456789"),
            ("index.html", "<the index>"),
            ("sub/index.html", "<below>"),
            (".secret", "hidden"),
            ("a b%.bin", "odd"),
            ("empty", ""),
        ] {
            fs::write(path.join(name), text).unwrap();
        }
        Folder(path)
    }

    fn serve(&self, change: impl Fn(Files) -> Files) -> SocketAddr {
        let files = change(Files::new(&self.0));
        serve(Http::new(), move |request| files.respond(&request))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn get(address: SocketAddr, path: &str, headers: &str) -> String {
    exchange(address, head(path, &format!("{headers}{CLOSE}")))
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let line = answer.lines().find_map(|line| line.strip_prefix(name))?;
    line.strip_prefix(": ")
}

#[test]
fn a_file_is_served_with_its_type_and_length() {
    fibra::run(|| {
        let folder = Folder::new("whole");
        let address = folder.serve(|files| files);
        let answer = get(address, "/digits.txt", "");
        assert_eq!(status(&answer), 200);
        assert!(answer.ends_with("\r\n\r\n0123456789"));
        assert_eq!(header(&answer, "content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!(header(&answer, "content-length"), Some("10"));
        assert_eq!(header(&answer, "accept-ranges"), Some("bytes"));
        assert_eq!(header(&answer, "x-content-type-options"), Some("nosniff"));
        assert!(get(address, "/", "").ends_with("<the index>"));
        assert!(get(address, "/sub/", "").ends_with("<below>"));
        assert!(get(address, "/a%20b%25.bin", "").ends_with("odd"));
        assert!(get(address, "/empty?query=1", "").ends_with("\r\n\r\n"));
    });
}

#[test]
fn what_is_not_below_the_directory_or_is_hidden_is_not_found() {
    fibra::run(|| {
        let folder = Folder::new("refused");
        let inside = folder.0.join("sub");
        symlink("/etc", inside.join("etc")).unwrap();
        symlink("../digits.txt", inside.join("link.txt")).unwrap();
        let named_pipe = std::process::Command::new("mkfifo").arg(inside.join("pipe")).status();
        assert!(named_pipe.unwrap().success());
        let files = Files::new(&inside);
        let address = serve(Http::new(), move |request| files.respond(&request));
        for path in [
            "/../digits.txt",
            "/%2e%2e/digits.txt",
            "/..%2fdigits.txt",
            "/x/../../digits.txt",
            "//etc/passwd",
            "/etc/passwd",
            "/link.txt",
            "/pipe",
            "/none",
            "/index.html/",
            "/index.html/more",
            "/%00",
            "/%",
            &format!("/{}", "x".repeat(300)),
        ] {
            assert_eq!(status(&get(address, path, "")), 404, "{path}");
        }
        let files = Files::new(&inside).follow_links();
        let address = serve(Http::new(), move |request| files.respond(&request));
        assert!(get(address, "/link.txt", "").ends_with("0123456789"));
        assert_eq!(status(&get(address, "/etc/passwd", "")), 200);

        assert_eq!(status(&get(folder.serve(|files| files), "/.secret", "")), 404);
        assert!(get(folder.serve(Files::hidden), "/.secret", "").ends_with("hidden"));
        assert_eq!(status(&get(folder.serve(|files| files.index(None)), "/", "")), 404);
    });
}

#[test]
fn a_directory_is_redirected_to_its_path_with_a_slash() {
    fibra::run(|| {
        let folder = Folder::new("redirected");
        let answer = get(folder.serve(|files| files), "/sub", "");
        assert_eq!(status(&answer), 308);
        assert_eq!(header(&answer, "location"), Some("/sub/"));
    });
}

#[test]
fn a_range_is_a_part_of_the_file() {
    fibra::run(|| {
        let folder = Folder::new("ranges");
        let address = folder.serve(|files| files);
        for (range, expected, body, sent) in [
            ("bytes=2-4", 206, "234", Some("bytes 2-4/10")),
            ("bytes=7-", 206, "789", Some("bytes 7-9/10")),
            ("bytes=-2", 206, "89", Some("bytes 8-9/10")),
            ("bytes=5-99", 206, "56789", Some("bytes 5-9/10")),
            ("bytes=10-", 416, "", Some("bytes */10")),
            ("bytes=0-1,4-5", 200, "0123456789", None),
            ("bytes=x", 200, "0123456789", None),
        ] {
            let answer = get(address, "/digits.txt", &format!("range: {range}\r\n"));
            assert_eq!(status(&answer), expected, "{range}");
            assert_eq!(answer.split_once("\r\n\r\n").unwrap().1, body, "{range}");
            assert_eq!(header(&answer, "content-range"), sent, "{range}");
        }
    });
}

#[test]
fn a_client_that_has_the_file_gets_status_304() {
    fibra::run(|| {
        let folder = Folder::new("conditions");
        let address = folder.serve(|files| files);
        let answer = get(address, "/digits.txt", "");
        let tag = header(&answer, "etag").unwrap();
        let date = header(&answer, "last-modified").unwrap();
        let old = "Thu, 01 Jan 1970 00:00:10 GMT";
        let range = "range: bytes=0-0\r\n";
        for (headers, expected) in [
            (format!("if-none-match: {tag}\r\n"), 304),
            (format!("if-none-match: \"other\", W/{tag}\r\n"), 304),
            ("if-none-match: *\r\n".into(), 304),
            ("if-none-match: \"other\"\r\n".into(), 200),
            (format!("if-modified-since: {date}\r\n"), 304),
            (format!("if-modified-since: {old}\r\n"), 200),
            ("if-modified-since: nonsense\r\n".into(), 200),
            // The tag takes precedence.
            (format!("if-none-match: \"other\"\r\nif-modified-since: {date}\r\n"), 200),
            (format!("{range}if-range: {tag}\r\n"), 206),
            (format!("{range}if-range: {date}\r\n"), 206),
            (format!("{range}if-range: \"other\"\r\n"), 200),
            (format!("{range}if-range: {old}\r\n"), 200),
            (format!("{range}if-range: W/{tag}\r\n"), 200),
        ] {
            let answer = get(address, "/digits.txt", &headers);
            assert_eq!(status(&answer), expected, "{headers}");
            assert_eq!(header(&answer, "etag"), Some(tag));
            assert!(expected != 304 || answer.ends_with("\r\n\r\n"));
        }
    });
}

#[test]
fn head_gets_the_headers_of_get_and_other_methods_are_refused() {
    fibra::run(|| {
        let folder = Folder::new("methods");
        let address = folder.serve(|files| files);
        let ask = |method| {
            exchange(address, format!("{method} /digits.txt HTTP/1.1\r\nhost: x\r\n{CLOSE}\r\n"))
        };
        let answer = ask("HEAD");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert_eq!(header(&answer, "content-length"), Some("10"));
        let answer = ask("POST");
        assert_eq!((status(&answer), header(&answer, "allow")), (405, Some("GET, HEAD")));
    });
}

#[test]
fn a_large_file_is_read_no_faster_than_it_is_taken_and_from_any_offset() {
    const LENGTH: usize = 5_000_000;
    fibra::run(|| {
        let folder = Folder::new("large");
        let content: Vec<u8> = (0..LENGTH).map(|n| (n / 7 % 251) as u8).collect();
        fs::write(folder.0.join("large"), &content).unwrap();
        let address = folder.serve(|files| files);
        for (range, part) in
            [("", &content[..]), ("range: bytes=1000001-\r\n", &content[1_000_001..])]
        {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(head("/large", &format!("{range}{CLOSE}")).as_bytes()).unwrap();
            read_until(&mut stream, "\r\n\r\n");
            let mut got = Vec::new();
            stream.read_to_end(&mut got).unwrap();
            assert!(got == part);
        }
    });
}

#[test]
fn a_file_that_becomes_shorter_while_it_is_sent_is_broken_off() {
    fibra::run(|| {
        let folder = Folder::new("shorter");
        let path = folder.0.join("large");
        fs::write(&path, vec![b'x'; 50_000_000]).unwrap();
        let files = Files::new(&folder.0);
        let (mut stream, serves) = connection(Http::new(), move |request| files.respond(&request));
        stream.write_all(head("/large", "").as_bytes()).unwrap();
        read_until(&mut stream, "\r\n\r\n");
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1000).unwrap();
        let mut rest = Vec::new();
        drop(stream.read_to_end(&mut rest));
        assert!(rest.len() < 50_000_000);
        assert!(serves.join().unwrap().is_err());
    });
}
