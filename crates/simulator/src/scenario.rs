//! What is played: nodes, what runs on them, and what happens when.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Deserializer, de};
use serde_json::Value;
use skep_api::{Object, PoolScoring, Quantity, Taint, duration, yaml};
use skep_controllers::{Rebalancing, Scoring, Settings};

use crate::admit::admit;

/// Where a name is made of: no scenario has more nodes.
const NODES_MAX: u32 = 100_000;

/// A scenario: the first document of a file; the documents after it are deployed when it begins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// `skep.io/v1`.
    pub api_version: String,
    /// `Scenario`.
    pub kind: String,
    /// What it shows, in a line.
    pub title: String,
    /// How much time is simulated.
    pub duration: Span,
    /// Where chance begins; `--seed` replaces it.
    pub seed: u64,
    /// How long things take.
    pub timing: Timing,
    /// How the cluster places and moves pods.
    pub policy: Policy,
    /// The nodes that are there from the beginning.
    pub nodes: Vec<NodeGroup>,
    /// What happens, in any order.
    pub steps: Vec<Step>,
    /// What is deployed when it begins.
    #[serde(skip)]
    pub objects: Vec<Object>,
}

/// How long things take; each differs by chance by up to a fifth.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Timing {
    /// To write to the log: the leader decides once in this time. 5 ms where not stated.
    pub write: Span,
    /// From a pod's binding to all its containers being ready; the annotation `sim.skep.io/start` of a pod says otherwise. 2 s
    /// where not stated.
    pub start: Span,
    /// From the wish that a pod ends to its end; its grace period is the most. 1 s where not stated.
    pub stop: Span,
    /// Between two signs of life of a node; 10 s where not stated.
    pub heartbeat: Span,
}

/// How the cluster places and moves pods: what `skep server` takes as flags.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// How nodes are filled whose pool does not say: `Spread`, which is the default, or `BinPack`.
    pub scoring: PoolScoring,
    /// Whether pods are moved off overfull and wrong nodes, in all namespaces that do not forbid it; false where not stated.
    pub rebalance: bool,
    /// How many such moves begin within a minute at most; 6 where not stated.
    pub rebalance_per_minute: Option<usize>,
    /// How many such moves are under way at most; 2 where not stated.
    pub rebalance_at_once: Option<usize>,
}

/// Nodes that are alike.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeGroup {
    /// They are called `NAME-1`, `NAME-2` and so on; one alone `NAME`.
    pub name: String,
    /// How many there are; 1 where not stated.
    pub count: Option<u32>,
    /// The node pool they are in; in none where empty.
    pub pool: String,
    /// The zones they are spread over in turn.
    pub zones: Vec<String>,
    /// What each has for pods: cpu, memory, pods (110 where not stated) and any other resource.
    pub resources: BTreeMap<String, Quantity>,
    /// Labels of each.
    pub labels: BTreeMap<String, String>,
    /// Taints of each.
    pub taints: Vec<Taint>,
}

/// One thing that happens: a time, and exactly one of the others.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Step {
    /// When, from the beginning.
    pub at: Span,
    /// Documents that are applied.
    pub apply: Option<Vec<Value>>,
    /// Sets the replicas of a workload.
    pub scale: Option<Scale>,
    /// Objects that are deleted.
    pub delete: Option<Vec<Named>>,
    /// Nodes that join.
    pub join: Option<NodeGroup>,
    /// Nodes that fall silent.
    pub fail: Option<Nodes>,
    /// Nodes that are heard of again.
    pub recover: Option<Nodes>,
    /// Nodes that get no new pods.
    pub cordon: Option<Nodes>,
    /// Nodes that get pods again.
    pub uncordon: Option<Nodes>,
    /// Nodes that leave for good.
    pub remove: Option<Nodes>,
}

/// Which nodes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Nodes {
    /// Those of these names.
    pub names: Vec<String>,
    /// Those with all of these labels.
    pub labels: BTreeMap<String, String>,
    /// That many of them, taken by chance; all where not stated.
    pub any: Option<usize>,
}

/// A workload's new size.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scale {
    /// The workload.
    #[serde(rename = "of")]
    pub target: Named,
    /// How many pods it is to have.
    pub replicas: i32,
}

/// An object by name, as `KIND/NAME` or `KIND/NAMESPACE/NAME`, such as `deployment/web`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its kind.
    pub kind: skep_api::Kind,
    /// Its namespace and name.
    pub key: skep_api::ObjectKey,
}

/// A stretch of time, such as `90s` or `1h30m`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScenarioError {
    /// The text is no YAML.
    #[error(transparent)]
    Text(#[from] yaml::YamlError),
    /// A field cannot be used.
    #[error("{place}: {why}")]
    Field {
        /// Which, such as `steps[2]`.
        place: String,
        /// What is wrong and what would be right.
        why: String,
    },
}

impl ScenarioError {
    pub(crate) fn at(place: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field {
            place: place.into(),
            why: why.into(),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            write: Span(Duration::from_millis(5)),
            start: Span(Duration::from_secs(2)),
            stop: Span(Duration::from_secs(1)),
            heartbeat: Span(Duration::from_secs(10)),
        }
    }
}

