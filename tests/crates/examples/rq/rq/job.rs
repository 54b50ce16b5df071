//! A job that is enqueued, and the call that a worker finds in one.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::text;

/// A job to enqueue: the name of a function, its arguments, and what happens to it.
///
/// ```ignore
/// Job::new("tasks.count_words_at_url").arg("http://example.org/").retry(3, &[1, 5, 25])
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    function: String,
    args: Vec<Value>,
    kwargs: Map<String, Value>,
    id: Option<String>,
    timeout: Option<Duration>,
    result_ttl: Option<Duration>,
    retries: u32,
    intervals: Vec<u64>,
}

/// The function that a job names, and its arguments.
#[derive(Clone, Debug)]
pub struct Call {
    /// The identifier of the job.
    pub id: String,
    /// The name of the function, as in Python: `module.function`.
    pub function: String,
    /// The arguments by position.
    pub args: Vec<Value>,
    /// The arguments by name.
    pub kwargs: Map<String, Value>,
}

impl Job {
    /// Creates a job that calls `function`, such as `tasks.count_words_at_url`.
    pub fn new(function: impl Into<String>) -> Job {
        Job {
            function: function.into(),
            args: Vec::new(),
            kwargs: Map::new(),
            id: None,
            timeout: Some(Duration::from_secs(180)),
            result_ttl: None,
            retries: 0,
            intervals: Vec::new(),
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, value: impl Into<Value>) -> Job {
        self.args.push(value.into());
        self
    }

    /// Adds an argument with a name.
    pub fn kwarg(mut self, name: impl Into<String>, value: impl Into<Value>) -> Job {
        self.kwargs.insert(name.into(), value.into());
        self
    }

    /// Sets the identifier. If there is a job with it, the new job is not enqueued.
    pub fn id(mut self, id: impl Into<String>) -> Job {
        self.id = Some(id.into());
        self
    }

    /// Sets the time within which the function must return, in whole seconds. The default is 180 s,
    /// as in RQ; `None` means no limit.
    pub fn timeout(mut self, limit: impl Into<Option<Duration>>) -> Job {
        self.timeout = limit.into();
        self
    }

    /// Sets how long the result is kept, in whole seconds. By default the worker decides.
    pub fn result_ttl(mut self, time: Duration) -> Job {
        self.result_ttl = Some(time);
        self
    }

    /// Lets the job run up to `times` times more after failures, and waits that many seconds
    /// before each. Like RQ, it uses the first interval if there are too few.
    pub fn retry(mut self, times: u32, intervals: &[u64]) -> Job {
        (self.retries, self.intervals) = (times, intervals.to_vec());
        self
    }

    /// Returns the identifier, and the fields of the job's hash.
    pub(super) fn fields(&self, queue: &str) -> (String, Vec<(&'static str, Vec<u8>)>) {
        let id = self.id.clone().unwrap_or_else(text::unique);
        let data = json!([self.function, null, self.args, self.kwargs]).to_string();
        let seconds = self.timeout.map_or("-1".to_owned(), |limit| limit.as_secs().to_string());
        let mut fields: Vec<(&str, Vec<u8>)> = vec![
            ("created_at", text::now().into()),
            ("data", text::compress(data.as_bytes())),
            ("description", self.description().into()),
            ("origin", queue.into()),
            ("timeout", seconds.into()),
        ];
        if let Some(time) = self.result_ttl {
            fields.push(("result_ttl", time.as_secs().to_string().into()));
        }
        if self.retries > 0 {
            let intervals = if self.intervals.is_empty() { &[0][..] } else { &self.intervals };
            fields.push(("retries_left", self.retries.to_string().into()));
            fields.push(("retry_intervals", json!(intervals).to_string().into()));
        }
        (id, fields)
    }

    /// Returns the call as `rq info` shows it.
    fn description(&self) -> String {
        let mut args: Vec<String> = self.args.iter().map(Value::to_string).collect();
        args.extend(self.kwargs.iter().map(|(name, value)| format!("{name}={value}")));
        format!("{}({})", self.function, args.join(", "))
    }
}

impl Call {
    /// Reads the `data` of the job `id`. The error is a text for the job's failure.
    pub(super) fn read(id: &str, data: &[u8]) -> Result<Call, String> {
        let text =
            text::decompress(data).map_err(|error| format!("the data of the job: {error}"))?;
        let call: Result<(String, Value, Vec<Value>, Map<String, Value>), _> =
            serde_json::from_slice(&text);
        let (function, instance, args, kwargs) = call.map_err(|error| {
            let hint = "enqueue with serializer=\"json\"";
            format!("the data of the job is not a call in JSON, {hint}: {error}")
        })?;
        if !instance.is_null() {
            return Err(format!("`{function}` is a method; only functions can be called"));
        }
        Ok(Call { id: id.to_owned(), function, args, kwargs })
    }

    /// Returns an argument by its position or its name, if it is a string.
    pub fn text(&self, position: usize, name: &str) -> Result<&str, String> {
        let value = self.args.get(position).or_else(|| self.kwargs.get(name));
        value.and_then(Value::as_str).ok_or_else(|| self.lacks(name, "a string"))
    }

    /// Returns an argument by its position or its name, if it is a number.
    pub fn number(&self, position: usize, name: &str) -> Result<f64, String> {
        let value = self.args.get(position).or_else(|| self.kwargs.get(name));
        value.and_then(Value::as_f64).ok_or_else(|| self.lacks(name, "a number"))
    }

    fn lacks(&self, name: &str, kind: &str) -> String {
        format!("{}: the argument `{name}` must be {kind}", self.function)
    }
}
