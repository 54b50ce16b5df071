//! Tests what must not compile: handles that leave their thread, borrows that leave their scope.

#[test]
fn misuse_of_threads_and_borrows_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/types/compile_fail/*.rs");
}
