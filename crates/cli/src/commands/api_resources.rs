//! `skep api-resources`: the kinds of the cluster.

use std::process::ExitCode;

use clap::Args;
use skep_api::proto::{ApiResource, ApiResourcesRequest};

use crate::{
    context::Context,
    output::{self, Table},
};

/// What `skep api-resources` takes.
#[derive(Args, Debug)]
pub(crate) struct ApiResourcesArgs {
    /// Leave out the line of headings
    #[arg(long)]
    no_headers: bool,
    /// Only kinds that live in namespaces (or, =false, those that do not)
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    namespaced: Option<bool>,
    /// Only kinds of this API group; empty is the core group
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Only kinds of these categories, such as all
    #[arg(long, value_delimiter = ',', value_name = "CATEGORY")]
    categories: Vec<String>,
    /// Only kinds that have all these verbs, such as watch
    #[arg(long, value_delimiter = ',', value_name = "VERB")]
    verbs: Vec<String>,
    /// How to show them: wide or name
    #[arg(short, long, value_parser = ["wide", "name"], hide_possible_values = true)]
    output: Option<String>,
}

impl ApiResourcesArgs {
    fn asks_for(&self, resource: &ApiResource) -> bool {
        let group = resource
            .api_version
            .rsplit_once('/')
            .map_or("", |(group, _)| group);
        self.namespaced
            .is_none_or(|namespaced| namespaced == resource.namespaced)
            && self.api_group.as_ref().is_none_or(|wanted| wanted == group)
            && self
                .categories
                .iter()
                .all(|wanted| resource.categories.contains(wanted))
            && self.verbs.iter().all(|wanted| resource.verbs.contains(wanted))
    }
}

/// Shows the kinds of the cluster.
///
/// # Errors
/// Where the server cannot be asked.
pub(crate) async fn run(args: ApiResourcesArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let answer = ctx
        .client()
        .await?
        .api_resources(ApiResourcesRequest {})
        .await?
        .into_inner();
    let resources = answer.resources.iter().filter(|resource| args.asks_for(resource));
    if args.output.as_deref() == Some("name") {
        let names: String = resources.map(|resource| qualified(resource) + "\n").collect();
        output::write(&names)?;
        return Ok(ExitCode::SUCCESS);
    }
    let wide = args.output.as_deref() == Some("wide");
    let mut headers = vec!["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"];
    if wide {
        headers.extend(["VERBS", "CATEGORIES"]);
    }
    let mut table = Table::new(headers);
    table.show_headers = !args.no_headers;
    for resource in resources {
        table.push(row(resource, wide));
    }
    output::write(&table.render())?;
    Ok(ExitCode::SUCCESS)
}

fn row(resource: &ApiResource, wide: bool) -> Vec<String> {
    let mut cells = vec![
        resource.name.clone(),
        resource.short_names.join(","),
        resource.api_version.clone(),
        resource.namespaced.to_string(),
        resource.kind.clone(),
    ];
    if wide {
        cells.extend([resource.verbs.join(","), resource.categories.join(",")]);
    }
    cells
}

fn qualified(resource: &ApiResource) -> String {
    match resource.api_version.rsplit_once('/') {
        Some((group, _)) => format!("{}.{group}", resource.name),
        None => resource.name.clone(),
    }
}
