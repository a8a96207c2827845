//! Passphrases: from a file, from standard input, or typed where nobody sees them.

use std::{
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use skep_trust::{KeyFile, Keys};

/// Where a passphrase comes from.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct PassphraseArgs {
    /// Read the passphrase from the first line of this file, - for standard input [default: asks for it]
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    /// The passphrase: of the file, or typed at `prompt`, or the next line of standard input where that is no terminal.
    ///
    /// # Errors
    /// Where there is none.
    pub(crate) fn read(&self, prompt: &str) -> anyhow::Result<String> {
        read(self.passphrase_file.as_deref(), prompt)
    }

    /// A new passphrase; one that is typed is typed twice.
    ///
    /// # Errors
    /// Where there is none, or the two differ.
    pub(crate) fn read_new(&self, prompt: &str) -> anyhow::Result<String> {
        let first = self.read(prompt)?;
        let typed = self.passphrase_file.is_none() && io::stdin().is_terminal();
        if typed && self.read("The same again: ")? != first {
            bail!("the two passphrases differ: nothing was changed");
        }
        Ok(first)
    }
}

/// The passphrase in a file, or as it is typed.
///
/// # Errors
/// Where there is none.
pub(crate) fn read(file: Option<&Path>, prompt: &str) -> anyhow::Result<String> {
    let text = match file {
        Some(path) if path != Path::new("-") => std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the passphrase in {}", path.display()))?,
        None if io::stdin().is_terminal() => typed(prompt)?,
        _ => line()?,
    };
    let passphrase = text.lines().next().unwrap_or_default();
    if passphrase.is_empty() {
        bail!("the passphrase is empty: type it, or name a file with --passphrase-file");
    }
    Ok(passphrase.to_owned())
}

fn line() -> anyhow::Result<String> {
    let mut line = String::new();
    io::stdin()
        .read_line(&mut line)
        .context("cannot read the passphrase")?;
    Ok(line)
}

fn typed(prompt: &str) -> anyhow::Result<String> {
    eprint!("{prompt}");
    io::stderr().flush()?;
    let silence = Silence::begin()?;
    let typed = line();
    drop(silence);
    eprintln!();
    typed
}

/// The terminal shows nothing of what is typed as long as this lives.
struct Silence(Termios);

impl Silence {
    fn begin() -> anyhow::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO);
        termios::tcsetattr(io::stdin(), SetArg::TCSAFLUSH, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that has gone away shows nothing anyway.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &self.0);
    }
}

/// The keys of the server with this data folder, which are made where there are none; asks for their passphrase where one
/// guards them.
///
/// # Errors
/// Where the file cannot be used, or the passphrase does not fit.
pub(crate) async fn keys_of(data_dir: &Path, passphrase: &PassphraseArgs) -> anyhow::Result<Keys> {
    let path = skep_server::key_file(data_dir);
    std::fs::create_dir_all(data_dir).with_context(|| format!("cannot use {}", data_dir.display()))?;
    unlock(KeyFile::open(&path)?, passphrase).await
}

/// The keys in a file; asks for their passphrase where one guards them.
///
/// # Errors
/// Where it does not fit.
pub(crate) async fn unlock(file: KeyFile, passphrase: &PassphraseArgs) -> anyhow::Result<Keys> {
    let given = match &file {
        KeyFile::Locked(_) => Some(passphrase.read("Passphrase of this server's key: ")?),
        KeyFile::Open(_) => None,
    };
    let unlock = move || file.unlock(given.as_deref());
    Ok(tokio::task::spawn_blocking(unlock).await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_a_file_is_the_passphrase() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p");
        std::fs::write(&file, "straw and mud\nnot this\n").unwrap();
        assert_eq!(read(Some(&file), "").unwrap(), "straw and mud");
        std::fs::write(&file, "\n").unwrap();
        let error = read(Some(&file), "").unwrap_err().to_string();
        assert!(error.contains("--passphrase-file"), "{error}");
    }
}
