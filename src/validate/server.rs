//! `llama-server` in the sandbox: start, tokens of the long text, requests, end.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{Sent, Socket};
use super::runner::{Ran, Runner};
use super::subject::Subject;
use super::tokens::Completion;
use super::{Device, Told, options, prompt};
use crate::error::Result;
use crate::llama_source::{Options, Role, Wish, socket_ending};

/// Requests that are answered at once.
pub(super) const SLOTS: u64 = 2;
/// Tokens that each request generates.
pub(super) const TOKENS: u64 = 48;
/// llama.cpp's own size of a micro-batch.
const MICRO_BATCH: u64 = 512;
/// Micro-batches in a prompt, and the tokens of one more that is not full.
const MICRO_BATCHES: u64 = 3;
const REST: u64 = 37;
/// Tokens of the greatest answer, to a request with a schema.
const MOST_TOKENS: u64 = 256;
/// Time between two looks at a server that loads its model.
const PAUSE: Duration = Duration::from_millis(50);
const SEED: u64 = 1151;

/// The sizes of prompts and contexts that the model allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sizes {
    pub micro_batch: u64,
    pub prompt: u64,
    /// The context of a slot.
    context: u64,
}

/// A way to run the server.
pub(super) struct Settings {
    pub device: Device,
    /// True for other batches and another number of threads than usual.
    pub other: bool,
}

/// A realized `llama-server`.
pub(super) struct Server<'a> {
    runner: &'a Runner<'a>,
    model: String,
    program: String,
    options: Options,
    pub sizes: Sizes,
}

/// A server that answers.
pub(super) struct Talk {
    socket: Socket,
    tokens: Vec<Value>,
    sizes: Sizes,
}

impl Sizes {
    /// Returns sizes for a model with this context: a prompt of several micro-batches, and room for the answer.
    pub fn of(context: Option<u64>) -> Self {
        let wanted = MICRO_BATCHES * MICRO_BATCH + REST + MOST_TOKENS + TOKENS;
        let context = context.unwrap_or(wanted).min(wanted);
        let room = context.saturating_sub(TOKENS.max(context / 8));
        let micro_batch = MICRO_BATCH.min(room.saturating_sub(REST) / MICRO_BATCHES).max(1);
        Self { micro_batch, prompt: (MICRO_BATCHES * micro_batch + REST.min(micro_batch / 2)).max(1), context }
    }
}

impl<'a> Server<'a> {
    /// Returns the server, or the reason why this build has none that can be asked.
    pub fn new(runner: &'a Runner, subject: &Subject) -> Result<Told<Self>> {
        let Some((name, program)) = subject.program_for(Role::Server) else {
            return Ok(Err(format!("the build has no {}", Role::Server.name())));
        };
        let help = options::help(runner, name, &program)?;
        let options = Options::in_help(&help);
        for wish in [Wish::Model, Wish::Host, Wish::Parallel, Wish::Context] {
            if !options.has(wish) {
                return Ok(Err(format!("{name} has no option {}", wish.spellings())));
            }
        }
        if !help.contains(socket_ending()) {
            return Ok(Err(format!("this {name} does not listen on UNIX sockets")));
        }
        let sizes = Sizes::of(subject.context());
        Ok(Ok(Self { runner, model: subject.model_path(), program, options, sizes }))
    }

    /// Starts the server, has `talk` speak to it, and ends it.
    pub fn run<T>(&self, name: &str, settings: &Settings, talk: impl FnOnce(&Talk) -> T) -> Result<(Told<T>, Ran)> {
        let socket = format!("{name}{}", socket_ending());
        let command = self.command(settings, &Runner::inside(&socket));
        self.runner.serve(name, &command, |directory, lives| {
            let talk_to = self.wait(directory, &socket, lives)?;
            Ok(talk(&talk_to))
        })
    }

    fn command(&self, settings: &Settings, address: &str) -> Vec<String> {
        let Sizes { micro_batch, context, .. } = self.sizes;
        let micro_batch = if settings.other { (micro_batch / 8).max(1) } else { micro_batch };
        let number = |number: u64| number.to_string();
        let mut command = vec![self.program.clone()];
        for (wish, value) in [
            (Wish::Model, self.model.clone()),
            (Wish::Host, address.to_owned()),
            (Wish::Parallel, number(SLOTS)),
            (Wish::Context, number(SLOTS * context)),
            (Wish::Batch, number(4 * micro_batch)),
            (Wish::MicroBatch, number(micro_batch)),
        ] {
            command.extend(self.options.words(wish, &value));
        }
        if settings.other {
            command.extend(self.options.words(Wish::Threads, &options::other_threads().to_string()));
        }
        command.extend(options::on(settings.device, &self.options));
        command
    }

