//! The README's output must be that of its first program, and the links of the pages at the top of
//! the repository must lead to something that exists.

use std::cell::RefCell;
use std::fs;
use std::path::Path;
use std::rc::Rc;

use fibra::channel::Channel;

/// Returns the first `text` block of the README.
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

/// Returns the links of a page, as (text, target). Links to other sites are left out.
fn links(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let inline = text.split("](").zip(text.split("](").skip(1)).map(|(before, after)| {
        let text = &before[before.rfind('[').expect("a link has a text")..];
        (text[1..].to_owned(), after.split(')').next().unwrap().to_owned())
    });
    let defined = text.lines().filter_map(|line| {
        let (text, target) = line.strip_prefix('[')?.split_once("]: ")?;
        Some((text.to_owned(), target.to_owned()))
    });
    inline.chain(defined).filter(|(_, target)| !target.contains("://")).collect()
}

#[test]
fn every_link_of_the_pages_leads_to_a_file_that_has_its_names() {
    for page in ["README.md", "ARCHITECTURE.md", "SAFETY.md", "CHANGELOG.md"] {
        for (text, target) in links(page) {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&target);
            let Ok(file) = fs::read_to_string(path) else { panic!("{page}: no file {target}") };
            // The odd parts of the text are code; arguments are not names.
            for code in text.split('`').skip(1).step_by(2) {
                let path_of_names = code.split(['(', '!']).next().unwrap();
                let names = path_of_names.split(|c: char| !c.is_alphanumeric() && c != '_');
                for name in names.filter(|name| !matches!(*name, "" | "fibra" | "md")) {
                    let is_there = file.contains(name) || target.contains(name);
                    assert!(is_there, "{page}: `{name}` is not in {target}");
                }
            }
        }
    }
}
