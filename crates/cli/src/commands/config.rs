//! `skep config`: the client's config file.

pub(super) mod renew;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};

use crate::{
    config::Config,
    context::Context,
    output::{self, Table},
};

/// What `skep config` takes.
#[derive(Args, Debug)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Show the config file, tokens and keys left out
    View {
        /// Show tokens and keys as well
        #[arg(long)]
        raw: bool,
        /// Only what the current context needs
        #[arg(long)]
        minify: bool,
    },
    /// List the contexts; the current one has a star
    GetContexts {
        /// Leave out the line of headings
        #[arg(long)]
        no_headers: bool,
        /// How to show them: name
        #[arg(short, long, value_parser = ["name"], hide_possible_values = true)]
        output: Option<String>,
    },
    /// Show the name of the current context
    CurrentContext,
    /// Choose the context to work in
    UseContext {
        /// The context's name
        name: String,
    },
    /// Ask the cluster for a new certificate in place of the present one of the context's user
    Renew,
    /// Take a context out of the file; its cluster and user stay
    DeleteContext {
        /// The context's name
        name: String,
    },
    /// Change or make a context, such as its --namespace
    SetContext(SetContext),
}

#[derive(Args, Debug)]
struct SetContext {
    /// The context's name
    #[arg(required_unless_present = "current", conflicts_with = "current")]
    name: Option<String>,
    /// Change the current context
    #[arg(long)]
    current: bool,
    /// The cluster's name in the config file
    #[arg(long)]
    cluster: Option<String>,
    /// The user's name in the config file
    #[arg(long)]
    user: Option<String>,
}

/// Shows or changes the config file.
///
/// # Errors
/// Where a name is unknown or the file cannot be written.
pub(crate) async fn run(args: ConfigArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let config = ctx.config();
    match args.action {
        Action::View { raw, minify } => output::write(&view(config, raw, minify)?)?,
        Action::GetContexts { no_headers, output } => {
            output::write(&contexts(&config, !no_headers, output.is_some()))?;
        }
        Action::CurrentContext if config.current_context.is_empty() => bail!("current-context is not set"),
        Action::CurrentContext => output::write(&format!("{}\n", config.current_context))?,
        Action::Renew => renew::run(ctx).await?,
        Action::UseContext { name } => use_context(config, &name, ctx)?,
        Action::DeleteContext { name } => delete_context(config, &name, ctx)?,
        Action::SetContext(change) => set_context(config, change, ctx)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn view(mut config: Config, raw: bool, minify: bool) -> anyhow::Result<String> {
    if minify {
        let context = config
            .context(&config.current_context)
            .cloned()
            .unwrap_or_default();
        config
            .contexts
            .retain(|named| named.name == config.current_context);
        config.clusters.retain(|named| named.name == context.cluster);
        config.users.retain(|named| named.name == context.user);
    }
    if !raw {
        let users = config.users.iter_mut().map(|named| &mut named.user);
        users
            .flat_map(|user| {
                [
                    &mut user.token,
                    &mut user.client_key_data,
                    &mut user.client_certificate_data,
                ]
            })
            .chain(
                config
                    .clusters
                    .iter_mut()
                    .map(|named| &mut named.cluster.certificate_authority_data),
            )
            .filter(|data| !data.is_empty())
            .for_each(|data| "REDACTED".clone_into(data));
    }
    output::yaml(&config)
}

fn contexts(config: &Config, show_headers: bool, names_only: bool) -> String {
    if names_only {
        return config
            .contexts
            .iter()
            .map(|named| format!("{}\n", named.name))
            .collect();
    }
    let mut table = Table::new(["CURRENT", "NAME", "CLUSTER", "AUTHINFO", "NAMESPACE"]);
    table.show_headers = show_headers;
    for named in &config.contexts {
        let star = if named.name == config.current_context {
            "*"
        } else {
            ""
        };
        let context = &named.context;
        table.push(
            [
                star,
                &named.name,
                &context.cluster,
                &context.user,
                &context.namespace,
            ]
            .map(str::to_owned),
        );
    }
    table.render()
}

fn use_context(mut config: Config, name: &str, ctx: &Context) -> anyhow::Result<()> {
    if config.context(name).is_none() {
        let names: Vec<&str> = config.contexts.iter().map(|named| named.name.as_str()).collect();
        bail!(
            "no context exists with the name: \"{name}\" in {}; there are: {}",
            ctx.config_path().display(),
            names.join(", ")
        );
    }
    name.clone_into(&mut config.current_context);
    config.save(ctx.config_path())?;
    output::write(&format!("Switched to context \"{name}\".\n"))
}

fn delete_context(mut config: Config, name: &str, ctx: &Context) -> anyhow::Result<()> {
    let path = ctx.config_path();
    if config.context(name).is_none() {
        bail!("cannot delete context {name}, not in {}", path.display());
    }
    config.contexts.retain(|named| named.name != name);
    config.save(path)?;
    if config.current_context == name {
        eprintln!(
            "warning: this removed your active context, use \"skep config use-context\" to select a different one"
        );
    }
    output::write(&format!("deleted context {name} from {}\n", path.display()))
}

fn set_context(mut config: Config, change: SetContext, ctx: &Context) -> anyhow::Result<()> {
    let name = change.name.unwrap_or_else(|| config.current_context.clone());
    if name.is_empty() {
        bail!("no current context is set");
    }
    let there = config.context(&name).is_some();
    let context = config.context_mut(&name);
    let given = [
        (&mut context.cluster, change.cluster),
        (&mut context.user, change.user),
        (&mut context.namespace, ctx.globals().namespace.clone()),
    ];
    for (field, value) in given {
        if let Some(value) = value {
            *field = value;
        }
    }
    config.save(ctx.config_path())?;
    let done = if there { "modified" } else { "created" };
    output::write(&format!("Context \"{name}\" {done}.\n"))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn two_clusters() -> Config {
        let mut config = Config::default();
        config.set_cluster("local", "unix:///run/skep.sock", "s3cret");
        config.set_cluster("far", "http://10.0.0.1:7443", "");
        config.context_mut("far").namespace = "shop".into();
        config
    }

    #[test]
    fn contexts_are_listed_with_a_star_at_the_current_one() {
        expect![[r#"
            CURRENT   NAME    CLUSTER   AUTHINFO   NAMESPACE
            *         local   local     local      
                      far     far       far        shop
        "#]]
        .assert_eq(&contexts(&two_clusters(), true, false));
    }

    #[test]
    fn a_view_hides_tokens_unless_asked() {
        assert!(!view(two_clusters(), false, false).unwrap().contains("s3cret"));
        assert!(view(two_clusters(), true, false).unwrap().contains("s3cret"));
    }

    #[test]
    fn a_small_view_has_only_what_the_current_context_needs() {
        assert!(!view(two_clusters(), false, true).unwrap().contains("far"));
    }
}
