//! `--flag=true` and `--flag=false` for flags that are there or not, as scripts for kubectl write them.

use std::ffi::{OsStr, OsString};

use clap::{Arg, ArgAction, Command};

/// The words with `--flag=true` as `--flag`, and without `--flag=false`. What follows `--` is left alone.
pub(crate) fn plain(root: &Command, words: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut commands = vec![root];
    let mut plain = Vec::new();
    let mut words = words.into_iter();
    plain.extend(words.next());
    while let Some(word) = words.next() {
        let current = commands.last().expect("the root stays");
        if word == "--" {
            plain.push(word);
            plain.extend(words);
            break;
        }
        if let Some(sub) = word.to_str().and_then(|name| current.find_subcommand(name)) {
            commands.push(sub);
        }
        match switch(&commands, &word) {
            Some((flag, true)) => plain.push(flag),
            Some((_, false)) => {}
            None => plain.push(word),
        }
    }
    plain
}

/// The flag and what it is set to, where the word sets one that is there or not.
fn switch(commands: &[&Command], word: &OsStr) -> Option<(OsString, bool)> {
    let (flag, value) = word.to_str()?.split_once('=')?;
    let name = flag.strip_prefix('-')?;
    let value = match value {
        "true" => true,
        "false" => false,
        _ => return None,
    };
    let is_meant = |argument: &Arg| match name.strip_prefix('-') {
        Some(long) => argument.get_long() == Some(long),
        None => argument
            .get_short()
            .is_some_and(|short| name == short.to_string()),
    };
    let mut arguments = commands.iter().flat_map(|command| command.get_arguments());
    arguments
        .any(|argument| is_meant(argument) && matches!(argument.get_action(), ArgAction::SetTrue))
        .then(|| (flag.into(), value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;

    fn check(line: &str, expected: &str) {
        let words = line.split_whitespace().map(OsString::from);
        let words: Vec<String> = plain(&Cli::grouped(), words)
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect();
        assert_eq!(words.join(" "), expected);
        Cli::grouped().try_get_matches_from(words).unwrap();
    }

    #[test]
    fn flags_may_say_true_or_false() {
        check(
            "skep delete pods --all=true --force=false -n shop",
            "skep delete pods --all -n shop",
        );
        check("skep get pods -A=true --no-color=false", "skep get pods -A");
    }

    #[test]
    fn flags_with_values_keep_them() {
        check("skep delete pod a --wait=false", "skep delete pod a --wait=false");
        check(
            "skep create cm a --from-literal=all=true",
            "skep create cm a --from-literal=all=true",
        );
    }

    #[test]
    fn commands_for_containers_are_left_alone() {
        check(
            "skep exec web -i=true -- run --tty=true",
            "skep exec web -i -- run --tty=true",
        );
    }
}
