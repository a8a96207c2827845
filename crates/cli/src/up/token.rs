//! The bearer token that clients show on TCP: made once, kept in a file that only its owner can read.

use std::{fs, io, io::Write, os::unix::fs::PermissionsExt, path::Path};

use anyhow::{Context, bail};

/// The token in the file, or a new one of 256 random bits written there.
///
/// # Errors
/// Where the file cannot be read or written, or holds no token.
pub(super) fn load_or_make(path: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(path) {
        Ok(text) if text.trim().len() >= 32 => Ok(text.trim().to_owned()),
        Ok(_) => bail!(
            "{} holds no token; delete the file to get a new one",
            path.display()
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let token = make();
            write(path, &token).with_context(|| format!("cannot write {}", path.display()))?;
            Ok(token)
        }
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// 64 hexadecimal digits.
fn make() -> String {
    rand::random::<[u8; 32]>()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Writes the file whole or not at all.
fn write(path: &Path, token: &str) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.as_file()
        .set_permissions(fs::Permissions::from_mode(0o600))?;
    writeln!(file, "{token}")?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let token = load_or_make(&path).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!(load_or_make(&path).unwrap(), token);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(make(), make());
    }

    #[test]
    fn a_damaged_token_is_not_taken_for_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "\n").unwrap();
        assert!(
            load_or_make(&path)
                .unwrap_err()
                .to_string()
                .contains("delete the file")
        );
    }
}
