//! Runs the programs in `examples/` and compares what they print with their first lines.

use std::path::Path;
use std::process::Command;

#[test]
fn the_program_with_tonic_prints_what_its_first_lines_show() {
    let source = include_str!("../examples/grpc.rs");
    let header = source.lines().map_while(|line| line.strip_prefix("//!")).map(str::trim_start);
    let block = header.skip_while(|line| !line.starts_with("$ cargo")).skip(1);
    let shown: Vec<&str> = block.take_while(|line| !line.starts_with("```")).collect();

    // This test is target/PROFILE/deps/examples-HASH, and `cargo test` builds the programs first.
    let test = std::env::current_exe().expect("the path of this test");
    let profile = test.ancestors().nth(2).expect("a test stands in target/PROFILE/deps");
    let output = Command::new(profile.join(Path::new("examples/grpc"))).output();
    let output = output.expect("`cargo build --examples` builds the program");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed.lines().collect::<Vec<_>>(), shown);
}
