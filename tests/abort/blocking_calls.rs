//! Kills each blocking call twice. The table is in `calls.rs`.

use crate::support::abort::run_aborting_with;

const PROGRAM: &str = include_str!("program.rs");
const CALLS: &str = include_str!("calls.rs");
const DEPENDENCIES: &str = r#"
rustix = { version = "1", features = ["net", "stdio"] }
rustls = { version = "0.23.30", default-features = false, features = ["std", "tls12", "ring"] }
"#;

#[test]
fn each_blocking_call_that_returns_an_error_ends_when_its_fiber_is_killed_twice() {
    let features = ["http", "tls"];
    let program = format!("{PROGRAM}\nmod calls {{\n{CALLS}\n}}\n");
    let output = run_aborting_with("abort-calls", &program, &features, DEPENDENCIES, &[]);
    let text = crate::support::stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("> ")).collect();
    let wrong: Vec<_> = lines.iter().filter(|line| line.contains("WRONG")).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}\n{text}", wrong.len(), lines.len());
    assert!(lines.len() > 100, "{text}");
    assert_eq!(lines.last(), Some(&"the end"), "{text}");
}
