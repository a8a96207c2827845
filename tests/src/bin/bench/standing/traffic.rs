//! Bytes on the wire, as the kernel counts them for each connection.

use std::{collections::BTreeMap, process::Command};

/// Bytes that connections with servers have carried so far, both ways.
pub(crate) struct Traffic {
    by_connection: BTreeMap<(String, String), Carried>,
}

#[derive(Clone, Copy)]
struct Carried {
    bytes: u64,
    between_servers: bool,
}

/// Bytes that were carried over some time.
pub(crate) struct Passed {
    pub(crate) between_servers: f64,
    pub(crate) with_clients: f64,
}

impl Traffic {
    /// Of the servers with these ports and processes. Each connection is counted once, by the end that accepted it.
    pub(crate) fn now(pids: &[u32], ports: [u16; 3]) -> Self {
        let listed = sockets();
        let by_server: Vec<&Socket> = listed
            .iter()
            .filter(|socket| {
                pids.iter()
                    .any(|pid| socket.users.contains(&format!("pid={pid},")))
            })
            .collect();
        let own: Vec<&str> = by_server.iter().map(|socket| socket.local.as_str()).collect();
        let accepted = by_server.iter().filter(|socket| {
            ports
                .iter()
                .any(|port| socket.local.ends_with(&format!(":{port}")))
        });
        let by_connection = accepted
            .map(|socket| {
                let carried = Carried {
                    bytes: socket.bytes,
                    between_servers: own.contains(&socket.remote.as_str()),
                };
                ((socket.local.clone(), socket.remote.clone()), carried)
            })
            .collect();
        Self { by_connection }
    }

    /// What was carried after `before`. Connections that have ended since do not count.
    pub(crate) fn since(&self, before: &Self) -> Passed {
        let mut passed = Passed {
            between_servers: 0.0,
            with_clients: 0.0,
        };
        for (connection, carried) in &self.by_connection {
            let known = before
                .by_connection
                .get(connection)
                .map_or(0, |before| before.bytes);
            #[expect(clippy::cast_precision_loss, reason = "bytes of a minute are far fewer")]
            let bytes = (carried.bytes - known) as f64;
            if carried.between_servers {
                passed.between_servers += bytes;
            } else {
                passed.with_clients += bytes;
            }
        }
        passed
    }
}

struct Socket {
    local: String,
    remote: String,
    users: String,
    bytes: u64,
}

/// TCP connections that stand.
fn sockets() -> Vec<Socket> {
    let output = Command::new("ss")
        .args([
            "--tcp",
            "--info",
            "--processes",
            "--numeric",
            "--no-header",
            "--oneline",
        ])
        .args(["state", "established"])
        .output()
        .expect("ss is installed: apt-get install iproute2");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(socket).collect()
}

fn socket(line: &str) -> Option<Socket> {
    let words: Vec<&str> = line.split_whitespace().collect();
    // The state is left out where one was asked for: two queues come first.
    let (local, remote) = (words.get(2)?, words.get(3)?);
    let figure = |name: &str| {
        let word = words.iter().find_map(|word| word.strip_prefix(name));
        word.and_then(|word| word.parse::<u64>().ok()).unwrap_or(0)
    };
    let users = words.iter().find(|word| word.starts_with("users:"));
    Some(Socket {
        local: (*local).to_owned(),
        remote: (*remote).to_owned(),
        users: users.map_or(String::new(), |users| (*users).to_owned()),
        bytes: figure("bytes_acked:") + figure("bytes_received:"),
    })
}
