//! Generated tokens with their probabilities, and the place where two answers part.
//!
//! At temperature 0 the likeliest token is taken. Where two are nearly as likely, a rounding error decides, and two
//! right programs may go on differently. So answers that part are judged at the first token that differs: both programs
//! must have held the other's token for nearly as likely as their own. Up to there, their probabilities must agree.

use serde_json::Value;

use super::Told;

/// Greatest difference of logarithms of probability for a tie: a tenth is a factor of 1.1.
const TIE: f64 = 0.1;
/// Greatest difference of a token's logarithm of probability between two runs. Wrong numbers give several units, the
/// rounding of backends some hundredths.
const DRIFT: f64 = 0.5;

/// A generated token.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub id: i64,
    /// The logarithm of its probability.
    pub probability: f64,
    /// The likeliest tokens at this place, with theirs.
    pub likeliest: Vec<(i64, f64)>,
}

/// The answer to a request for text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Completion {
    pub text: String,
    pub tokens: Vec<Token>,
}

/// The comparison of two answers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Comparison {
    /// The number of tokens that are equal at the beginning.
    pub equal: usize,
    /// True if all are equal.
    pub all: bool,
    /// The reason why they do not agree.
    pub fault: Option<String>,
}

impl Completion {
    /// Reads an answer of `/completion`.
    pub fn read(value: &Value) -> Told<Self> {
        let missing = |what: &str| format!("the answer has no `{what}`: {}", shortened(value));
        let text = value.get("content").and_then(Value::as_str).ok_or_else(|| missing("content"))?;
        let list = value.get("completion_probabilities").and_then(Value::as_array);
        let list = list.ok_or_else(|| missing("completion_probabilities"))?;
        let tokens: Option<Vec<Token>> = list.iter().map(token).collect();
        let tokens = tokens.ok_or_else(|| missing("completion_probabilities of the expected form"))?;
        if tokens.is_empty() {
            return Err("the answer has no tokens".to_owned());
        }
        Ok(Self { text: text.to_owned(), tokens })
    }

    /// Compares this answer with that of another run.
    pub fn compare(&self, other: &Self) -> Comparison {
        let pairs = || self.tokens.iter().zip(&other.tokens);
        let equal = pairs().take_while(|(a, b)| a.id == b.id).count();
        let all = equal == self.tokens.len() && equal == other.tokens.len();
        let drift = pairs().take(equal).map(|(a, b)| (a.probability - b.probability).abs()).enumerate();
        let worst = drift.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, drift)| *drift > DRIFT);
        let fault = if let Some((place, drift)) = worst {
            Some(format!("token {} has another probability: they differ by a factor of {:.1}", place + 1, drift.exp()))
        } else {
            match pairs().nth(equal) {
                Some((a, b)) => (!a.ties(b.id) || !b.ties(a.id))
                    .then(|| format!("they part at token {}, and not because two are equally likely", equal + 1)),
                None => (!all).then(|| format!("one ends after {equal} tokens")),
            }
        };
        Comparison { equal, all, fault }
    }
}

impl Token {
    /// Returns true if another token was nearly as likely at this place.
    fn ties(&self, other: i64) -> bool {
        let found = self.likeliest.iter().find(|(id, _)| *id == other);
        found.is_some_and(|(_, probability)| (self.probability - probability).abs() <= TIE)
    }
}

impl Comparison {
    /// Describes the comparison of so many tokens.
    pub fn describe(&self) -> String {
        match &self.fault {
            Some(fault) => fault.clone(),
            None if self.all => format!("{} tokens are equal", self.equal),
            None => format!("equal for {} tokens, and then two are equally likely", self.equal),
        }
    }
}

fn token(value: &Value) -> Option<Token> {
    let one = |value: &Value| {
        let probability = value.get("logprob")?.as_f64().filter(|number| number.is_finite())?;
        Some((value.get("id")?.as_i64()?, probability))
    };
    let (id, probability) = one(value)?;
    let likeliest = value.get("top_logprobs").and_then(Value::as_array)?;
    Some(Token { id, probability, likeliest: likeliest.iter().map(one).collect::<Option<_>>()? })
}

/// Returns the beginning of a JSON text, for messages.
pub(super) fn shortened(value: &Value) -> String {
    value.to_string().chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Returns an answer of these tokens: id and probability of the one that was taken, and of the next.
    fn answer(tokens: &[[(i64, f64); 2]]) -> Completion {
        let one = |(id, logprob): (i64, f64)| json!({ "id": id, "token": "x", "logprob": logprob });
        let all: Vec<Value> = tokens
            .iter()
            .map(|[taken, next]| {
                let mut value = one(*taken);
                value["top_logprobs"] = json!([one(*taken), one(*next)]);
                value
            })
            .collect();
        Completion::read(&json!({ "content": "x", "completion_probabilities": all })).unwrap()
    }

    #[test]
    fn answers_may_part_only_where_two_tokens_are_equally_likely() {
        let first = answer(&[[(1, -0.5), (2, -3.0)], [(3, -1.0), (4, -1.05)]]);
        assert_eq!(first.compare(&first).describe(), "2 tokens are equal");
        let tie = answer(&[[(1, -0.52), (2, -3.0)], [(4, -1.0), (3, -1.02)]]);
        let compared = first.compare(&tie);
        assert_eq!((compared.equal, compared.all, compared.fault.clone()), (1, false, None));
        assert_eq!(compared.describe(), "equal for 1 tokens, and then two are equally likely");
        let wrong = answer(&[[(1, -0.5), (2, -3.0)], [(9, -1.0), (3, -1.02)]]);
        assert!(first.compare(&wrong).fault.unwrap().contains("they part at token 2"));
        let sure = answer(&[[(1, -0.5), (2, -3.0)], [(4, -0.1), (3, -4.0)]]);
        assert!(first.compare(&sure).fault.unwrap().contains("they part at token 2"));
        let drifted = answer(&[[(1, -2.0), (2, -3.0)], [(3, -1.0), (4, -1.05)]]);
        assert!(first.compare(&drifted).fault.unwrap().contains("token 1 has another probability"));
        let short = answer(&[[(1, -0.5), (2, -3.0)]]);
        assert_eq!(first.compare(&short).fault.unwrap(), "one ends after 1 tokens");
    }

    #[test]
    fn odd_answers_are_refused() {
        for (value, why) in [
            (json!(7), "no `content`"),
            (json!({ "content": 7 }), "no `content`"),
            (json!({ "content": "x" }), "no `completion_probabilities`"),
            (json!({ "content": "x", "completion_probabilities": [] }), "no tokens"),
            (json!({ "content": "x", "completion_probabilities": [{ "id": 1 }] }), "expected form"),
            (
                json!({ "content": "x", "completion_probabilities": [{ "id": 1, "logprob": null, "top_logprobs": [] }] }),
                "expected form",
            ),
        ] {
            let error = Completion::read(&value).unwrap_err();
            assert!(error.contains(why), "{value}: {error}");
        }
    }
}
