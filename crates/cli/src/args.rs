//! kubectl's way to name resources: `TYPE NAME...`, `TYPE/NAME...`, `TYPE1,TYPE2`, `all`, by file, by selector.

use std::fmt;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::Value;
use skep_api::{Kind, proto::ObjectRef};

use crate::{context::Context, errors::Failures, manifests::FileArgs, reads::Listing};

/// Objects as the command line names them; flatten it into a command's arguments.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct Selection {
    /// TYPE NAME..., TYPE/NAME... or TYPE1,TYPE2 with -l or --all
    #[arg(value_name = "RESOURCE")]
    pub(crate) words: Vec<String>,
    /// The objects that documents describe.
    #[command(flatten)]
    pub(crate) files: FileArgs,
    /// The labels to select by, such as app=web,tier!=db
    #[arg(short = 'l', long, value_name = "LABELS")]
    pub(crate) selector: Option<String>,
    /// All objects of the types named
    #[arg(long)]
    pub(crate) all: bool,
}

/// Objects of one kind, by name; no names are all of the kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Query {
    /// The kind.
    pub(crate) kind: Kind,
    /// Names in the order given; empty for all.
    pub(crate) names: Vec<String>,
}

/// One object of the cluster; shown as `deployment.apps/web`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ResourceId {
    /// Its kind.
    pub(crate) kind: Kind,
    /// Its namespace; empty for kinds of the cluster as a whole.
    pub(crate) namespace: String,
    /// Its name.
    pub(crate) name: String,
}

impl ResourceId {
    /// The object of this kind and name, in this namespace where the kind is namespaced.
    pub(crate) fn new(kind: Kind, namespace: &str, name: impl Into<String>) -> Self {
        let namespace = if kind.namespaced() {
            namespace.to_owned()
        } else {
            String::new()
        };
        Self {
            kind,
            namespace,
            name: name.into(),
        }
    }

    /// As requests name it.
    pub(crate) fn to_ref(&self) -> ObjectRef {
        ObjectRef {
            kind: self.kind.as_str().to_owned(),
            namespace: self.namespace.clone(),
            name: self.name.clone(),
        }
    }

    /// The object that a document is of; `None` where its kind is unknown.
    pub(crate) fn of_document(document: &Value) -> Option<Self> {
        let kind = Kind::from_name(document["kind"].as_str()?)?;
        let metadata = &document["metadata"];
        let text = |field: &str| metadata[field].as_str().unwrap_or_default();
        Some(Self::new(kind, text("namespace"), text("name")))
    }
}

impl fmt::Display for ResourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", qualified_singular(self.kind), self.name)
    }
}

/// `deployment.apps`, or the singular alone in the core group.
pub(crate) fn qualified_singular(kind: Kind) -> String {
    match kind.group() {
        "" => kind.singular().to_owned(),
        group => format!("{}.{group}", kind.singular()),
    }
}

impl Selection {
    /// The objects meant: those named, whether they are there or not, or those that the server lists for a selector or `--all`.
    ///
    /// # Errors
    /// Where the words name no objects, or the server cannot be asked.
    pub(crate) async fn resolve(&self, ctx: &Context) -> anyhow::Result<Vec<ResourceId>> {
        self.resolve_in(ctx, ctx.namespace(), "").await
    }

    /// As [`Self::resolve`], in this namespace (empty: all) and among those that match the field selector.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub(crate) async fn resolve_in(
        &self,
        ctx: &Context,
        namespace: &str,
        field_selector: &str,
    ) -> anyhow::Result<Vec<ResourceId>> {
        if !self.files.is_empty() {
            return self.of_files(ctx);
        }
        let selects = self.selects() || !field_selector.is_empty();
        let mut ids = Vec::new();
        for query in parse_words(&self.words)? {
            match (query.names.is_empty(), selects) {
                (true, false) => bail!("resource(s) were provided, but no name was specified"),
                (false, true) => bail!("name cannot be provided when a selector or --all is specified"),
                (false, false) => {
                    ids.extend(
                        query
                            .names
                            .into_iter()
                            .map(|name| ResourceId::new(query.kind, namespace, name)),
                    );
                }
                (true, true) => {
                    let listing = Listing {
                        label_selector: self.selector.clone().unwrap_or_default(),
                        field_selector: field_selector.to_owned(),
                        ..Listing::new(query.kind, namespace)
                    };
                    ids.extend(
                        listing
                            .objects(ctx)
                            .await?
                            .iter()
                            .filter_map(ResourceId::of_document),
                    );
                }
            }
        }
        Ok(ids)
    }

    /// True where objects are selected and not named.
    pub(crate) fn selects(&self) -> bool {
        self.all || self.selector.is_some()
    }

    fn of_files(&self, ctx: &Context) -> anyhow::Result<Vec<ResourceId>> {
        if !self.words.is_empty() || self.selects() {
            bail!("when files are given with -f, no resources are named by type, selector or --all");
        }
        let mut failures = Failures::default();
        let documents = self.files.load(ctx, &mut failures);
        if failures.any() {
            bail!("not all files could be read");
        }
        Ok(documents.into_iter().map(|document| document.id).collect())
    }
}

/// The kind a person means.
///
/// # Errors
/// Where there is no such kind.
pub(crate) fn parse_kind(word: &str) -> anyhow::Result<Kind> {
    Kind::from_alias(word).ok_or_else(|| anyhow!("the server doesn't have a resource type \"{word}\""))
}

