//! Every setting with its value and origin.

use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, Command};
use serde_json::{Value, json};

use super::config::{BuilderFile, Number, Origin, Set, Switch, variable};
use super::{Session, switch};
use crate::error::Result;
use crate::urls::show_url;

/// The value that an option or its environment variable gave to a setting.
#[derive(Debug, Clone)]
pub struct Given {
    setting: String,
    value: Value,
    origin: Origin,
}

impl Given {
    /// Returns the values of all global options that have an environment variable.
    pub fn all(command: &Command, matches: &ArgMatches) -> Vec<Self> {
        let options = command.get_arguments().filter(|option| option.is_global_set() && option.get_env().is_some());
        let given = options.filter_map(|option| {
            let (id, setting) = (option.get_id().as_str(), option.get_long()?.to_owned());
            let value = matches.get_raw(id).and_then(|mut raw| raw.next_back()).map(|value| value.to_string_lossy());
            let value = match (value, option.get_action()) {
                (Some(text), ArgAction::SetTrue) => switch(&text).unwrap_or_default().into(),
                (text, _) => text.map(std::borrow::Cow::into_owned).into(),
            };
            let origin = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => Origin::Option { option: format!("--{setting}") },
                Some(ValueSource::EnvVariable) => Origin::Environment { variable: variable(&setting) },
                _ => Origin::Default,
            };
            Some(Self { setting, value, origin })
        });
        given.collect()
    }
}

/// A setting, with its value and origin. A list has one for each of its elements.
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value; null if it has none.
    pub value: Value,
    /// The origin of the value.
    pub origin: Origin,
}

impl Session {
    /// Returns every setting.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let config = self.config()?;
        let mut all = Vec::new();
        for given in &self.args.given {
            all.push(self.option(given)?);
        }
        let origin = config.archive.as_ref().map_or(Origin::Default, |set| set.origin.clone());
        let value = self.usual_archive().ok().map(|path| path.display().to_string());
        all.push(Setting { name: "archive".to_owned(), value: value.into(), origin });
        let hosts = config.insecure_hosts.iter().map(|set| (set.value.clone().into(), &set.origin));
        all.extend(list("insecure-hosts", hosts.collect()));
        let mirrors = config.mirrors.iter();
        let mirrors = mirrors.map(|Set { value: mirror, origin }| {
            (json!({ "of": show_url(&mirror.of), "at": show_url(&mirror.at) }), origin)
        });
        all.extend(list("mirrors", mirrors.collect()));
        let remotes = config.remotes.iter();
        let remotes = remotes.map(|Set { value: remote, origin }| {
            (json!({ "name": remote.name, "address": remote.address.to_string() }), origin)
        });
        all.extend(list("remotes", remotes.collect()));
        all.extend(Switch::ALL.map(|switch| {
            let set = config.switches.get(&switch);
            let origin = set.map_or(Origin::Default, |set| set.origin.clone());
            Setting { name: switch.name().to_owned(), value: config.is_on(switch).into(), origin }
        }));
        let builder = config.builder.builder.as_ref();
        all.push(one("builder", builder.map(|set| (set.value.to_string().into(), &set.origin))));
        for file in BuilderFile::ALL {
            let set = config.builder.files.get(&file);
            all.push(one(file.name(), set.map(|set| (set.value.display().to_string().into(), &set.origin))));
        }
        let platform = config.builder.platform.iter();
        let platform = platform.map(|set| (format!("{}={}", set.value.0, set.value.1).into(), &set.origin));
        all.extend(list("builder-platform", platform.collect()));
        all.extend(Number::ALL.map(|number| {
            let set = config.numbers.get(&number);
            let origin = set.map_or(Origin::Default, |set| set.origin.clone());
            Setting { name: number.name().to_owned(), value: config.number(number).into(), origin }
        }));
        Ok(all)
    }

    /// Returns the setting of an option, in whose place a file may have a value.
    fn option(&self, given: &Given) -> Result<Setting> {
        let config = self.config()?;
        let is_given = given.origin != Origin::Default;
        let of_file = match given.setting.as_str() {
            "store" => config.store.as_ref().map(|set| set.origin.clone()),
            "profile" => config.profile.as_ref().map(|set| set.origin.clone()),
            _ => None,
        };
        let value: Value = match given.setting.as_str() {
            "store" => self.store_path()?.display().to_string().into(),
            "manifest" => self.project.manifest_path().display().to_string().into(),
            "lock" => self.project.lock_path().display().to_string().into(),
            "profile" if !is_given => config.profile.as_ref().map(|set| set.value.to_string()).into(),
            "config" if !is_given => self.config_files().last().map(|path| path.display().to_string()).into(),
            _ => given.value.clone(),
        };
        let origin = of_file.filter(|_| !is_given).unwrap_or_else(|| given.origin.clone());
        Ok(Setting { name: given.setting.clone(), value, origin })
    }
}

/// Returns a setting that may have no value.
fn one(name: &str, set: Option<(Value, &Origin)>) -> Setting {
    let (value, origin) = set.map_or((Value::Null, Origin::Default), |(value, origin)| (value, origin.clone()));
    Setting { name: name.to_owned(), value, origin }
}

/// Returns a setting for each element of a list, or one without a value for an empty list.
fn list(name: &str, elements: Vec<(Value, &Origin)>) -> Vec<Setting> {
    let setting = |value, origin| Setting { name: name.to_owned(), value, origin };
    if elements.is_empty() {
        return vec![setting(Value::Null, Origin::Default)];
    }
    elements.into_iter().map(|(value, origin)| setting(value, origin.clone())).collect()
}
