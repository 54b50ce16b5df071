//! Tests what a panic says about the fiber that panicked.

use fibra::{JoinError, spawn};

use crate::support::{in_child, name_of};

#[test]
fn the_error_of_a_join_shows_the_fiber_and_where_it_was_spawned() {
    fibra::run(|| {
        let line = line!() + 1;
        let baker = fibra::Builder::new().name("baker").spawn(|| panic!("no flour"));
        let id = baker.fiber().id();
        let error = baker.join().unwrap_err();
        assert_eq!(error.to_string(), "the fiber panicked: no flour");
        let expected =
            format!("Panicked(\"no flour\", fiber 'baker' (#2), spawned at {}:{line}:", file!());
        assert!(format!("{error:?}").starts_with(&expected), "{error:?}");
        let JoinError::Panicked(panic) = error else { panic!("{error:?}") };
        assert_eq!(panic.spawned_at().unwrap().line(), line);
        assert_eq!(panic.fiber_id(), Some(id));
        assert_eq!(panic.downcast::<&str>().unwrap(), "no flour");
    });
}

#[test]
fn the_error_of_a_job_shows_the_place_where_the_job_was_spawned() {
    fibra::run(|| {
        let line = line!() + 1;
        let job = fibra::Handle::current().spawn(|| panic!("no flour"));
        let Err(JoinError::Panicked(panic)) = job.join() else { panic!("it has panicked") };
        assert_eq!(panic.spawned_at().map(|at| (at.file(), at.line())), Some((file!(), line)));
    });
}

#[test]
fn panics_with_the_same_text_are_equal_wherever_their_fibers_were_spawned() {
    fibra::run(|| {
        let [a, b] = [spawn(|| panic!("no")).join(), spawn(|| panic!("no")).join()]
            .map(|outcome: Result<(), _>| outcome.unwrap_err());
        assert_eq!(a, b);
    });
}

#[test]
fn the_hook_names_the_fiber_above_the_message_of_std() {
    let output = in_child(name_of!(the_hook_names_the_fiber_above_the_message_of_std), &[], || {
        fibra::install_panic_hook();
        fibra::install_panic_hook();
        fibra::run(|| {
            let baker = fibra::Builder::new().name("baker").spawn(|| panic!("no flour"));
            let _ = baker.join();
        });
    });
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let lines: Vec<_> = text.lines().collect();
    let at =
        lines.iter().position(|line| line.starts_with("fibra: fiber 'baker' (#2), spawned at "));
    let at = at.unwrap_or_else(|| panic!("{text}"));
    assert!(lines[at].ends_with(", panics:") && lines[at].contains(file!()), "{text}");
    let below = lines[at + 1..].iter().find(|line| !line.is_empty()).unwrap();
    assert!(below.contains("panicked at"), "{text}");
    assert_eq!(text.matches(", panics:\n").count(), 1, "{text}");
}

#[test]
fn the_hook_calls_the_one_of_the_program() {
    let output = in_child(name_of!(the_hook_calls_the_one_of_the_program), &[], || {
        std::panic::set_hook(Box::new(|_| eprintln!("the program's own hook")));
        fibra::install_panic_hook();
        fibra::run(|| {
            let _ = spawn(|| panic!("no flour")).join();
        });
    });
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let (line, own) =
        (text.find("fibra: fiber #2, spawned at"), text.find("the program's own hook"));
    assert!(line.is_some() && line < own, "{text}");
}
