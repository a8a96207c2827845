//! `skep taint`: what keeps pods away from a node, or drives them out.

use std::process::ExitCode;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::{Value, json};
use skep_api::{Taint, TaintEffect};

use super::{cordon, live};
use crate::{context::Context, errors::Failures, node_args, output};

/// What `skep taint` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep taint node n1 dedicated=db:NoSchedule
  skep taint nodes -l rack=7 broken:NoExecute
  skep taint node n1 dedicated=web:NoSchedule --overwrite
  skep taint node n1 dedicated:NoSchedule- broken-

NoSchedule keeps pods away that do not tolerate the taint, PreferNoSchedule does where there is another node, and NoExecute
drives out those that run as well.")]
pub(crate) struct TaintArgs {
    /// `node NAME...`, then `KEY[=VALUE]:EFFECT` to set and `KEY[:EFFECT]-` to take away
    #[arg(required = true, value_name = "NODE|TAINT")]
    words: Vec<String>,
    /// The labels to select nodes by
    #[arg(short = 'l', long, value_name = "LABELS")]
    selector: Option<String>,
    /// Give taints that are there already another value
    #[arg(long)]
    overwrite: bool,
}

/// A taint to take away: its key, and its effect where only that one goes.
type Removal = (String, Option<TaintEffect>);

/// What is to become of a node's taints.
#[derive(Debug, Default, PartialEq)]
struct Changes {
    set: Vec<Taint>,
    remove: Vec<Removal>,
    overwrite: bool,
}

/// Sets and takes away taints.
///
/// # Errors
/// Where the words name no node or no change; what fails for one node is printed and makes the exit code 1.
pub(crate) async fn run(args: TaintArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let (nodes, mut changes) = split(&args.words)?;
    changes.overwrite = args.overwrite;
    let mut failures = Failures::default();
    for id in cordon::chosen(args.selector.as_deref(), &nodes, ctx).await? {
        let mut word = "";
        let edited = live::edit(ctx, &id, |document| {
            word = changes.make(document)?;
            Ok(())
        });
        let edited = edited.await.map_err(|error| error.context(format!("{id}")));
        if failures.keep(edited).is_some() {
            output::write(&format!("{id} {word}\n"))?;
        }
    }
    Ok(failures.exit_code())
}

/// Parts words that name nodes from those that change taints.
fn split(words: &[String]) -> anyhow::Result<(Vec<String>, Changes)> {
    let is_change = |word: &str| word.contains(':') || word.ends_with('-');
    let first = words
        .iter()
        .position(|word| is_change(word))
        .unwrap_or(words.len());
    let (nodes, changed) = words.split_at(first);
    let nodes = match nodes.split_first() {
        Some((kind, names)) if ["node", "nodes", "no"].contains(&kind.as_str()) => names,
        _ => nodes,
    };
    let mut changes = Changes::default();
    for word in changed {
        match word.strip_suffix('-') {
            Some(word) => changes.remove.push(removal(word)?),
            None => {
                let taint = node_args::taint(word).map_err(|why| anyhow!("`{word}` is no taint: {why}"))?;
                changes.set.push(taint);
            }
        }
    }
    if changes == Changes::default() {
        bail!(
            "name a change: KEY=VALUE:EFFECT sets a taint, such as dedicated=db:NoSchedule, and KEY- takes it away"
        );
    }
    let both = |taint: &&Taint| changes.remove.iter().any(|removal| is_meant(removal, taint));
    if let Some(taint) = changes.set.iter().find(both) {
        bail!("can not both modify and remove the taint \"{}\"", taint.key);
    }
    Ok((nodes.to_vec(), changes))
}

/// Reads `KEY`, `KEY:EFFECT` or `KEY=VALUE:EFFECT`: the value says nothing here.
fn removal(word: &str) -> anyhow::Result<Removal> {
    if word.contains(':') {
        let taint = node_args::taint(word).map_err(|why| anyhow!("`{word}-` is no taint: {why}"))?;
        return Ok((taint.key, Some(taint.effect)));
    }
    match skep_api::names::qualified_name(word) {
        Some(problem) => bail!("`{word}-` is no taint: {problem}"),
        None => Ok((word.to_owned(), None)),
    }
}

fn is_meant((key, effect): &Removal, taint: &Taint) -> bool {
    *key == taint.key && effect.is_none_or(|effect| effect == taint.effect)
}