/// Reads `TYPE/NAME`, or a bare name of the kind that the command supposes.
///
/// # Errors
/// Where the kind is unknown or a part is empty.
pub(crate) fn parse_target(word: &str, supposed: Kind) -> anyhow::Result<(Kind, String)> {
    let (kind, name) = match word.split_once('/') {
        Some((kind, name)) => (parse_kind(kind)?, name),
        None => (supposed, word),
    };
    if name.is_empty() || name.contains('/') {
        bail!("arguments in resource/name form must have a single resource and name");
    }
    Ok((kind, name.to_owned()))
}

/// Reads `TYPE NAME...`, `TYPE/NAME...`, `TYPE1,TYPE2` or `all`.
///
/// # Errors
/// Where there are no words, a kind is unknown, or the two forms are mixed.
pub(crate) fn parse_words(words: &[String]) -> anyhow::Result<Vec<Query>> {
    let Some((types, names)) = words.split_first() else {
        bail!("you must specify the type of resource, such as pods; `skep api-resources` lists them");
    };
    if words.iter().any(|word| word.contains('/')) {
        return words.iter().map(|word| parse_slashed(word)).collect();
    }
    let mut queries: Vec<Query> = Vec::new();
    for word in types.split(',').filter(|word| !word.is_empty()) {
        let kinds = kinds_of(word)?;
        let known: Vec<_> = queries.iter().map(|query| query.kind).collect();
        let new = kinds.into_iter().filter(|kind| !known.contains(kind));
        queries.extend(new.map(|kind| Query {
            kind,
            names: names.to_vec(),
        }));
    }
    if queries.is_empty() {
        bail!("the server doesn't have a resource type \"{types}\"");
    }
    Ok(queries)
}

fn parse_slashed(word: &str) -> anyhow::Result<Query> {
    let Some((kind, name)) = word.split_once('/') else {
        bail!(
            "there is no need to specify a resource type as a separate argument when passing arguments in \
             resource/name form: write TYPE/NAME for each, or TYPE NAME..."
        );
    };
    if kind.is_empty() || name.is_empty() || name.contains('/') {
        bail!("arguments in resource/name form must have a single resource and name");
    }
    Ok(Query {
        kind: parse_kind(kind)?,
        names: vec![name.to_owned()],
    })
}

/// One kind, or all kinds of a category such as `all`, in kubectl's order.
fn kinds_of(word: &str) -> anyhow::Result<Vec<Kind>> {
    let mut of_category: Vec<_> = Kind::ALL
        .into_iter()
        .filter(|kind| kind.categories().contains(&word))
        .collect();
    of_category.sort_by_key(|kind| (kind.group(), kind.plural()));
    if of_category.is_empty() {
        Ok(vec![parse_kind(word)?])
    } else {
        Ok(of_category)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Vec<(Kind, String)>, String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        let queries = parse_words(&words).map_err(|error| error.to_string())?;
        Ok(queries
            .into_iter()
            .map(|query| (query.kind, query.names.join(" ")))
            .collect())
    }

    #[test]
    fn a_type_alone_is_all_of_it() {
        assert_eq!(parse("po"), Ok(vec![(Kind::Pod, String::new())]));
    }

    #[test]
    fn names_follow_their_type() {
        assert_eq!(
            parse("deploy web api"),
            Ok(vec![(Kind::Deployment, "web api".into())])
        );
    }

    #[test]
    fn several_types_share_the_names() {
        assert_eq!(
            parse("cm,secrets app"),
            Ok(vec![
                (Kind::ConfigMap, "app".into()),
                (Kind::Secret, "app".into())
            ])
        );
    }

    #[test]
    fn slashed_names_keep_their_order() {
        assert_eq!(
            parse("deployments.apps/web pod/a"),
            Ok(vec![(Kind::Deployment, "web".into()), (Kind::Pod, "a".into())])
        );
    }

    #[test]
    fn all_is_what_runs() {
        let kinds: Vec<_> = parse("all,pods")
            .unwrap()
            .into_iter()
            .map(|(kind, _)| kind)
            .collect();
        assert_eq!(kinds, [Kind::Pod, Kind::Deployment, Kind::ReplicaSet]);
    }

    #[test]
    fn unknown_types_are_refused_in_kubectls_words() {
        assert_eq!(
            parse("gadgets"),
            Err("the server doesn't have a resource type \"gadgets\"".into())
        );
        assert_eq!(
            parse("gadget/x"),
            Err("the server doesn't have a resource type \"gadget\"".into())
        );
    }

    #[test]
    fn the_two_forms_do_not_mix() {
        assert!(parse("pods pod/a").unwrap_err().starts_with("there is no need"));
        assert!(parse("pod/a/b").unwrap_err().contains("single resource and name"));
        assert!(parse("pod/").unwrap_err().contains("single resource and name"));
        assert!(parse("").unwrap_err().contains("type of resource"));
    }

    #[test]
    fn a_bare_name_is_of_the_kind_supposed() {
        assert_eq!(
            parse_target("web-0", Kind::Pod).unwrap(),
            (Kind::Pod, "web-0".into())
        );
        assert_eq!(
            parse_target("deploy/web", Kind::Pod).unwrap(),
            (Kind::Deployment, "web".into())
        );
    }

    #[test]
    fn an_object_shows_with_its_group() {
        assert_eq!(
            ResourceId::new(Kind::Deployment, "shop", "web").to_string(),
            "deployment.apps/web"
        );
        assert_eq!(
            ResourceId::new(Kind::Node, "shop", "a"),
            ResourceId::new(Kind::Node, "", "a")
        );
    }
}
