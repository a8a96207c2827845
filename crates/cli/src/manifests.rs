//! `-f`: documents from files, folders and standard input.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use serde_json::{Map, Value};
use skep_api::{DecodeError, Object, yaml};

use crate::{args::ResourceId, context::Context, errors::Failures};

const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];

/// `-f` and `-R`; flatten them into a command's arguments.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct FileArgs {
    /// The file, folder or - (standard input) that holds the documents; may be given several times
    #[arg(short = 'f', long = "filename", value_name = "FILE", value_delimiter = ',')]
    pub(crate) files: Vec<String>,
    /// Look into the folders of folders as well
    #[arg(short = 'R', long)]
    pub(crate) recursive: bool,
}

/// One document of a known kind, its namespace filled in.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Document {
    /// The file it is from.
    pub(crate) origin: String,
    /// The object it describes.
    pub(crate) id: ResourceId,
    /// The document itself.
    pub(crate) value: Value,
}

impl FileArgs {
    /// True where no file is given.
    pub(crate) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The documents of all files, in the order in which they are to be created. What cannot be read or understood is a failure; the
    /// rest is still given.
    pub(crate) fn load(&self, ctx: &Context, failures: &mut Failures) -> Vec<Document> {
        let mut documents = Vec::new();
        for file in &self.files {
            for source in failures.keep(sources(file, self.recursive)).unwrap_or_default() {
                let values = failures.keep(source.values()).unwrap_or_default();
                let given = values
                    .into_iter()
                    .map(|value| Document::new(&source.origin, value, ctx));
                documents.extend(given.filter_map(|document| failures.keep(document)));
            }
        }
        documents.sort_by_key(|document: &Document| document.id.kind);
        documents
    }
}

impl Document {
    fn new(origin: &str, value: Value, ctx: &Context) -> anyhow::Result<Self> {
        let asked = ctx.namespace_is_given().then(|| ctx.namespace());
        Self::in_namespace(origin, value, ctx.namespace(), asked)
    }

    /// Reads kind and name, and puts the document into the namespace where it names none.
    fn in_namespace(
        origin: &str,
        mut value: Value,
        default: &str,
        asked: Option<&str>,
    ) -> anyhow::Result<Self> {
        let kind = Object::kind_of(&value).map_err(|error| unknown_kind(origin, error))?;
        if kind.namespaced() {
            fill_namespace(&mut value, default, asked).with_context(|| origin.to_owned())?;
        }
        let id = ResourceId::of_document(&value).expect("the kind is known");
        if id.name.is_empty()
            && value["metadata"]["generateName"]
                .as_str()
                .unwrap_or_default()
                .is_empty()
        {
            bail!("{origin}: a {kind} lacks metadata.name");
        }
        Ok(Self {
            origin: origin.to_owned(),
            id,
            value,
        })
    }
}

fn unknown_kind(origin: &str, error: DecodeError) -> anyhow::Error {
    match error {
        DecodeError::UnknownKind { api_version, kind } => anyhow!(
            "{origin}: no matches for kind \"{kind}\" in version \"{api_version}\"; `skep api-resources` lists what there is"
        ),
        other => anyhow!("{origin}: {other}"),
    }
}

fn fill_namespace(value: &mut Value, default: &str, asked: Option<&str>) -> anyhow::Result<()> {
    let fields = value.as_object_mut().expect("only a mapping has a kind");
    let metadata = fields
        .entry("metadata")
        .or_insert_with(|| Value::Object(Map::new()));
    // Something else than a mapping is for the server to refuse, with the field's path.
    let Some(metadata) = metadata.as_object_mut() else {
        return Ok(());
    };
    let given = metadata
        .get("namespace")
        .and_then(Value::as_str)
        .unwrap_or_default();
    match asked {
        Some(asked) if !given.is_empty() && given != asked => bail!(
            "the namespace from the provided object \"{given}\" does not match the namespace \"{asked}\": \
             pass --namespace={given} to perform this operation"
        ),
        _ if given.is_empty() => {
            metadata.insert("namespace".to_owned(), default.into());
        }
        _ => {}
    }
    Ok(())
}

/// One text that may hold several documents.
struct Source {
    origin: String,
    text: String,
}

impl Source {
    fn read(path: &Path) -> anyhow::Result<Self> {
        let origin = path.display().to_string();
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {origin}"))?;
        Ok(Self { origin, text })
    }

    /// Its documents; lists are taken apart.
    fn values(&self) -> anyhow::Result<Vec<Value>> {
        yaml::documents(&self.text).map_err(|error| anyhow!("{}: {error}", self.origin))
    }
}

fn sources(file: &str, recursive: bool) -> anyhow::Result<Vec<Source>> {
    if file == "-" {
        let text = io::read_to_string(io::stdin()).context("cannot read standard input")?;
        return Ok(vec![Source {
            origin: "STDIN".to_owned(),
            text,
        }]);
    }
    if file.starts_with("http://") || file.starts_with("https://") {
        bail!("{file} is not fetched: get it first, or pipe it with `curl -fsSL {file} | skep ... -f -`");
    }
    let path = Path::new(file);
    let metadata = fs::metadata(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => anyhow!("the path \"{file}\" does not exist"),
        _ => anyhow!("cannot read {file}: {error}"),
    })?;
    if !metadata.is_dir() {
        return Ok(vec![Source::read(path)?]);
    }
    let mut paths = Vec::new();
    files_under(path, recursive, &mut paths)?;
    if paths.is_empty() {
        bail!("error reading [{file}]: recognized file extensions are [.json .yaml .yml]");
    }
    paths.iter().map(|path| Source::read(path)).collect()
}

