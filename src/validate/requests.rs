//! Checks that ask `llama-server`: answers must not depend on other requests, on earlier ones, or on what is cached.

use serde_json::{Value, json};

use super::runner::Runner;
use super::server::{Request, Server, Settings, TOKENS, Talk};
use super::subject::Subject;
use super::tokens::Completion;
use super::{Check, Device, Extent, Outcome, Told};
use crate::error::Result;
use crate::llama_source::Role;

/// Names of the checks, in order.
pub(super) const NAMES: [&str; 7] = [SERVER, REPEAT, SLOTS, CACHE, SEED, TOOLS, TOKEN_BY_TOKEN];
const SERVER: &str = "server";
const REPEAT: &str = "repeat";
const SLOTS: &str = "slots";
const CACHE: &str = "cached prefix";
const SEED: &str = "seed";
const TOOLS: &str = "tools";
const TOKEN_BY_TOKEN: &str = "token by token";

/// The figure of tokens that are equal before two answers part.
const EQUAL: &str = "equal-tokens";
/// Tokens at the end of a prompt that differ from what is cached.
const OTHER_END: u64 = 40;

/// Asks the server of the build, and compares its answer with that of a second one on the CPU.
pub(super) fn check(runner: &Runner, subject: &Subject, device: Device, extent: Extent) -> Result<Vec<Check>> {
    let server = match Server::new(runner, subject)? {
        Ok(server) => server,
        Err(why) => return Ok(NAMES.map(|name| Check::not_run(name, why.clone())).into()),
    };
    let own = Settings { device, other: false };
    let (asked, ran) = server.run("server", &own, |talk| ask(talk, extent))?;
    let (first, mut checks) = match asked {
        Ok(asked) => asked,
        Err(why) => {
            let found = format!("{why}; {}", ran.last_line());
            let failed = std::iter::once(Check::failed(SERVER, found));
            let rest = NAMES.iter().filter(|name| **name != SERVER);
            return Ok(failed.chain(rest.map(|name| Check::not_run(name, "the server does not answer"))).collect());
        }
    };
    let name = Role::Server.name();
    let found = if ran.success { format!("{name} answered, and ended when told to") } else { ran.last_line() };
    checks.insert(0, Check::judged(SERVER, ran.success, found));
    let Some(first) = first else {
        checks.push(Check::not_run(TOKEN_BY_TOKEN, "the server gave no answer to compare"));
        return Ok(checks);
    };
    let reference = Settings { device: Device::Cpu, other: true };
    let (other, ran) = server.run("server-reference", &reference, |talk| talk.complete(&Request::plain()))?;
    let other = other.and_then(|other| other).map_err(|why| format!("{why}; {}", ran.last_line()));
    checks.push(match other {
        Ok(other) => {
            let beside = if device == Device::Gpu { "GPU beside CPU" } else { "CPU beside CPU with other batches" };
            compared(TOKEN_BY_TOKEN, &[(&first, &other)], beside).with("prompt", server.sizes.prompt)
        }
        Err(why) => Check::failed(TOKEN_BY_TOKEN, format!("the reference on the CPU: {why}")),
    });
    Ok(checks)
}

/// Returns the answer for the comparison with the CPU, if there is one, and the checks of one server.
fn ask(talk: &Talk, extent: Extent) -> (Option<Completion>, Vec<Check>) {
    let rounds = if extent == Extent::Deep { 5 } else { 1 };
    let (last, repeated) = match repeat(talk, rounds) {
        Ok(answered) => answered,
        Err(why) => {
            let rest = [SLOTS, CACHE, SEED, TOOLS].map(|name| Check::not_run(name, "the server answers no request"));
            return (None, std::iter::once(Check::failed(REPEAT, why)).chain(rest).collect());
        }
    };
    let told = |name: &str, check: Told<Check>| check.unwrap_or_else(|why| Check::failed(name, why));
    let checks = vec![
        repeated,
        told(SLOTS, slots(talk, &last, rounds)),
        told(CACHE, cache(talk)),
        told(SEED, seed(talk)),
        told(TOOLS, tools(talk)),
    ];
    (Some(last), checks)
}

