//! Finds the public types of the crate in its sources: the types that `lib.rs` and its public
//! modules define and export.
//!
//! It parses as much Rust as the crate uses, and panics at unknown syntax rather than leave a type
//! out.

use crate::reading::{code_of, is_word, tree_of};

/// A struct, an enum or a union that users can name.
#[derive(Debug, PartialEq)]
pub(crate) struct PublicType {
    /// The path without the name of the crate: "channel::Channel".
    pub(crate) path: String,
    /// The lifetimes and types, without bounds and defaults: ["'a", "T"].
    pub(crate) parameters: Vec<String>,
}

/// Returns the public types of this crate, sorted by their paths.
pub(crate) fn public_types() -> Vec<PublicType> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src/");
    types_of(&|path| std::fs::read_to_string(format!("{root}{path}")).ok())
}

type Read<'a> = &'a dyn Fn(&str) -> Option<String>;

/// A module by its path from the root: none for `lib.rs`.
type Path = Vec<String>;

fn types_of(read: Read<'_>) -> Vec<PublicType> {
    let mut types = Vec::new();
    collect(read, &Path::new(), &mut types);
    types.sort_by(|one, other| one.path.cmp(&other.path));
    types
}

fn collect(read: Read<'_>, module: &Path, types: &mut Vec<PublicType>) {
    let code = code_of_module(read, module);
    for item in items(&code) {
        let inside = |name: &str| [module.clone(), vec![name.into()]].concat();
        match item {
            Item::Module { public: true, name } => collect(read, &inside(&name), types),
            Item::Type { public: true, name, parameters } => {
                types.push(PublicType { path: inside(&name).join("::"), parameters });
            }
            Item::Export(path) => {
                let name = path.rsplit("::").next().expect("a path has an end").to_string();
                if let Some(Found::Type(parameters)) = resolve(read, module, &path) {
                    types.push(PublicType { path: inside(&name).join("::"), parameters });
                }
            }
            _ => {}
        }
    }
}

fn code_of_module(read: Read<'_>, module: &Path) -> String {
    let text = match module.join("/") {
        path if path.is_empty() => read("lib.rs"),
        path => read(&format!("{path}.rs")).or_else(|| read(&format!("{path}/mod.rs"))),
    };
    code_of(&text.unwrap_or_else(|| panic!("no file for the module {module:?}")))
}

enum Found {
    Type(Vec<String>),
    /// A trait, a function, an alias or another item without parameters of its own.
    Other,
}

/// Looks up `path` in `module`. Returns `None` for items that other crates define.
fn resolve(read: Read<'_>, module: &Path, path: &str) -> Option<Found> {
    let mut segments: Vec<&str> = path.split("::").collect();
    let name = segments.pop().expect("a path has an end");
    if segments.is_empty() {
        return None;
    }
    let mut at = module.clone();
    for (i, segment) in segments.into_iter().enumerate() {
        match segment {
            "std" | "core" | "" if i == 0 => return None,
            "crate" => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            child => at.push(child.into()),
        }
    }
    let code = code_of_module(read, &at);
    for item in items(&code) {
        match item {
            Item::Type { name: found, parameters, .. } if found == name => {
                return Some(Found::Type(parameters));
            }
            Item::Other(found) if found == name => return Some(Found::Other),
            Item::Module { name: found, .. } if found == name => return Some(Found::Other),
            Item::Export(inner) if inner.rsplit("::").next() == Some(name) => {
                return resolve(read, &at, &inner);
            }
            _ => {}
        }
    }
    // A macro in the file defines the item.
    let by_macro = code.contains("pub struct $") || code.contains("pub fn $");
    assert!(by_macro, "cannot find {path:?}, which {module:?} exports");
    let is_type = name.starts_with(char::is_uppercase);
    Some(if is_type { Found::Type(Vec::new()) } else { Found::Other })
}

#[derive(Debug, PartialEq)]
enum Item {
    Module { public: bool, name: String },
    Type { public: bool, name: String, parameters: Vec<String> },
    Export(String),
    Other(String),
}

