//! The output that the README shows is what its first program prints.

use std::cell::RefCell;
use std::fs;
use std::rc::Rc;

use fibra::channel::Channel;

/// The first `text` block of the README.
fn shown() -> String {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let (_, rest) = readme.split_once("```text\n").expect("the README shows an output");
    rest.split_once("```").expect("the block ends").0.to_owned()
}

#[test]
fn the_first_program_prints_what_the_readme_shows() {
    let printed = Rc::new(RefCell::new(String::new()));
    let print = {
        let printed = printed.clone();
        move |line: String| *printed.borrow_mut() += &(line + "\n")
    };
    fibra::run(|| {
        let kicks = Channel::new();
        let sack = kicks.clone();
        let prints = print.clone();
        let player = fibra::spawn(move || {
            for kick in sack.iter() {
                prints(format!("caught {kick}"));
            }
            prints("went home".to_owned());
        });
        for kick in ["a low one", "a high one"] {
            print(format!("kicking {kick}"));
            kicks.send(kick).unwrap();
        }
        kicks.close();
        player.join().unwrap();
    });
    assert_eq!(*printed.borrow(), shown());
}
