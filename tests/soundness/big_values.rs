//! Tests closures and outputs of all sizes, on stacks of the default and of the smallest size.

use fibra::{spawn, yield_now};

/// Carries `N` bytes by value into a fiber, across a wait, and out again.
fn carry<const N: usize>() {
    for size in [None, Some(0)] {
        let mut bytes = [0_u8; N];
        bytes.iter_mut().zip((0..=255).cycle()).for_each(|(byte, i)| *byte = i);
        let mut builder = fibra::Builder::new();
        if let Some(size) = size {
            builder = builder.stack_size(size);
        }
        let child = builder.spawn(move || {
            yield_now();
            bytes
        });
        let bytes = child.join().unwrap();
        assert!(bytes.iter().zip((0..=255).cycle()).all(|(byte, i)| *byte == i), "{N} bytes");
    }
}

#[test]
fn closures_and_outputs_up_to_a_hundred_kilobytes_need_no_stack_size() {
    fibra::run(|| {
        carry::<0>();
        carry::<1>();
        carry::<1_023>();
        carry::<1_024>();
        carry::<1_025>();
        carry::<2_049>();
        carry::<4_096>();
        carry::<10_000>();
        carry::<100_000>();
    });
}

#[test]
fn a_closure_of_a_megabyte_needs_no_stack_size() {
    fibra::run(|| {
        let bytes = [7_u8; 1 << 20];
        let child = spawn(move || {
            yield_now();
            bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>()
        });
        assert_eq!(child.join().unwrap(), 7 << 20);
    });
}

/// In a debug build the joiner's frames hold about ten copies of the output, and main has 8 MiB.
#[test]
fn an_output_of_half_a_megabyte_needs_no_stack_size() {
    fibra::run(|| {
        let child = spawn(|| {
            yield_now();
            [7_u8; 1 << 19]
        });
        assert!(child.join().is_ok_and(|bytes| bytes.iter().all(|&byte| byte == 7)));
    });
}

#[test]
fn large_values_go_through_channels() {
    fibra::run(|| {
        let channel = fibra::channel::Channel::new();
        let receiver = channel.clone();
        let sum = fibra::Builder::new().stack_size(2 << 20).spawn(move || {
            let bytes: [u8; 50_000] = receiver.recv().unwrap();
            bytes.iter().map(|&byte| u64::from(byte)).sum::<u64>()
        });
        channel.send([3; 50_000]).unwrap();
        assert_eq!(sum.join().unwrap(), 150_000);
    });
}

#[test]
fn values_with_a_large_alignment_keep_it() {
    #[repr(align(4096))]
    struct Page([u8; 10]);
    fibra::run(|| {
        let page = Page([5; 10]);
        let child = spawn(move || {
            assert_eq!((&raw const page).addr() % 4096, 0);
            yield_now();
            page
        });
        let page = child.join().unwrap();
        assert_eq!((&raw const page).addr() % 4096, 0);
        assert_eq!(page.0, [5; 10]);
    });
}
