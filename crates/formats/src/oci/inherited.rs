//! The configuration of an image made by others: the part that decides its tree, and the settings for running it.
//!
//! The first part is read strictly. Of the settings, each field that does not have the form of the specification is
//! left out and recorded: a tree needs none of them, and an image needs some, which `ImageRecipe` knows.

use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::document::{self, Config, HealthCheck, RootFs};
use crate::error::Result;

/// The configuration of a base image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseConfig {
    /// GOARCH.
    pub architecture: String,
    /// GOOS.
    pub os: String,
    /// The digests of its layers before compression.
    pub rootfs: RootFs,
    /// The settings for running it.
    pub run: Inherited,
}

/// Settings for running an image, as far as the configuration gives them in the right form.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inherited {
    /// The settings in the right form.
    pub config: Config,
    /// The fields that are not.
    pub odd: Vec<Odd>,
}

/// A field that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// Its name, such as `Cmd`; `config` if none of the settings could be read.
    pub field: &'static str,
    /// The entry of the field, if only that is invalid: a label's name, or the number of a variable.
    pub entry: Option<String>,
    expected: &'static str,
    found: &'static str,
}

#[derive(Deserialize)]
struct Fields<C> {
    architecture: String,
    os: String,
    #[serde(default)]
    config: C,
    rootfs: RootFs,
}

impl BaseConfig {
    /// Parses a configuration. Fails if the part that decides the tree is invalid.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        const WHAT: &str = "image configuration";
        if let Ok(Fields { architecture, os, config, rootfs }) = document::read::<Fields<Value>>(bytes, WHAT) {
            return Ok(Self { architecture, os, rootfs, run: Inherited::of(config) });
        }
        // JSON that no value can hold, such as a thousand nested lists, spoils this field alone too.
        let Fields { architecture, os, config: IgnoredAny, rootfs } = document::read(bytes, WHAT)?;
        Ok(Self { architecture, os, rootfs, run: Inherited::of(Value::Bool(false)) })
    }
}

impl Inherited {
    fn of(said: Value) -> Self {
        let mut reader = match said {
            Value::Null => return Self::default(),
            Value::Object(fields) => Reader { fields, odd: Vec::new() },
            _ => {
                let odd = Odd { field: "config", entry: None, expected: "an object", found: "something else" };
                return Self { config: Config::default(), odd: vec![odd] };
            }
        };
        let config = Config {
            user: reader.take("User", "a string"),
            exposed_ports: reader.take("ExposedPorts", "an object"),
            env: reader.variables(),
            entrypoint: reader.take("Entrypoint", LIST),
            cmd: reader.take("Cmd", LIST),
            volumes: reader.take("Volumes", "an object"),
            working_dir: reader.take("WorkingDir", "a string"),
            labels: reader.labels(),
            stop_signal: reader.take("StopSignal", "a string"),
            stop_timeout: reader.take("StopTimeout", "a number of seconds"),
            healthcheck: reader.take::<Option<HealthCheck>>("Healthcheck", "an object as Docker writes it"),
            shell: reader.take("Shell", LIST),
        };
        Self { config, odd: reader.odd }
    }

    /// Describes the fields that were left out, in one line; `None` if there are none.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        const SHOWN: usize = 5;
        let mut shown: Vec<String> = self.odd.iter().take(SHOWN).map(Odd::describe).collect();
        if self.odd.len() > SHOWN {
            shown.push(format!("and {} more", self.odd.len() - SHOWN));
        }
        (!shown.is_empty()).then(|| format!("ignored in the image's configuration: {}", shown.join("; ")))
    }
}

impl Odd {
    /// Describes the field: its name, the expected form and the form found.
    #[must_use]
    pub fn describe(&self) -> String {
        let entry = self.entry.as_ref().map(|entry| {
            let entry: String = crate::text::visible(entry).chars().take(60).collect();
            format!(" `{entry}`")
        });
        let form = if self.expected.starts_with(self.found) { " of another form" } else { "" };
        format!("{}{}: expected {}, found {}{form}", self.field, entry.unwrap_or_default(), self.expected, self.found)
    }
}

const LIST: &str = "a list of strings";

/// The fields not read yet, and those that were left out.
struct Reader {
    fields: Map<String, Value>,
    odd: Vec<Odd>,
}

impl Reader {
    /// Takes the value of a field; `null`, which other writers use for a missing one, is the default.
    fn take<T: Default + DeserializeOwned>(&mut self, field: &'static str, expected: &'static str) -> T {
        let value = self.fields.remove(field).unwrap_or_default();
        let found = shape(&value);
        if let Ok(value) = serde_json::from_value::<Option<T>>(value) {
            return value.unwrap_or_default();
        }
        self.odd.push(Odd { field, entry: None, expected, found });
        T::default()
    }

    fn variables(&mut self) -> Vec<String> {
        let entries: Vec<Value> = self.take("Env", LIST);
        let entries = entries.into_iter().enumerate().map(|(index, value)| ((index + 1).to_string(), value));
        self.texts("Env", entries).map(|(_, text)| text).collect()
    }

    fn labels<B: FromIterator<(String, String)>>(&mut self) -> B {
        let entries: Map<String, Value> = self.take("Labels", "an object of strings");
        self.texts("Labels", entries.into_iter()).collect()
    }