impl Changes {
    /// Changes a node's document; what was done, in kubectl's words.
    fn make(&self, document: &mut Value) -> anyhow::Result<&'static str> {
        let there = document["spec"]["taints"].as_array().cloned().unwrap_or_default();
        let mut taints: Vec<Taint> = serde_json::from_value(there.into())?;
        for removal in &self.remove {
            let before = taints.len();
            taints.retain(|taint| !is_meant(removal, taint));
            if taints.len() == before {
                bail!("taint \"{}\" not found", written(removal));
            }
        }
        for wanted in &self.set {
            let same = |taint: &&mut Taint| (&taint.key, taint.effect) == (&wanted.key, wanted.effect);
            match taints.iter_mut().find(same) {
                Some(taint) if taint.value == wanted.value => {}
                Some(taint) if self.overwrite => *taint = wanted.clone(),
                Some(taint) => bail!(
                    "it has the taint {}={}:{:?} already: --overwrite gives it another value",
                    taint.key,
                    taint.value,
                    taint.effect
                ),
                None => taints.push(wanted.clone()),
            }
        }
        document["spec"]["taints"] = json!(taints);
        Ok(match (self.set.is_empty(), self.remove.is_empty()) {
            (false, true) => "tainted",
            (true, _) => "untainted",
            (false, false) => "modified",
        })
    }
}

fn written((key, effect): &Removal) -> String {
    effect.map_or_else(|| key.clone(), |effect| format!("{key}:{effect:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(line: &str) -> Result<(Vec<String>, Changes), String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        split(&words).map_err(|error| error.to_string())
    }

    fn changed(line: &str, overwrite: bool) -> Result<String, String> {
        let mut document = json!({ "spec": { "taints": [
            { "key": "dedicated", "value": "db", "effect": "NoSchedule" },
            { "key": "dedicated", "value": "db", "effect": "NoExecute", "timeAdded": "2026-01-01T00:00:00Z" },
        ] } });
        let (_, mut changes) = changes(line)?;
        changes.overwrite = overwrite;
        let word = changes.make(&mut document).map_err(|error| error.to_string())?;
        let taints: Vec<Taint> = serde_json::from_value(document["spec"]["taints"].take()).unwrap();
        let taints = taints
            .iter()
            .map(|one| format!(" {}={}:{:?}", one.key, one.value, one.effect));
        Ok(word.to_owned() + &taints.collect::<String>())
    }

    #[test]
    fn nodes_come_first_with_or_without_their_kind() {
        for line in [
            "node a b x=y:NoSchedule",
            "a b x=y:NoSchedule",
            "nodes a b x=y:NoSchedule",
        ] {
            assert_eq!(changes(line).unwrap().0, ["a", "b"], "{line}");
        }
    }

    #[test]
    fn taints_are_told_apart_by_key_and_effect() {
        assert_eq!(
            changed("a gpu:NoSchedule", false).unwrap(),
            "tainted dedicated=db:NoSchedule dedicated=db:NoExecute gpu=:NoSchedule"
        );
        assert_eq!(
            changed("a dedicated:NoExecute-", false).unwrap(),
            "untainted dedicated=db:NoSchedule"
        );
        assert_eq!(changed("a dedicated-", false).unwrap(), "untainted");
        assert_eq!(
            changed("a dedicated:NoExecute- b:PreferNoSchedule", false).unwrap(),
            "modified dedicated=db:NoSchedule b=:PreferNoSchedule"
        );
        assert!(
            changed("a dedicated=web:NoSchedule", false)
                .unwrap_err()
                .contains("--overwrite")
        );
        assert_eq!(
            changed("a dedicated=web:NoSchedule", true).unwrap(),
            "tainted dedicated=web:NoSchedule dedicated=db:NoExecute"
        );
        assert_eq!(changed("a gpu-", false).unwrap_err(), "taint \"gpu\" not found");
    }

    #[test]
    fn bad_words_are_refused_with_what_would_be_right() {
        for (line, part) in [
            ("a", "name a change"),
            ("a x=y:Never", "NoSchedule, PreferNoSchedule or NoExecute"),
            ("a x=y:NoSchedule x-", "both modify and remove"),
            ("a x=y:NoSchedule b", "is no taint"),
            ("a /-", "is no taint"),
        ] {
            let error = changes(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
