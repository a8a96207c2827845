//! Flags that say how a cluster places and moves pods.

use clap::{Args, ValueEnum};
use skep_server::{Rebalancing, Scoring, ServerConfig};

/// How a cluster places and moves pods; flatten it into the arguments of what runs a server.
#[derive(Args, Clone, Debug)]
pub(crate) struct PolicyArgs {
    /// How nodes are filled whose pool does not say: spread takes the emptiest, bin-pack the fullest with room
    #[arg(long, value_name = "HOW", value_enum, default_value_t = Filling::Spread)]
    scoring: Filling,
    /// Move pods off overfull and wrong nodes, in all namespaces that do not say skep.io/rebalance: "false"
    #[arg(long)]
    rebalance: bool,
    /// How many such moves begin within a minute at most
    #[arg(long, value_name = "NUMBER", default_value_t = Rebalancing::default().per_minute)]
    rebalance_per_minute: usize,
    /// How many such moves are under way at most
    #[arg(long, value_name = "NUMBER", default_value_t = Rebalancing::default().at_once)]
    rebalance_at_once: usize,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Filling {
    Spread,
    BinPack,
}

impl PolicyArgs {
    /// Puts what was said into a server's configuration.
    pub(crate) fn apply(&self, config: &mut ServerConfig) {
        config.scoring = match self.scoring {
            Filling::Spread => Scoring::Spread,
            Filling::BinPack => Scoring::Pack,
        };
        config.rebalancing = Rebalancing {
            everywhere: self.rebalance,
            per_minute: self.rebalance_per_minute,
            at_once: self.rebalance_at_once,
        };
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: PolicyArgs,
    }

    fn said(words: &[&str]) -> (Scoring, Rebalancing) {
        let mut config = ServerConfig::new("");
        let line = ["skep"].iter().chain(words);
        Line::parse_from(line).args.apply(&mut config);
        (config.scoring, config.rebalancing)
    }

    #[test]
    fn what_is_not_said_is_as_the_server_has_it() {
        let config = ServerConfig::new("");
        assert_eq!(said(&[]), (config.scoring, config.rebalancing));
        assert!(!config.rebalancing.everywhere);
    }

    #[test]
    fn what_is_said_reaches_the_server() {
        let words = [
            "--scoring",
            "bin-pack",
            "--rebalance",
            "--rebalance-per-minute",
            "30",
            "--rebalance-at-once=5",
        ];
        let wanted = Rebalancing {
            everywhere: true,
            per_minute: 30,
            at_once: 5,
        };
        assert_eq!(said(&words), (Scoring::Pack, wanted));
    }
}
