//! `skep edit`: an object in an editor.

mod merge;

use std::{fs, io::Write, path::Path, process::Command, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;
use skep_api::proto::patch_request;

use crate::{
    args::{ResourceId, Selection},
    context::Context,
    errors::{self, Failures},
    manifests, output, reads,
    writes::{DryRun, patch},
};
use merge::merge_patch;

const HEADER: &str = "\
# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
";

/// What `skep edit` takes.
#[derive(Args, Debug)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    selection: Selection,
    /// How to show the object
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// How the object is shown in the editor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Yaml,
    Json,
}

impl Format {
    fn text(self, object: &Value) -> anyhow::Result<String> {
        match self {
            Self::Yaml => output::yaml(object),
            Self::Json => output::json(object),
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Yaml => ".yaml",
            Self::Json => ".json",
        }
    }
}

/// Opens each object in the editor and sends what was changed.
///
/// # Errors
/// Where the words name no objects; what fails for one object is printed and makes the exit code 1.
pub(crate) async fn run(args: EditArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut failures = Failures::default();
    for id in args.selection.resolve(ctx).await? {
        failures.keep(edit(&id, args.output, ctx).await);
    }
    Ok(failures.exit_code())
}

/// Opens one object until what comes back is taken, unchanged, or empty.
async fn edit(id: &ResourceId, format: Format, ctx: &Context) -> anyhow::Result<()> {
    let live = reads::get(ctx, id).await?;
    let mut body = format.text(&live)?;
    let mut problem = String::new();
    loop {
        let sheet = Sheet::new(&body, &problem, format)?;
        sheet.open()?;
        let Some(edited) = sheet.read()?.filter(|edited| *edited != body) else {
            return given_up(&problem, &sheet, &body);
        };
        match save(id, &live, &edited, ctx).await {
            Ok(word) => return output::write(&format!("{id} {word}\n")),
            Err(error) if errors::is_connection_lost(&error) => {
                eprintln!(
                    "A copy of your changes has been stored to \"{}\"",
                    sheet.keep(&edited)?
                );
                return Err(error);
            }
            Err(error) => problem = errors::describe(&error),
        }
        body = edited;
    }
}

fn given_up(problem: &str, sheet: &Sheet, body: &str) -> anyhow::Result<()> {
    if problem.is_empty() {
        eprintln!("Edit cancelled, no changes made.");
        return Ok(());
    }
    eprintln!("{problem}");
    bail!(
        "edit cancelled, no valid changes were saved: a copy of your changes has been stored to \"{}\"",
        sheet.keep(body)?
    )
}

/// Sends what was changed; gives the word that tells so.
async fn save(id: &ResourceId, live: &Value, edited: &str, ctx: &Context) -> anyhow::Result<&'static str> {
    let edited = manifests::parse_one("the edited object", edited)?;
    if ResourceId::of_document(&edited).as_ref() != Some(id) || edited["apiVersion"] != live["apiVersion"] {
        bail!("apiVersion, kind, name and namespace cannot be changed");
    }
    match merge_patch(live, &edited) {
        None => Ok("skipped, nothing was changed"),
        Some(change) => {
            patch(ctx, id, patch_request::Type::Merge, change, DryRun::None).await?;
            Ok("edited")
        }
    }
}

/// The file that the editor opens.
struct Sheet {
    file: tempfile::NamedTempFile,
    format: Format,
}

impl Sheet {
    fn new(body: &str, problem: &str, format: Format) -> anyhow::Result<Self> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("skep-edit-").suffix(format.extension());
        let mut file = builder.tempfile().context("cannot make a file to edit")?;
        // JSON knows no comments, but lines with a # are left out before it is read.
        let remarks: String = problem.lines().map(|line| format!("# {line}\n")).collect();
        write!(
            file,
            "{HEADER}{remarks}{}{body}",
            if problem.is_empty() { "" } else { "#\n" }
        )?;
        file.flush()?;
        Ok(Self { file, format })
    }

    fn open(&self) -> anyhow::Result<()> {
        let editor = editor();
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("{editor} \"$0\""))
            .arg(self.file.path())
            .status();
        let status = status.with_context(|| format!("cannot start the editor \"{editor}\""))?;
        if !status.success() {
            bail!("there was a problem with the editor \"{editor}\": {status}");
        }
        Ok(())
    }

    /// What the file holds now, without remarks at its top; `None` where nothing is left.
    fn read(&self) -> anyhow::Result<Option<String>> {
        // Many editors replace the file, so it is read by its path.
        let text = fs::read_to_string(self.file.path()).context("cannot read the edited file")?;
        Ok(without_remarks(&text))
    }

    /// Keeps the text in a file that stays; gives its path.
    fn keep(&self, body: &str) -> anyhow::Result<String> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("skep-edit-").suffix(self.format.extension());
        let (mut file, path) = builder.tempfile()?.keep()?;
        file.write_all(body.as_bytes())?;
        Ok(Path::display(&path).to_string())
    }
}

/// Leaves out lines with a # up to the first that has none, so that comments in texts stay.
fn without_remarks(text: &str) -> Option<String> {
    let lines = text
        .split_inclusive('\n')
        .skip_while(|line| line.starts_with('#'));
    let body: String = lines.collect();
    (!body.trim().is_empty()).then_some(body)
}

fn editor() -> String {
    let named = ["SKEP_EDITOR", "KUBE_EDITOR", "VISUAL", "EDITOR"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    named
        .into_iter()
        .find(|editor| !editor.trim().is_empty())
        .unwrap_or_else(|| "vi".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_at_the_top_are_left_out_and_no_others() {
        assert_eq!(
            without_remarks("# a\n# b\nx: |\n  # c\n# d\n"),
            Some("x: |\n  # c\n# d\n".into())
        );
    }

    #[test]
    fn a_file_with_remarks_only_is_empty() {
        assert_eq!(without_remarks("# a\n\n"), None);
        assert_eq!(without_remarks(""), None);
    }

    #[test]
    fn a_sheet_that_is_not_touched_gives_back_its_body() {
        for problem in ["", "it is wrong\nin two ways"] {
            let sheet = Sheet::new("a: 1\n", problem, Format::Yaml).unwrap();
            assert_eq!(sheet.read().unwrap().as_deref(), Some("a: 1\n"));
        }
    }
}
