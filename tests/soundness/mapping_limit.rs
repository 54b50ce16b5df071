//! Tests the limit of memory mappings: the fibers beyond it get an error, and the others are not
//! harmed.

use fibra::{JoinError, spawn, yield_now};

use crate::support::{DONE_LINE, in_child, name_of, stderr};

fn limit() -> usize {
    let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    text.trim().parse().unwrap()
}

#[test]
fn fibers_beyond_the_limit_end_with_an_error_that_names_it_and_harm_no_other() {
    let test = name_of!(fibers_beyond_the_limit_end_with_an_error_that_names_it_and_harm_no_other);
    if 1_000_000 < limit() {
        // The creation of this number of stacks would take too long.
        return;
    }
    let output = in_child(test, &[("FIBRA_STACK_GUARDS", "mprotect")], || {
        fibra::run(|| {
            // Each stack takes two mappings.
            let wanted = limit() / 2 + 10;
            let closures = std::rc::Rc::new(());
            let fibers: Vec<_> = (0..wanted)
                .map(|i| {
                    let owned = closures.clone();
                    let builder = fibra::Builder::new().stack_size(0);
                    builder.spawn(move || {
                        fibra::park();
                        drop(owned);
                        i
                    })
                })
                .collect();
            (0..3).for_each(|_| yield_now());
            let failed = fibers.iter().filter(|fiber| fiber.is_finished()).count();
            assert!((10..wanted / 2).contains(&failed), "{failed} of {wanted} failed");
            // The closures of the failed fibers were dropped.
            assert_eq!(std::rc::Rc::strong_count(&closures), 1 + wanted - failed);

            for (i, fiber) in fibers.into_iter().enumerate() {
                fiber.fiber().unpark();
                match fiber.join() {
                    Ok(index) => assert_eq!(index, i),
                    Err(JoinError::NoStack(error)) => {
                        let text = error.to_string();
                        assert!(text.contains("vm.max_map_count"), "{text}");
                        assert!(text.contains(&limit().to_string()), "{text}");
                    }
                    Err(other) => panic!("{other}"),
                }
            }
            assert_eq!(std::rc::Rc::strong_count(&closures), 1);
            // Stacks are free again.
            for i in 0..100 {
                assert_eq!(spawn(move || i).join().unwrap(), i);
            }
            assert_eq!(fibra::stats().fibers, 1);
        });
    });
    let text = stderr(&output);
    assert!(output.status.success() && text.ends_with(DONE_LINE), "{text}");
}
