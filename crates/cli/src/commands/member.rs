//! `skep member`: the servers of the cluster.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use skep_api::proto::{
    ListMembersRequest, ListMembersResponse, MemberInfo, MemberRequest, members_client::MembersClient,
};

use crate::{
    context::{Connection, Context},
    output::{self, Table},
};

/// What `skep member` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep member list
  skep member remove lost-machine        takes a server out that will not come back
  skep member promote witness            lets a learner vote
  skep member transfer b                 hands the lead to b")]
pub(crate) struct MemberArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the servers, and remember them in the client's config
    List,
    /// Take a server out of the cluster, dead or alive
    Remove(Named),
    /// Make a learner a voter
    Promote(Named),
    /// Hand the lead to another voter
    Transfer {
        /// Its name or number; any of them where none is named
        #[arg(default_value = "", hide_default_value = true)]
        member: String,
    },
}

#[derive(Args, Debug)]
struct Named {
    /// Its name or number
    member: String,
}

/// Shows or changes the servers.
///
/// # Errors
/// Where the server cannot be asked, or refuses.
pub(crate) async fn run(args: MemberArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut client = MembersClient::new(ctx.connection().await?);
    match args.action {
        Action::List => {
            let members = client.list(ListMembersRequest {}).await?.into_inner().members;
            output::write(&table(&members))?;
            remember(ctx, &members)?;
        }
        Action::Remove(named) => {
            let request = request(&named.member);
            done(
                ctx,
                client.remove(request).await?.get_ref(),
                &format!("server {} removed", named.member),
            )?;
        }
        Action::Promote(named) => {
            let before = client.list(ListMembersRequest {}).await?.into_inner().members;
            let voted = before
                .iter()
                .any(|member| member.voter && is_called(member, &named.member));
            let request = request(&named.member);
            let what = if voted {
                format!("server {} votes already", named.member)
            } else {
                format!("server {} promoted: it votes now", named.member)
            };
            done(ctx, client.promote(request).await?.get_ref(), &what)?;
        }
        Action::Transfer { member } => transfer(&mut client, &member).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn transfer(client: &mut MembersClient<Connection>, member: &str) -> anyhow::Result<()> {
    let members = client
        .transfer_leader(request(member))
        .await?
        .into_inner()
        .members;
    let leader = members.iter().find(|member| member.leads);
    let leader = leader.map_or("no server yet", |leader| leader.name.as_str());
    output::write(&format!("lead handed over: {leader} leads\n"))
}

/// By its name or its number.
fn is_called(member: &MemberInfo, name: &str) -> bool {
    member.name == name || name.parse::<u64>().is_ok_and(|id| id == member.id)
}

fn request(member: &str) -> MemberRequest {
    MemberRequest {
        member: member.to_owned(),
    }
}

fn done(ctx: &Context, answer: &ListMembersResponse, what: &str) -> anyhow::Result<()> {
    output::write(&format!("{what}\n"))?;
    remember(ctx, &answer.members)
}

/// The config's list of servers follows the cluster's, so that the client finds one when others are down.
fn remember(ctx: &Context, members: &[MemberInfo]) -> anyhow::Result<()> {
    let servers = members.iter().filter(|member| !member.address.is_empty());
    ctx.remember_servers(
        servers
            .map(|member| format!("https://{}", member.address))
            .collect(),
    )
}

fn table(members: &[MemberInfo]) -> String {
    let mut table = Table::new(["NAME", "ID", "ADDRESS", "ROLE", "STATUS", "LAG"]);
    for member in members {
        let role = match (member.leads, member.voter) {
            (true, _) => "leader",
            (_, true) => "voter",
            _ => "learner",
        };
        let (status, lag) = match member.lag {
            _ if member.leads => ("Ready", String::new()),
            Some(lag) => ("Ready", lag.to_string()),
            None => ("Unreachable", "<unknown>".to_owned()),
        };
        table.push([
            member.name.clone(),
            member.id.to_string(),
            member.address.clone(),
            role.to_owned(),
            status.to_owned(),
            lag,
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn servers_are_listed_with_their_part_and_how_they_do() {
        let member = |id: u64, voter, leads, lag| MemberInfo {
            id,
            name: format!("s{id}"),
            address: format!("10.0.0.{id}:7443"),
            voter,
            leads,
            lag,
        };
        let members = [
            member(1, true, true, Some(0)),
            member(2, true, false, Some(3)),
            member(3, true, false, None),
            member(4, false, false, Some(0)),
        ];
        expect![[r"
            NAME   ID   ADDRESS         ROLE      STATUS        LAG
            s1     1    10.0.0.1:7443   leader    Ready         
            s2     2    10.0.0.2:7443   voter     Ready         3
            s3     3    10.0.0.3:7443   voter     Unreachable   <unknown>
            s4     4    10.0.0.4:7443   learner   Ready         0
        "]]
        .assert_eq(&table(&members));
    }
}