/// Returns the items of a module, without the text in braces.
fn items(code: &str) -> Vec<Item> {
    let mut items = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(c) = code[at..].chars().next() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ if depth == 0 && is_word(c) && !code[..at].ends_with(is_word) => {
                let (item, skipped) = item_at(&code[at..]);
                items.extend(item);
                at += skipped;
                continue;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    items
}

/// Returns the items at the start of `rest` and their length; without items, that of the word.
fn item_at(rest: &str) -> (Vec<Item>, usize) {
    let unprefixed = rest.strip_prefix("pub ").unwrap_or(rest);
    let public = unprefixed.len() != rest.len();
    let (keyword, after) = word(unprefixed);
    let (name, end) = word(after);
    let item = match keyword {
        // A page of the documentation, which contains no items.
        "mod" if end.trim_start().starts_with("{}") => Item::Other(name.into()),
        "mod" => {
            assert!(
                !public || end.starts_with(';'),
                "a public module in its parent's file: {name}"
            );
            Item::Module { public, name: name.into() }
        }
        "struct" | "enum" | "union" => {
            Item::Type { public, name: name.into(), parameters: parameters(end) }
        }
        "trait" | "fn" | "type" | "const" | "static" => Item::Other(name.into()),
        "use" if public => {
            let tree = &after[..after.find(';').expect("a `use` ends")];
            assert!(!tree.contains(" as ") && !tree.contains('*'), "an export by: {tree}");
            let paths = tree_of(&mut tree.chars().peekable());
            return (paths.into_iter().map(Item::Export).collect(), rest.len() - after.len());
        }
        _ => return (Vec::new(), word(rest).0.len()),
    };
    (vec![item], rest.len() - end.len())
}

/// Returns the word at the start of `text`, and the rest after it and its spaces.
fn word(text: &str) -> (&str, &str) {
    let len = text.find(|c| !is_word(c)).unwrap_or(text.len());
    (&text[..len], text[len..].trim_start())
}

/// Returns the names of the parameters in the angle brackets at the start of `rest`.
fn parameters(rest: &str) -> Vec<String> {
    let Some(inside) = rest.strip_prefix('<') else { return Vec::new() };
    let mut parameters = vec![String::new()];
    let (mut depth, mut before) = (0, ' ');
    for c in inside.chars() {
        match c {
            '<' | '(' | '[' => depth += 1,
            '>' if before == '-' => {}
            '>' if depth == 0 => break,
            '>' | ')' | ']' => depth -= 1,
            ',' if depth == 0 => parameters.push(String::new()),
            _ => {}
        }
        parameters.last_mut().expect("never empty").push(c);
        before = c;
    }
    let name = |text: String| {
        let end = text.find([':', '=']).unwrap_or(text.len());
        text[..end].trim_start_matches(',').trim().to_string()
    };
    parameters.into_iter().map(name).filter(|name| !name.is_empty()).collect()
}

// ---- The reader reads ---------------------------------------------------------------------------

#[cfg(test)]
fn read_fake(path: &str) -> Option<String> {
    let text = match path {
        "lib.rs" => {
            "pub mod a; mod b; pub use b::c::{Deep, deep}; pub use b::Made; pub struct Top;
             /* pub struct Not; */ const S: &str = \"pub struct Nor;\"; mod in_braces { pub struct X; }
             pub use std::fmt::Debug; pub use other_crate; pub use b::Trait; pub enum E { V(u8) }"
        }
        "a/mod.rs" => {
            "pub(crate) struct Hidden; struct Own; pub struct Pair<'a, T: Into<Vec<u8>> = fn() -> u8,
             U: ?Sized> where U: Copy { t: &'a T } pub type Alias = u8; pub use self::d::Inner;
             mod d; impl<T> Drop for Own { fn f() { struct Local; } }"
        }
        "a/d.rs" => "pub struct Inner<B = super::Own>(B);",
        "b.rs" => {
            "pub(crate) mod c; pub trait Trait {} macro_rules! m { () => { pub struct $name; } }"
        }
        "b/c.rs" => "pub struct Deep<T>(T); pub fn deep() {}",
        _ => return None,
    };
    Some(text.into())
}

#[test]
fn the_reader_finds_what_is_public_and_nothing_else() {
    let found: Vec<_> = types_of(&read_fake)
        .into_iter()
        .map(|public| format!("{}<{}>", public.path, public.parameters.join(", ")))
        .collect();
    let expected = ["Deep<T>", "E<>", "Made<>", "Top<>", "a::Inner<B>", "a::Pair<'a, T, U>"];
    assert_eq!(found, expected);
}

#[test]
#[should_panic(expected = "cannot find \"b::Gone\"")]
fn an_export_that_leads_nowhere_is_an_error() {
    let read = |path: &str| match path {
        "lib.rs" => Some("mod b; pub use b::Gone;".into()),
        _ => Some(String::new()),
    };
    types_of(&read);
}
