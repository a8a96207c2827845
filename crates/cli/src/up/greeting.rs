//! What a person reads once the cluster is up.

use std::{fmt::Write, io::IsTerminal};

use skep_agent::AgentConfig;
use skep_server::Ready;

use super::client_config::Written;

/// Greets on a terminal; elsewhere the log says it.
pub(super) fn print(ready: &Ready, agent: &AgentConfig, context: Option<&Written>) {
    let address = ready.address.map(|address| address.to_string());
    tracing::info!(
        socket = %ready.socket.display(),
        address = address.as_deref().unwrap_or("none"),
        node = agent.node_name,
        "skep is up"
    );
    if std::io::stdout().is_terminal() {
        print!("{}", text(ready, agent, context));
    }
}

fn text(ready: &Ready, agent: &AgentConfig, context: Option<&Written>) -> String {
    let mut text = format!("\nskep is up on node {}", agent.node_name);
    if let Some(address) = ready.address {
        write!(text, ", serving on {address}").expect("a string takes all text");
    }
    let skep = match context {
        Some(Written { current: true, .. }) => "skep".to_owned(),
        Some(Written { context, .. }) => format!("skep --context {context}"),
        None => format!("skep --server unix://{}", ready.socket.display()),
    };
    write!(
        text,
        "\n\n  Try in another terminal:\n\
         \x20   {skep} get nodes\n\
         \x20   {skep} create deployment hello --image=IMAGE --replicas=3\n\
         \x20   {skep} rollout status deployment/hello\n\
         \x20   {skep} get pods -o wide\n\n\
         \x20 Ctrl-C ends skep; containers go on running.\n\n"
    )
    .expect("a string takes all text");
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_greeting_says_what_to_try_next() {
        let ready = Ready {
            socket: "/data/skep.sock".into(),
            address: Some("127.0.0.1:7443".parse().unwrap()),
            cluster_id: "c".into(),
        };
        let agent = AgentConfig {
            node_name: "a".into(),
            ..AgentConfig::default()
        };
        expect![[r#"

            skep is up on node a, serving on 127.0.0.1:7443

              Try in another terminal:
                skep --context skep get nodes
                skep --context skep create deployment hello --image=IMAGE --replicas=3
                skep --context skep rollout status deployment/hello
                skep --context skep get pods -o wide

              Ctrl-C ends skep; containers go on running.

        "#]]
        .assert_eq(&text(
            &ready,
            &agent,
            Some(&Written {
                context: "skep".to_owned(),
                current: false,
            }),
        ));
    }
}
