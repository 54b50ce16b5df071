//! Tests dumps as JSON, and dumps without what is not for all eyes.

use std::collections::BTreeMap;

use fibra::{spawn, yield_now};

/// A value of JSON, read by a reader of this file.
#[derive(Debug, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

impl Value {
    fn read(text: &str) -> Value {
        let mut chars = text.chars().peekable();
        let value = read(&mut chars);
        assert_eq!(chars.next(), None, "nothing follows the value");
        value
    }

    fn get(&self, name: &str) -> &Value {
        match self {
            Value::Object(fields) => &fields[name],
            other => panic!("{other:?} has no field {name}"),
        }
    }

    fn list(&self) -> &[Value] {
        match self {
            Value::List(items) => items,
            other => panic!("{other:?} is not a list"),
        }
    }

    fn text(&self) -> &str {
        match self {
            Value::Text(text) => text,
            other => panic!("{other:?} is not a text"),
        }
    }
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

fn read(chars: &mut Chars<'_>) -> Value {
    match *chars.peek().expect("a value") {
        '{' => Value::Object(
            items(chars, '}', |chars| {
                let name = string(chars);
                assert_eq!(chars.next(), Some(':'));
                (name, read(chars))
            })
            .into_iter()
            .collect(),
        ),
        '[' => Value::List(items(chars, ']', read)),
        '"' => Value::Text(string(chars)),
        _ => {
            let mut word = String::new();
            while let Some(char) = chars.next_if(|char| char.is_alphanumeric()) {
                word.push(char);
            }
            match word.as_str() {
                "null" => Value::Null,
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                number => Value::Number(number.parse().expect("a number")),
            }
        }
    }
}

fn items<T>(chars: &mut Chars<'_>, end: char, item: impl Fn(&mut Chars<'_>) -> T) -> Vec<T> {
    chars.next();
    let mut items = Vec::new();
    if chars.next_if_eq(&end).is_some() {
        return items;
    }
    loop {
        items.push(item(chars));
        match chars.next() {
            Some(',') => {}
            Some(char) if char == end => return items,
            other => panic!("{other:?} is no comma"),
        }
    }
}

fn string(chars: &mut Chars<'_>) -> String {
    assert_eq!(chars.next(), Some('"'));
    let mut text = String::new();
    loop {
        match chars.next().expect("the string ends") {
            '"' => return text,
            '\\' => text.push(match chars.next().unwrap() {
                'n' => '\n',
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).unwrap()).unwrap()
                }
                other => other,
            }),
            char => {
                assert!(!char.is_control(), "control characters are escaped");
                text.push(char);
            }
        }
    }
}

#[test]
fn each_fiber_is_an_object_with_all_fields() {
    fibra::run(|| {
        let name = "a \"quoted\" \\ name\nof two lines\u{7}";
        let sleeper = fibra::Builder::new()
            .name(name)
            .spawn(|| fibra::sleep(std::time::Duration::from_secs(60)));
        let joiner = spawn(move || sleeper.join().is_ok());
        let (_sender, receiver) = fibra::channel::bounded::<u32>(1);
        let _receiver = spawn(move || receiver.recv().is_ok());
        yield_now();
        yield_now();
        let dump = Value::read(&fibra::dump().to_json());
        assert_eq!(dump.get("left_out"), &Value::Number(0));
        let fibers = dump.get("fibers").list();
        assert_eq!(fibers.len(), 4);
        let Value::Object(fields) = &fibers[0] else { panic!("an object") };
        let names: Vec<_> = fields.keys().map(String::as_str).collect();
        let expected = [
            "ends_in_us",
            "has_waited",
            "held_by",
            "id",
            "kill_pending",
            "location",
            "name",
            "parent",
            "spawned_at",
            "stack_size",
            "stack_used",
            "state",
            "wait",
            "waiting_us",
            "waits_for",
        ];
        assert!(expected.iter().all(|name| names.contains(name)), "{names:?}");
        assert_eq!(
            (fibers[0].get("state").text(), fibers[0].get("wait")),
            ("running", &Value::Null)
        );
        assert_eq!(fibers[0].get("parent"), &Value::Null);
        let [_, sleeper, joins, receives] = fibers else { panic!("4 fibers") };
        assert_eq!((sleeper.get("name").text(), sleeper.get("wait").text()), (name, "asleep"));
        assert!(matches!(sleeper.get("ends_in_us"), Value::Number(1..)), "{sleeper:?}");
        assert_eq!(sleeper.get("parent"), fibers[0].get("id"));
        assert_eq!(sleeper.get("spawned_at").get("file").text(), file!());
        let target = &joins.get("waits_for").list()[0];
        assert_eq!((target.get("kind").text(), target.get("id")), ("fiber", sleeper.get("id")));
        let target = &receives.get("waits_for").list()[0];
        assert_eq!(target.get("kind").text(), "channel");
        assert_eq!(target.get("made_at").get("file").text(), file!());
        joiner.kill();
    });
}

#[test]
fn a_runtime_is_an_object_with_its_schedulers() {
    let runtime = fibra::Runtime::builder().threads(2).build().unwrap();
    runtime.run(|| {
        let dump = Value::read(&fibra::Handle::current().dump().to_json());
        assert_eq!(dump.get("queued_jobs"), &Value::Number(0));
        let schedulers = dump.get("schedulers").list();
        assert_eq!(schedulers.len(), 2);
        for (i, scheduler) in schedulers.iter().enumerate() {
            assert_eq!(scheduler.get("index"), &Value::Number(i as u64));
            assert!(["awake", "asleep"].contains(&scheduler.get("state").text()));
            assert_eq!(scheduler.get("busy_us"), &Value::Null);
            assert_eq!(scheduler.get("fibers").get("fibers").list().len(), 1);
        }
    });
}

#[test]
fn a_redacted_dump_has_no_names_and_no_addresses() {
    fibra::run(|| {
        let secret = || fibra::Builder::new().name("Ada's secret");
        let lock = std::rc::Rc::new(fibra::sync::Mutex::new(()));
        let held = lock.clone();
        let holder = secret().spawn(move || {
            let _guard = held.lock();
            fibra::park();
        });
        yield_now();
        let _waits = secret().spawn(move || drop(lock.lock()));
        let id = holder.fiber().id();
        let joins = secret().spawn(move || holder.join().is_ok());
        yield_now();
        let dump = fibra::dump();
        assert!(dump.to_string().contains("held by fiber 'Ada's secret' (#2)"), "{dump}");
        let redacted = dump.clone().redacted();
        let (text, json) = (redacted.to_string(), redacted.to_json());
        assert!(!text.contains("Ada") && !json.contains("Ada"), "{text}\n{json}");
        assert!(text.contains("held by fiber (#2)"), "{text}");
        assert_eq!(redacted.fibers.len(), dump.fibers.len());
        assert_eq!(redacted.fibers[1].id, id);
        joins.kill();
    });
}

#[cfg(feature = "net")]
#[test]
fn a_redacted_dump_has_no_peers() {
    use std::io::Read;

    fibra::run(|| {
        let listener = fibra::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = fibra::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _reader = spawn(move || client.read(&mut [0]).is_ok());
        yield_now();
        let dump = fibra::dump();
        assert!(dump.to_json().contains("127.0.0.1"), "{dump}");
        assert!(!dump.redacted().to_json().contains("127.0.0.1"));
    });
}
