//! Runs `examples/inspect/` against a program with fibers: this test.

use std::path::Path;
use std::process::Command;

use fibra::{Builder, Handle, Runtime};

fn example() -> Command {
    // This test is target/PROFILE/deps/inspect-HASH, and `cargo test` builds the programs first.
    let test = std::env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    Command::new(profile.join(Path::new("examples/inspect")))
}

/// Runs the example with `arguments` while a runtime with fibers has a socket. Returns its output.
fn run(arguments: &[&str]) -> String {
    let socket =
        std::env::temp_dir().join(format!("fibra-view-{}-{}", std::process::id(), arguments.len()));
    let mut command = example();
    command.arg(&socket).args(arguments);
    let runtime = Runtime::builder().threads(2).inspect(&socket).build().unwrap();
    runtime.run(|| {
        Builder::new().name("<reader>").spawn(|| {
            fibra::spawn(fibra::park);
            fibra::park()
        });
        fibra::yield_now();
        let job = Handle::current().spawn_on(1, || fibra::sleep(std::time::Duration::from_secs(9)));
        fibra::sleep(std::time::Duration::from_millis(20));
        let output = fibra::blocking(move || command.output().unwrap());
        job.kill();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    })
}

#[test]
fn one_frame_shows_the_fibers_as_a_tree() {
    let frame = run(&["--once"]);
    let lines: Vec<&str> = frame.lines().collect();
    assert!(lines[0].starts_with("5 fibers: 5 waiting"), "{frame}");
    assert!(lines[1].starts_with("scheduler 0 ") && lines[1].contains(" spawned, "), "{frame}");
    let at = |what: &str| {
        let found = lines.iter().position(|line| line.starts_with(what));
        found.unwrap_or_else(|| panic!("no line begins with {what:?}:\n{frame}"))
    };
    let place = |title: &str| lines.iter().position(|line| line.contains(title)).unwrap();
    assert!(at("fiber ") < place(":1 main"), "{frame}");
    assert_eq!(place(":2 <reader>") + 1, place(":3 "), "{frame}");
    assert!(lines[place(":2 <reader>")].contains("parked at inspect.rs:"), "{frame}");
}

#[test]
fn the_page_needs_no_other_file_and_escapes_names() {
    let file = std::env::temp_dir().join(format!("fibra-view-{}.html", std::process::id()));
    assert_eq!(run(&["--html", file.to_str().unwrap()]), "");
    let page = std::fs::read_to_string(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"));
    assert!(page.contains("<h1>5 fibers</h1>") && page.contains("&lt;reader&gt;"), "{page}");
    for elsewhere in ["http:", "https:", "src=", "href=", "<reader>"] {
        assert!(!page.contains(elsewhere), "{elsewhere}");
    }
}
