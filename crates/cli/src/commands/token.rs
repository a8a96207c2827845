//! `skep token`: what lets machines into the cluster.

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::{Args, Subcommand, ValueEnum};
use skep_api::{
    Time,
    proto::{
        CreateTokenRequest, JoinRole, ListTokensRequest, RevokeTokenRequest, TokenInfo,
        trust_client::TrustClient,
    },
};

use crate::{
    context::Context,
    duration,
    output::{self, Table},
};

/// What `skep token` takes.
#[derive(Args, Debug)]
#[command(after_help = "\
Examples:
  skep token create --role agent
  skep token create --role server --uses 2 --lifetime 1h
  skep token list
  skep token revoke 0a1b2c3d4e")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it; it is shown this once
    Create(CreateArgs),
    /// List the tokens that can still be used, without their secrets
    List,
    /// Make a token useless
    Revoke {
        /// The token or its id
        token: String,
    },
}

#[derive(Args, Debug)]
struct CreateArgs {
    /// What a machine may join as
    #[arg(long, value_enum, default_value = "agent")]
    role: Role,
    /// How long it can be used
    #[arg(long, value_name = "DURATION", value_parser = duration::parse, default_value = "24h")]
    lifetime: Duration,
    /// How many machines it lets in; 0 any number
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    uses: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Role {
    Server,
    Agent,
}

/// Makes, lists or revokes tokens.
///
/// # Errors
/// Where the server cannot be asked, or refuses.
pub(crate) async fn run(args: TokenArgs, ctx: &Context) -> anyhow::Result<ExitCode> {
    let mut client = TrustClient::new(ctx.connection().await?);
    match args.action {
        Action::Create(args) => {
            let role = match args.role {
                Role::Server => JoinRole::Server,
                Role::Agent => JoinRole::Agent,
            };
            if args.lifetime < Duration::from_secs(1) {
                bail!("--lifetime: a token that lives less than a second lets nobody in: write such as 1h");
            }
            let request = CreateTokenRequest {
                role: role.into(),
                lifetime_seconds: args.lifetime.as_secs(),
                uses: args.uses,
            };
            let token = client.create_token(request).await?.into_inner().token;
            output::write(&format!("{token}\n"))?;
        }
        Action::List => {
            let tokens = client
                .list_tokens(ListTokensRequest {})
                .await?
                .into_inner()
                .tokens;
            output::write(&table(&tokens, Time::from(jiff::Timestamp::now())))?;
        }
        Action::Revoke { token } => {
            let id = token.clone();
            client.revoke_token(RevokeTokenRequest { id }).await?;
            // The secret of a token that is given whole is not for the screen.
            let shown = token.split('.').nth(2).unwrap_or(&token);
            output::write(&format!("token {shown} revoked\n"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(tokens: &[TokenInfo], now: Time) -> String {
    let mut table = Table::new(["ID", "ROLE", "EXPIRES IN", "USES LEFT", "AGE"]);
    for token in tokens {
        let role = match token.role() {
            JoinRole::Server => "server",
            JoinRole::Agent => "agent",
            JoinRole::Unspecified => "<unknown>",
        };
        let left = token
            .uses_left
            .map_or_else(|| "any".to_owned(), |left| left.to_string());
        let expires = Time::from_millis(token.expires_millis).since(now);
        let age = now.since(Time::from_millis(token.created_millis));
        table.push([
            token.id.clone(),
            role.to_owned(),
            duration::human(expires),
            left,
            duration::human(age),
        ]);
    }
    table.render()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn tokens_are_listed_without_their_secrets() {
        let token = TokenInfo {
            id: "0a1b2c3d4e".to_owned(),
            role: JoinRole::Server.into(),
            expires_millis: 3_600_000,
            uses_left: Some(2),
            created_millis: 0,
        };
        expect![[r"
            ID           ROLE     EXPIRES IN   USES LEFT   AGE
            0a1b2c3d4e   server   50m          2           10m
        "]]
        .assert_eq(&table(&[token], Time::from_secs(600)));
    }
}
