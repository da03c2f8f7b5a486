//! Calls of an MLflow server: JSON over HTTP, to the address that the experiment names and no other, in bounded time.

use std::time::{Duration, Instant};

use serde_json::Value;
use ureq::Agent;
use ureq::Body;
use ureq::http::Response;

/// Most that the calls of one stage (the beginning, an epoch, the end) take together.
pub const PATIENCE: Duration = Duration::from_secs(3);
/// Largest answer, in bytes: ours are small.
const LARGEST_ANSWER: u64 = 1 << 20;

/// A server.
pub struct Server {
    uri: String,
    agent: Agent,
    /// When the calls of this stage must be done.
    deadline: Instant,
}

impl Server {
    /// The server at an address.
    pub fn new(uri: &str) -> Server {
        // An answer that leads elsewhere is not followed: only this server is meant.
        let mut config = Agent::config_builder().max_redirects(0).http_status_as_error(false);
        if ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|here| uri.starts_with(here)) {
            config = config.proxy(None);
        }
        let uri = uri.trim_end_matches('/').to_string();
        Server { uri, agent: config.build().new_agent(), deadline: Instant::now() }
    }

    /// From now on calls have [`PATIENCE`] together.
    pub fn begin_stage(&mut self) {
        self.deadline = Instant::now() + PATIENCE;
    }

    /// Asks; nothing where the server knows no such thing.
    pub fn get(&self, call: &str, query: &[(&str, &str)]) -> Result<Option<Value>, String> {
        let request = self.agent.get(self.address(call)).query_pairs(query.iter().copied());
        let request = request.config().timeout_global(Some(self.left()?)).build();
        let answer = request.call().map_err(|e| self.failed(e))?;
        if answer.status() == 404 {
            return Ok(None);
        }
        self.read(answer).map(Some)
    }

    /// Tells.
    pub fn post(&self, call: &str, body: &Value) -> Result<Value, String> {
        let request = self.agent.post(self.address(call)).content_type("application/json");
        let request = request.config().timeout_global(Some(self.left()?)).build();
        self.read(request.send(body.to_string()).map_err(|e| self.failed(e))?)
    }

    fn address(&self, call: &str) -> String {
        format!("{}/api/2.0/mlflow/{call}", self.uri)
    }

    fn left(&self) -> Result<Duration, String> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.failed("it is too slow")) } else { Ok(left) }
    }

    fn read(&self, mut answer: Response<Body>) -> Result<Value, String> {
        let status = answer.status();
        let text =
            answer.body_mut().with_config().limit(LARGEST_ANSWER).read_to_string().map_err(|e| self.failed(e))?;
        let read: Option<Value> = serde_json::from_str(&text).ok();
        if status.is_success() {
            return read.ok_or_else(|| self.failed("what it answers is no JSON: is it an MLflow server?"));
        }
        let why = read.as_ref().and_then(|answer| answer["message"].as_str()).unwrap_or_default();
        let why: String = why.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
        Err(self.failed(format!("it answers {} {why}", status.as_u16()).trim_end()))
    }

    fn failed(&self, why: impl std::fmt::Display) -> String {
        format!("the MLflow server {} cannot be told of the run: {why}", self.uri)
    }
}