/// Manifests of a folder, by name.
fn files_under(folder: &Path, recursive: bool, paths: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let wrong = || format!("cannot read the folder {}", folder.display());
    let entries = fs::read_dir(folder)
        .with_context(wrong)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(wrong)?;
    let mut entries: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    entries.sort();
    for path in entries {
        // A link to a folder is not followed: it could lead round in circles.
        let is_folder = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
        if is_folder && recursive {
            files_under(&path, recursive, paths)?;
        } else if path.is_file()
            && path
                .extension()
                .is_some_and(|ext| EXTENSIONS.iter().any(|known| ext == *known))
        {
            paths.push(path);
        }
    }
    Ok(())
}

/// A patch or an edited document: YAML or JSON, one document.
///
/// # Errors
/// Where it is neither, with line and column.
pub(crate) fn parse_one(origin: &str, text: &str) -> anyhow::Result<Value> {
    let documents = yaml::documents(text).map_err(|error| anyhow!("{origin}: {error}"))?;
    match <[Value; 1]>::try_from(documents) {
        Ok([document]) => Ok(document),
        Err(documents) => Err(anyhow!(
            "{origin}: one document is wanted, {} found",
            documents.len()
        )),
    }
}

/// The kinds of documents in reverse order of creation, for taking them away.
pub(crate) fn in_order_of_deletion(mut documents: Vec<Document>) -> Vec<Document> {
    documents.sort_by_key(|document| std::cmp::Reverse(document.id.kind));
    documents
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(namespace: &str) -> Value {
        json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "a", "namespace": namespace } })
    }

    fn namespace_of(value: Value, asked: Option<&str>) -> Result<String, String> {
        let document = Document::in_namespace("a.yaml", value, asked.unwrap_or("shop"), asked);
        document
            .map(|document| document.id.namespace)
            .map_err(|error| format!("{error:#}"))
    }

    fn values(text: &str) -> Result<Vec<Value>, String> {
        let source = Source {
            origin: "a.yaml".into(),
            text: text.into(),
        };
        source.values().map_err(|error| error.to_string())
    }

    #[test]
    fn a_document_without_namespace_goes_to_the_one_worked_in() {
        assert_eq!(namespace_of(pod(""), None), Ok("shop".into()));
        assert_eq!(namespace_of(pod("other"), None), Ok("other".into()));
        assert_eq!(namespace_of(pod(""), Some("asked")), Ok("asked".into()));
    }

    #[test]
    fn a_namespace_that_was_asked_for_must_match() {
        let error = namespace_of(pod("other"), Some("asked")).unwrap_err();
        assert!(
            error.contains("\"other\" does not match the namespace \"asked\""),
            "{error}"
        );
    }

    #[test]
    fn kinds_of_the_cluster_as_a_whole_get_no_namespace() {
        let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "shop" } });
        assert_eq!(namespace_of(namespace, Some("asked")), Ok(String::new()));
    }

    #[test]
    fn an_unknown_kind_is_named_with_its_file() {
        let error = namespace_of(json!({ "apiVersion": "v1", "kind": "Gadget" }), None).unwrap_err();
        assert!(
            error.starts_with("a.yaml: no matches for kind \"Gadget\" in version \"v1\""),
            "{error}"
        );
    }

    #[test]
    fn several_documents_and_lists_are_taken_apart() {
        let text = "a: 1\n---\n# nothing\n---\nkind: List\nitems: [{b: 2}, {c: 3}]\n";
        assert_eq!(
            values(text).unwrap(),
            [json!({ "a": 1 }), json!({ "b": 2 }), json!({ "c": 3 })]
        );
    }

    #[test]
    fn json_is_read_as_well() {
        assert_eq!(
            values("{\"a\": [1, true]}\n").unwrap(),
            [json!({ "a": [1, true] })]
        );
    }

    #[test]
    fn malformed_text_is_reported_with_file_line_and_column() {
        let error = values("a: 1\nb: [1\nc: 2\n").unwrap_err();
        assert!(error.starts_with("a.yaml: "), "{error}");
        assert!(error.contains("line 3"), "{error}");
        assert!(error.contains("column"), "{error}");
    }

    #[test]
    fn a_key_given_twice_is_an_error() {
        let error = values("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert!(error.contains("line 3") && error.contains('a'), "{error}");
    }

    #[test]
    fn folders_give_their_manifests_by_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        for (name, text) in [
            ("b.yaml", "b: 1"),
            ("a.json", "{\"a\": 1}"),
            ("notes.txt", "x"),
            ("deep/c.yml", "c: 1"),
        ] {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let texts = |recursive| {
            let sources = sources(&folder.path().display().to_string(), recursive).unwrap();
            sources
                .into_iter()
                .map(|source| source.text)
                .collect::<Vec<_>>()
                .join(";")
        };
        assert_eq!(texts(false), "{\"a\": 1};b: 1");
        assert_eq!(texts(true), "{\"a\": 1};b: 1;c: 1");
    }

    #[test]
    fn what_is_not_there_says_so() {
        let error = |file: &str| {
            sources(file, false)
                .err()
                .map(|error| error.to_string())
                .unwrap_or_default()
        };
        assert_eq!(
            error("/nothing/here.yaml"),
            "the path \"/nothing/here.yaml\" does not exist"
        );
        assert!(error("https://example.com/a.yaml").contains("is not fetched"));
        let empty = tempfile::tempdir().unwrap();
        assert!(error(&empty.path().display().to_string()).contains("recognized file extensions"));
    }
}