    /// Waits until the server answers, and has it divide the long text into tokens.
    fn wait(&self, directory: &Path, socket: &str, lives: &dyn Fn() -> bool) -> Told<Talk> {
        let limit = self.runner.limit();
        let until = Instant::now() + limit;
        let cannot = |error: std::io::Error| format!("its socket cannot be reached: {error}");
        let socket = Socket::new(directory, socket, limit).map_err(cannot)?;
        while socket.send("/health", None).and_then(Sent::answer).map(|answer| answer.status) != Ok(200) {
            if !lives() {
                return Err("it ended before it answered".to_owned());
            }
            if Instant::now() >= until {
                return Err(format!("it did not answer within {} s", limit.as_secs()));
            }
            std::thread::sleep(PAUSE);
        }
        // No usual token has more than 8 bytes on average. The second prompt begins later than the first.
        let text = prompt::text(16 * self.sizes.prompt as usize);
        let answer = socket.ask("/tokenize", &json!({ "content": text, "add_special": true }))?;
        let tokens = answer.get("tokens").and_then(Value::as_array).cloned().unwrap_or_default();
        if (tokens.len() as u64) < self.sizes.prompt * 3 / 2 {
            return Err(format!("it divides {} bytes of text into {} tokens", text.len(), tokens.len()));
        }
        Ok(Talk { socket, tokens, sizes: self.sizes })
    }
}

/// A request for text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    /// The slot that answers.
    pub slot: u64,
    /// The first token of the prompt in the long text.
    pub from: u64,
    /// Tokens at the end of the prompt that come from elsewhere in the text.
    pub other_end: u64,
    /// True to use what the slot has computed for the same beginning.
    pub cached: bool,
    pub temperature: u32,
}

impl Request {
    /// Returns a request for the likeliest continuation of the text, computed anew.
    pub fn plain() -> Self {
        Self { slot: 0, from: 0, other_end: 0, cached: false, temperature: 0 }
    }
}

impl Talk {
    fn body(&self, request: &Request) -> Value {
        // The first token may mark the beginning of a text, which every prompt has.
        let (from, length) = (1 + request.from as usize, self.sizes.prompt as usize);
        let kept = length.saturating_sub(request.other_end as usize);
        let tokens = self.tokens.iter().take(1).chain(self.tokens.iter().skip(from).take(kept.saturating_sub(1)));
        let end = self.tokens.iter().rev().take(length - kept);
        json!({
            "prompt": tokens.chain(end).collect::<Vec<_>>(),
            "n_predict": TOKENS,
            "temperature": request.temperature,
            "seed": SEED,
            "n_probs": 2,
            "ignore_eos": true,
            "id_slot": request.slot,
            "cache_prompt": request.cached,
        })
    }

    /// Returns the answer to a request.
    pub fn complete(&self, request: &Request) -> Told<Completion> {
        Completion::read(&self.socket.ask("/completion", &self.body(request))?)
    }

    /// Sends two requests before it reads the answer to either.
    pub fn complete_both(&self, requests: &[Request; 2]) -> Told<[Completion; 2]> {
        let [first, second] = requests.map(|request| self.socket.send("/completion", Some(&self.body(&request))));
        let (first, second) = (first?, second?);
        Ok([Completion::read(&first.json()?)?, Completion::read(&second.json()?)?])
    }

    /// Returns the text of an answer that must follow a JSON schema.
    pub fn complete_schema(&self, prompt: &str, schema: &Value) -> Told<String> {
        let body = json!({
            "prompt": prompt,
            "n_predict": MOST_TOKENS.min(self.sizes.context / 2),
            "temperature": 0,
            "seed": SEED,
            "json_schema": schema,
        });
        let answer = self.socket.ask("/completion", &body)?;
        let text = answer.get("content").and_then(Value::as_str);
        text.map(str::to_owned).ok_or_else(|| "the answer has no `content`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prompt_has_several_micro_batches_and_fits_the_context() {
        assert_eq!(Sizes::of(None), Sizes { micro_batch: 512, prompt: 1573, context: 1877 });
        assert_eq!(Sizes::of(Some(131_072)), Sizes::of(None));
        for context in [0, 1, 2, 64, 128, 512, 1024, 1600] {
            let sizes = Sizes::of(Some(context));
            assert!(sizes.prompt >= 1 && sizes.micro_batch >= 1, "{sizes:?}");
            if context >= 128 {
                assert!(sizes.prompt + TOKENS <= context && sizes.prompt > 3 * sizes.micro_batch, "{sizes:?}");
            }
        }
    }
}
