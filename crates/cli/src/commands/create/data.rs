//! `--from-literal`, `--from-file` and `--from-env-file`: keys and values of config maps and secrets.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, anyhow, bail};
use base64::{Engine, engine::general_purpose::STANDARD};
use clap::Args;
use serde_json::{Map, Value, json};
use skep_api::names;

/// Name and data; flatten it into a command's arguments.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct DataArgs {
    /// Its name
    pub(super) name: String,
    /// A key and its text; may be given several times
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) from_literal: Vec<String>,
    /// A file, as KEY=FILE or under its own name, or a folder of files; may be given several times
    #[arg(long, value_name = "[KEY=]FILE")]
    pub(super) from_file: Vec<String>,
    /// A file with lines of KEY=VALUE; may be given several times
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from_literal", "from_file"])]
    pub(super) from_env_file: Vec<String>,
}

impl DataArgs {
    /// The config map: texts in `data`, other bytes in `binaryData`.
    ///
    /// # Errors
    /// Where a file cannot be read, or a key is malformed or given twice.
    pub(super) fn config_map(&self) -> anyhow::Result<Value> {
        let (mut texts, mut binaries) = (Map::new(), Map::new());
        for (key, bytes) in self.read()? {
            match String::from_utf8(bytes) {
                Ok(text) => texts.insert(key, text.into()),
                Err(error) => binaries.insert(key, STANDARD.encode(error.as_bytes()).into()),
            };
        }
        let mut document =
            json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": self.name } });
        for (field, map) in [("data", texts), ("binaryData", binaries)] {
            if !map.is_empty() {
                document[field] = map.into();
            }
        }
        Ok(document)
    }

    /// Bytes by key.
    ///
    /// # Errors
    /// Where a file cannot be read, or a key is malformed or given twice.
    pub(super) fn read(&self) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
        let mut data = BTreeMap::new();
        for literal in &self.from_literal {
            let (key, value) = literal
                .split_once('=')
                .filter(|(key, _)| !key.is_empty())
                .ok_or_else(|| anyhow!("invalid literal source {literal}, expected key=value"))?;
            add(&mut data, key, value.as_bytes().to_vec())?;
        }
        for source in &self.from_file {
            add_file(&mut data, source)?;
        }
        for file in &self.from_env_file {
            let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
            add_env(&mut data, file, &text)?;
        }
        Ok(data)
    }
}

fn add(data: &mut BTreeMap<String, Vec<u8>>, key: &str, value: Vec<u8>) -> anyhow::Result<()> {
    if let Some(problem) = names::config_key(key) {
        bail!("\"{key}\" is not a valid key name: it {problem}");
    }
    match data.insert(key.to_owned(), value) {
        Some(_) => Err(anyhow!(
            "cannot add key \"{key}\", another key by that name already exists"
        )),
        None => Ok(()),
    }
}

fn add_file(data: &mut BTreeMap<String, Vec<u8>>, source: &str) -> anyhow::Result<()> {
    let read = |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
    if let Some((key, file)) = source.split_once('=') {
        if Path::new(file).is_dir() {
            bail!("cannot give a key name for a directory path: {source}");
        }
        return add(data, key, read(Path::new(file))?);
    }
    let path = Path::new(source);
    if !path.is_dir() {
        return add(data, &file_name(path), read(path)?);
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    for entry in entries.with_context(|| format!("cannot read the folder {source}"))? {
        let path = entry.path();
        // Folders in folders and odd names are passed over, as by kubectl.
        if path.is_file() && names::config_key(&file_name(&path)).is_none() {
            add(data, &file_name(&path), read(&path)?)?;
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Lines of KEY=VALUE; a key alone takes its value from the environment, and is left out where that has none.
fn add_env(data: &mut BTreeMap<String, Vec<u8>>, file: &str, text: &str) -> anyhow::Result<()> {
    let text = text.trim_start_matches('\u{feff}');
    for (index, line) in text.lines().enumerate() {
        let line = line.trim_start();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = match line.split_once('=') {
            Some((key, value)) => (key, Some(value.to_owned())),
            None => (line, std::env::var(line).ok()),
        };
        if let Some(problem) = names::env_name(key) {
            bail!(
                "{file}: line {}: \"{key}\" is not a valid key name: it {problem}",
                index + 1
            );
        }
        if let Some(value) = value {
            add(data, key, value.into_bytes())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(literals: &[&str], files: &[String]) -> DataArgs {
        DataArgs {
            name: "app".into(),
            from_literal: literals.iter().map(ToString::to_string).collect(),
            from_file: files.to_vec(),
            from_env_file: Vec::new(),
        }
    }

    #[test]
    fn texts_and_bytes_go_to_fields_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("logo.bin"), [0xff, 0x00]).unwrap();
        fs::write(folder.path().join("a.conf"), "x=1\n").unwrap();
        fs::write(folder.path().join("not a key"), "").unwrap();
        let path = folder.path().display().to_string();
        let document = args(
            &["mode=on=off", "empty="],
            &[path.clone(), format!("b={path}/a.conf")],
        )
        .config_map()
        .unwrap();
        assert_eq!(
            document["data"],
            json!({ "a.conf": "x=1\n", "b": "x=1\n", "empty": "", "mode": "on=off" })
        );
        assert_eq!(document["binaryData"], json!({ "logo.bin": "/wA=" }));
    }

    #[test]
    fn keys_are_checked() {
        let error = |literals: &[&str]| args(literals, &[]).read().unwrap_err().to_string();
        assert!(error(&["a=1", "a=2"]).contains("another key by that name already exists"));
        assert!(error(&["a b=1"]).contains("\"a b\" is not a valid key name"));
        assert!(error(&["alone"]).contains("expected key=value"));
        assert!(error(&["=v"]).contains("expected key=value"));
    }

    #[test]
    fn env_files_have_comments_and_empty_lines() {
        let mut data = BTreeMap::new();
        add_env(
            &mut data,
            "a.env",
            "# none\n\nA=1\n  B=x=y \nSKEP_TEST_NOT_SET_ANYWHERE\n",
        )
        .unwrap();
        let texts: Vec<_> = data
            .iter()
            .map(|(key, value)| format!("{key}={}", String::from_utf8_lossy(value)))
            .collect();
        assert_eq!(texts, ["A=1", "B=x=y "]);
        let error = add_env(&mut BTreeMap::new(), "a.env", "A=1\n1 B=2\n")
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("a.env: line 2: \"1 B\""), "{error}");
    }
}
