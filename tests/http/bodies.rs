//! Bodies that end well, are truncated, or fail.

use std::io::{self, Read, Write};

use fibra::http::{BodyReader, body};
use fibra::spawn;

use crate::support::{OnDrop, go, ms, run_virtually};

#[test]
fn a_body_is_not_broken_off_because_another_fiber_unwinds() {
    run_virtually(|| {
        go(|| {
            let _late = OnDrop(|| fibra::sleep(ms(100)));
            std::panic::resume_unwind(Box::new("while another writes"));
        });
        let (mut writer, body) = body();
        let writes = spawn(move || {
            writer.write_all(b"all of it").unwrap();
            fibra::sleep(ms(1));
            assert!(std::thread::panicking(), "the other waits in its destructor");
        });
        let mut text = String::new();
        BodyReader::new(body).read_to_string(&mut text).unwrap();
        assert_eq!(text, "all of it");
        writes.join().unwrap();
    });
}

#[test]
fn a_body_is_broken_off_if_its_own_fiber_unwinds() {
    run_virtually(|| {
        for waits in [false, true] {
            let (mut writer, body) = body();
            go(move || {
                writer.write_all(b"a part").unwrap();
                let _writer = writer;
                // It waits in the middle of its unwind: when it continues, the thread already
                // unwinds.
                let _late = OnDrop(|| {
                    if waits {
                        fibra::sleep(ms(1))
                    }
                });
                std::panic::resume_unwind(Box::new("in the middle"));
            });
            let error = BodyReader::new(body).read_to_end(&mut Vec::new()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the writer of this body was dropped before it had finished"
            );
        }
    });
}

#[test]
fn finish_reports_whether_the_body_was_received() {
    fibra::run(|| {
        let (mut writer, body) = body();
        let reads = spawn(move || io::read_to_string(BodyReader::new(body)));
        writer.write_all(b"all of it").unwrap();
        writer.finish().unwrap();
        assert_eq!(reads.join().unwrap().unwrap(), "all of it");

        let (mut writer, body) = fibra::http::body();
        writer.write_all(b"for no reader").unwrap();
        drop(body);
        assert_eq!(writer.finish().unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    });
}

#[test]
fn a_body_that_has_failed_is_not_at_its_end() {
    fibra::run(|| {
        let (mut writer, body) = body();
        let writes = spawn(move || {
            writer.write_all(b"a part").unwrap();
            writer.flush().unwrap();
            let _writer = writer;
            fibra::park();
        });
        let mut reader = BodyReader::new(body);
        let mut part = [0; 6];
        reader.read_exact(&mut part).unwrap();
        writes.kill();
        let text = "the writer of this body was dropped before it had finished";
        assert_eq!(reader.read(&mut part).unwrap_err().to_string(), text);
        for _ in 0..2 {
            let again = reader.read(&mut part).unwrap_err().to_string();
            assert_eq!(again, format!("this body has failed before: {text}"));
        }
    });
}