/// Sends one request several times. Returns the last answer.
fn repeat(talk: &Talk, rounds: usize) -> Told<(Completion, Check)> {
    let first = talk.complete(&Request::plain())?;
    let others = (0..rounds).map(|_| talk.complete(&Request::plain())).collect::<Told<Vec<_>>>()?;
    let pairs: Vec<_> = others.iter().map(|other| (&first, other)).collect();
    let check = compared(REPEAT, &pairs, "one request, sent again");
    Ok((others.last().unwrap_or(&first).clone(), check))
}

/// Sends two requests at once. Each must get the answer that it gets alone.
fn slots(talk: &Talk, first: &Completion, rounds: usize) -> Told<Check> {
    let other = Request { slot: 1, from: 101, ..Request::plain() };
    let second = talk.complete(&other)?;
    let both = (0..rounds).map(|_| talk.complete_both(&[Request::plain(), other])).collect::<Told<Vec<_>>>()?;
    let pairs: Vec<_> = both.iter().flat_map(|[a, b]| [(first, a), (&second, b)]).collect();
    let mut check = compared(SLOTS, &pairs, "two requests at once, and each alone");
    if check.outcome == Outcome::Passed {
        // The batches of two requests depend on the moments at which they arrive, and so does the place where two
        // tokens that are equally likely are taken in turn.
        "two requests at once get the answers that each gets alone".clone_into(&mut check.found);
        check.figures.remove(EQUAL);
    }
    Ok(check)
}

/// Compares an answer that uses the cached beginning of its prompt with one that is computed anew.
fn cache(talk: &Talk) -> Told<Check> {
    let cached = Request { cached: true, ..Request::plain() };
    talk.complete(&cached)?;
    let with = talk.complete(&Request { other_end: OTHER_END, ..cached })?;
    let without = talk.complete(&Request { other_end: OTHER_END, ..Request::plain() })?;
    Ok(compared(CACHE, &[(&without, &with)], "a prompt whose beginning is cached, and the same computed anew"))
}

/// Compares two texts that are drawn at random with the same seed.
fn seed(talk: &Talk) -> Told<Check> {
    let request = Request { temperature: 1, ..Request::plain() };
    let [first, second] = [talk.complete(&request)?, talk.complete(&request)?];
    let equal = first.text == second.text;
    let found = if equal { "one seed gives one text" } else { "the same seed gives two texts" };
    Ok(Check::judged(SEED, equal, format!("{found} at temperature 1")).with("tokens", TOKENS))
}

/// Demands an answer in JSON of a form whose every answer is short.
fn tools(talk: &Talk) -> Told<Check> {
    let schema = json!({
        "type": "object",
        "properties": {
            "animal": { "enum": ["llama", "alpaca"] },
            "legs": { "enum": [2, 4] },
            "tame": { "type": "boolean" },
        },
        "required": ["animal", "legs", "tame"],
        "additionalProperties": false,
    });
    let text = talk.complete_schema("A llama, described in JSON: ", &schema)?;
    let fits = |value: &Value| {
        let known = |name: &str| {
            value.get(name).is_some_and(|got| {
                let allowed = schema.pointer(&format!("/properties/{name}/enum")).and_then(Value::as_array);
                allowed.map_or(got.is_boolean(), |allowed| allowed.contains(got))
            })
        };
        ["animal", "legs", "tame"].into_iter().all(known)
    };
    let shown: String = text.chars().take(100).collect();
    Ok(match serde_json::from_str::<Value>(&text) {
        Ok(value) if fits(&value) => Check::passed(TOOLS, format!("an answer by a JSON schema: {value}")),
        Ok(_) => Check::failed(TOOLS, format!("the answer does not follow its JSON schema: {shown}")),
        Err(error) => {
            Check::failed(TOOLS, format!("the answer is not JSON, which its schema demands ({error}): {shown}"))
        }
    })
}

/// Returns a check that passes if each pair of answers agrees.
fn compared(name: &str, pairs: &[(&Completion, &Completion)], what: &str) -> Check {
    let all: Vec<_> = pairs.iter().map(|(first, second)| first.compare(second)).collect();
    let worst = all.iter().min_by_key(|one| (one.fault.is_none(), one.equal));
    let found = worst.map(super::tokens::Comparison::describe).unwrap_or_default();
    let passed = worst.is_none_or(|one| one.fault.is_none());
    let equal = all.iter().map(|one| one.equal).min().unwrap_or_default();
    Check::judged(name, passed, format!("{what}: {found}"))
        .with("comparisons", all.len())
        .with("tokens", TOKENS)
        .with(EQUAL, equal)
}