    /// Takes the entries of a field that are strings.
    fn texts(
        &mut self,
        field: &'static str,
        entries: impl Iterator<Item = (String, Value)>,
    ) -> impl Iterator<Item = (String, String)> {
        entries.filter_map(move |(name, value)| match value {
            Value::String(text) => Some((name, text)),
            odd => {
                let found = shape(&odd);
                self.odd.push(Odd { field, entry: Some(name), expected: "a string", found });
                None
            }
        })
    }
}

fn shape(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HEX: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn image(config: &str) -> String {
        format!(
            r#"{{"architecture": "amd64", "os": "linux", "created": 5, "history": {{}}, "config": {config},
                "rootfs": {{"type": "layers", "diff_ids": ["{HEX}"]}}}}"#
        )
    }

    fn run(config: &str) -> Inherited {
        let read = BaseConfig::read(image(config).as_bytes()).unwrap();
        assert_eq!(read.rootfs.diff_ids.len(), 1);
        read.run
    }

    #[test]
    fn what_others_write_for_nothing_is_nothing() {
        let null = r#"{"User": null, "ExposedPorts": null, "Env": null, "Entrypoint": null, "Cmd": null,
            "Volumes": null, "WorkingDir": null, "Labels": null, "StopSignal": null, "StopTimeout": null,
            "Healthcheck": null, "Shell": null, "OnBuild": null, "ArgsEscaped": true, "Unknown": [1]}"#;
        for nothing in [null, "null", "{}"] {
            assert_eq!(run(nothing), Inherited::default());
        }
        let without = image("{}").replace(r#""config": {},"#, "");
        assert_eq!(BaseConfig::read(without.as_bytes()).unwrap().run, Inherited::default());
    }

    #[test]
    fn a_field_of_another_form_is_passed_over_alone() {
        for (field, odd) in [
            ("User", json!(1000)),
            ("ExposedPorts", json!(["80/tcp"])),
            ("Env", json!({ "A": "1" })),
            ("Entrypoint", json!("/entry")),
            ("Cmd", json!("sh")),
            ("Cmd", json!(["sh", 1])),
            ("Volumes", json!("/data")),
            ("WorkingDir", json!(["/"])),
            ("Labels", json!(["a=1"])),
            ("StopSignal", json!(9)),
            ("StopTimeout", json!(-1)),
            ("Healthcheck", json!({ "Test": "curl" })),
            ("Shell", json!({})),
        ] {
            let mut config = json!({ "Env": ["A=1"], "Cmd": ["sh"], "Labels": { "a": "1" } });
            config[field] = odd;
            let read = run(&config.to_string());
            assert_eq!(read.odd.len(), 1, "{config}");
            assert_eq!((read.odd[0].field, &read.odd[0].entry), (field, &None), "{config}");
            assert_eq!(read.config.env.is_empty(), field == "Env");
            assert_eq!(read.config.cmd.is_empty(), field == "Cmd");
            assert_eq!(read.config.labels.is_empty(), field == "Labels");
        }
        for whole in ["5", "\"sh\"", "[]", &format!("{}{}", "[".repeat(500), "]".repeat(500)), r#"{"Cmd": "\ud800"}"#] {
            assert_eq!(run(whole).odd[0].field, "config", "{whole}");
        }
    }

    #[test]
    fn an_odd_entry_leaves_its_neighbours_and_few_are_told() {
        let read = run(r#"{"Env": ["A=1", 2, "B=3", null], "Labels": {"a": 1, "b": "2", "c": null}}"#);
        assert_eq!(read.config.env, ["A=1", "B=3"]);
        assert!(read.config.labels.keys().eq(["b"]));
        let entries: Vec<_> = read.odd.iter().map(|odd| (odd.field, odd.entry.as_deref().unwrap())).collect();
        assert_eq!(entries, [("Env", "2"), ("Env", "4"), ("Labels", "a"), ("Labels", "c")]);
        let told = read.describe().unwrap();
        assert!(told.contains("Labels `a`: expected a string, found a number"), "{told}");
        let many = json!({ "Env": vec![0; 1000] });
        assert!(run(&many.to_string()).describe().unwrap().ends_with("; and 995 more"));
        let wicked = json!({ "Labels": { format!("\u{1b}[31m{}", "x".repeat(1000)): 1 } });
        let told = run(&wicked.to_string()).describe().unwrap();
        assert!(told.len() < 200 && !told.contains('\u{1b}'), "{told}");
    }

    #[test]
    fn what_decides_the_tree_is_read_strictly() {
        for (right, wrong) in [
            (r#""architecture": "amd64""#, r#""architecture": 5"#),
            (r#""os": "linux","#, ""),
            (r#""os": "linux","#, r#""os": "linux", "os": "linux","#),
            (HEX, "sha512:00"),
            (r#""type": "layers", "#, ""),
        ] {
            for config in ["{}", r#"{"Cmd": "sh"}"#, "5"] {
                let text = image(config);
                assert!(text.contains(right), "{text}");
                assert!(BaseConfig::read(text.replacen(right, wrong, 1).as_bytes()).is_err(), "{wrong}");
            }
        }
    }
}