impl Policy {
    /// Puts what is said into the settings of the controllers.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        settings.scoring = match self.scoring {
            PoolScoring::Spread => Scoring::Spread,
            PoolScoring::BinPack => Scoring::Pack,
        };
        let usual = Rebalancing::default();
        settings.rebalancing = Rebalancing {
            everywhere: self.rebalance,
            per_minute: self.rebalance_per_minute.unwrap_or(usual.per_minute),
            at_once: self.rebalance_at_once.unwrap_or(usual.at_once),
        };
    }
}

impl Scenario {
    /// Reads a scenario: the first document of the text; the others are what is deployed.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn read(text: &str) -> Result<Self, ScenarioError> {
        let mut documents = yaml::documents(text)?.into_iter();
        let head = documents
            .next()
            .ok_or_else(|| ScenarioError::at("scenario", "the file is empty"))?;
        let mut scenario: Self =
            serde_json::from_value(head).map_err(|error| ScenarioError::at("scenario", error.to_string()))?;
        scenario.check()?;
        for (index, document) in documents.enumerate() {
            scenario.add(document, &format!("document {}", index + 2))?;
        }
        Ok(scenario)
    }

    /// Deploys what another text describes as well, such as nodes and workloads that were read from a cluster; `origin` names it
    /// in errors.
    ///
    /// # Errors
    /// The first document that is wrong.
    pub fn deploy(&mut self, text: &str, origin: &str) -> Result<(), ScenarioError> {
        for (index, document) in yaml::documents(text)?.into_iter().enumerate() {
            self.add(document, &format!("{origin}, document {}", index + 1))?;
        }
        Ok(())
    }

    fn add(&mut self, document: Value, place: &str) -> Result<(), ScenarioError> {
        self.objects.push(admit(document, place)?);
        Ok(())
    }

    fn check(&self) -> Result<(), ScenarioError> {
        if (self.api_version.as_str(), self.kind.as_str()) != ("skep.io/v1", "Scenario") {
            let why =
                "the first document must be a scenario: write `apiVersion: skep.io/v1` and `kind: Scenario`";
            return Err(ScenarioError::at("kind", why));
        }
        if self.duration.0.is_zero() {
            return Err(ScenarioError::at(
                "duration",
                "is missing: write for example `10m`",
            ));
        }
        for (name, span) in [("write", self.timing.write), ("heartbeat", self.timing.heartbeat)] {
            if span.0.is_zero() {
                let why = "must be more than nothing";
                return Err(ScenarioError::at(format!("timing.{name}"), why));
            }
        }
        for (index, group) in self.nodes.iter().enumerate() {
            group.check(&format!("nodes[{index}]"))?;
        }
        for (index, step) in self.steps.iter().enumerate() {
            step.check(&format!("steps[{index}]"))?;
        }
        Ok(())
    }
}

impl NodeGroup {
    pub(crate) fn check(&self, place: &str) -> Result<(), ScenarioError> {
        let field = |name: &str, why: &str| Err(ScenarioError::at(format!("{place}.{name}"), why));
        if self.name.is_empty() {
            return field("name", "is missing");
        }
        if self.count.is_some_and(|count| count > NODES_MAX) {
            return field("count", &format!("is at most {NODES_MAX}"));
        }
        for resource in ["cpu", "memory"] {
            if !self.resources.contains_key(resource) {
                return field(
                    &format!("resources.{resource}"),
                    "is missing: say what a node has for pods",
                );
            }
        }
        Ok(())
    }
}

impl Step {
    fn check(&self, place: &str) -> Result<(), ScenarioError> {
        let given = [
            ("apply", self.apply.is_some()),
            ("scale", self.scale.is_some()),
            ("delete", self.delete.is_some()),
            ("join", self.join.is_some()),
            ("fail", self.fail.is_some()),
            ("recover", self.recover.is_some()),
            ("cordon", self.cordon.is_some()),
            ("uncordon", self.uncordon.is_some()),
            ("remove", self.remove.is_some()),
        ];
        let count = given.iter().filter(|(_, given)| *given).count();
        if count != 1 {
            let names = given.map(|(name, _)| name).join(", ");
            return Err(ScenarioError::at(
                place,
                format!("say exactly one thing that happens, one of {names}; there are {count}"),
            ));
        }
        if let Some(group) = &self.join {
            group.check(&format!("{place}.join"))?;
        }
        for (index, document) in self.apply.iter().flatten().enumerate() {
            admit(document.clone(), &format!("{place}.apply[{index}]"))?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let text = match &value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        duration::parse(&text).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parts: Vec<&str> = text.split('/').collect();
        let (kind, namespace, name) = match parts.as_slice() {
            [kind, name] => (*kind, "default", *name),
            [kind, namespace, name] => (*kind, *namespace, *name),
            _ => {
                let why = format!("`{text}` is no object: write for example `deployment/web`");
                return Err(de::Error::custom(why));
            }
        };
        let kind = skep_api::Kind::from_alias(kind)
            .ok_or_else(|| de::Error::custom(format!("`{kind}` is not a kind of this cluster")))?;
        let namespace = if kind.namespaced() { namespace } else { "" };
        Ok(Self {
            kind,
            key: skep_api::ObjectKey::new(namespace, name),
        })
    }
}
