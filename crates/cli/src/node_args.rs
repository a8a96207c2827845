//! What the commands that make this machine a node say of it.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, ValueEnum};
use skep_agent::{
    AgentConfig, Amount, CpuManager, DeviceDeclaration, EvictionConfig, GpuConfig, ImageGcThresholds, Signal,
    SoftThreshold, parse_grace_periods, parse_thresholds,
};
use skep_api::{
    Quantity, ResourceList, Taint, TaintEffect, duration, names, node_label,
    well_known::{POOL, ZONE},
};

/// How many GPUs may be declared, and how many containers may share one.
const GPUS_MAX: u32 = 64;

/// What the machine is as a node.
#[derive(Args, Clone, Debug)]
pub(crate) struct NodeArgs {
    /// This machine's name in the cluster [default: its host name]
    #[arg(long, value_name = "NAME")]
    pub(crate) node_name: Option<String>,
    /// A label of the node, KEY=VALUE; may be given several times
    #[arg(long = "label", value_name = "LABEL", value_parser = label, value_delimiter = ',', help_heading = NODE)]
    labels: Vec<(String, String)>,
    /// A taint that the node registers with, KEY[=VALUE]:EFFECT; may be given several times
    #[arg(long = "taint", value_name = "TAINT", value_parser = taint, value_delimiter = ',', help_heading = NODE)]
    taints: Vec<Taint>,
    /// The pool that the node belongs to: the label skep.io/pool
    #[arg(long, value_name = "NAME", value_parser = value, help_heading = NODE)]
    pool: Option<String>,
    /// The zone that the machine is in: the label topology.kubernetes.io/zone
    #[arg(long, value_name = "NAME", value_parser = value, help_heading = NODE)]
    zone: Option<String>,
    /// The kind of machine: the label node.kubernetes.io/instance-type [default: what its firmware says]
    #[arg(long, value_name = "NAME", value_parser = value, help_heading = NODE)]
    instance_type: Option<String>,
    /// How many pods run on this machine at most
    #[arg(long, value_name = "NUMBER", default_value_t = 110, help_heading = NODE)]
    max_pods: u32,
    /// What is kept back from pods, such as cpu=500m,memory=1Gi,ephemeral-storage=5Gi
    #[arg(long, value_name = "AMOUNTS", value_parser = amount, value_delimiter = ',', help_heading = NODE)]
    system_reserved: Vec<(String, Quantity)>,
    /// Devices that the node offers: NAME=PATH[,PATH...], or NAME=COUNT of what has no file; PATH*COUNT is for COUNT containers at
    /// a time
    #[arg(long = "device", value_name = "DEVICES", help_heading = DEVICES)]
    devices: Vec<DeviceDeclaration>,
    /// GPUs that the node offers as nvidia.com/gpu, by id or index [default: those that are found]
    #[arg(long = "gpu", value_name = "ID", value_delimiter = ',', value_parser = gpu, help_heading = DEVICES)]
    gpu_ids: Vec<String>,
    /// How many GPUs the node offers, from index 0 on; 0: none, whatever is found
    #[arg(long, value_name = "NUMBER", conflicts_with = "gpu_ids", value_parser = clap::value_parser!(u32).range(..=i64::from(GPUS_MAX)), help_heading = DEVICES)]
    gpus: Option<u32>,
    /// How many containers share a GPU, in turns: each is counted so many times
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(GPUS_MAX)), help_heading = DEVICES)]
    gpu_shares: u32,
    /// Whether containers that ask for whole CPUs, in Guaranteed pods, have them to themselves
    #[arg(long, value_name = "POLICY", value_enum, default_value_t = CpuPolicy::None, help_heading = DEVICES)]
    cpu_manager: CpuPolicy,
    /// CPUs kept back from pods, such as 0-1; containers without CPUs of their own may still run on them
    #[arg(long, value_name = "CPUS", help_heading = DEVICES)]
    reserved_cpus: Option<CpuList>,
    /// Below these a pod is evicted at once, such as memory.available<100Mi,nodefs.available<10%; none: never. They take the place of
    /// [default: memory.available<100Mi, 10% of nodefs.available and imagefs.available, 5% of nodefs.inodesFree,
    /// imagefs.inodesFree and pid.available]
    #[arg(long, value_name = "THRESHOLDS", help_heading = PRESSURE)]
    eviction_hard: Option<Thresholds>,
    /// Below these for as long as --eviction-soft-grace-period says, a pod is evicted with time to end
    #[arg(long, value_name = "THRESHOLDS", requires = "eviction_soft_grace_period", help_heading = PRESSURE)]
    eviction_soft: Option<Thresholds>,
    /// How long the soft thresholds may be crossed, such as memory.available=90s
    #[arg(long, value_name = "PERIODS", requires = "eviction_soft", help_heading = PRESSURE)]
    eviction_soft_grace_period: Option<Periods>,
    /// The longest time that a pod has to end after a soft threshold
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = PRESSURE)]
    eviction_max_pod_grace_period: u32,
    /// How long the node says that it is short after it was
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = duration::parse, help_heading = PRESSURE)]
    eviction_pressure_transition_period: Duration,
    /// From how much of the engine's disk in use on images go that nobody uses, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 85, value_parser = clap::value_parser!(u8).range(0..=100), help_heading = PRESSURE)]
    image_gc_high_threshold: u8,
    /// Until how much is in use, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u8).range(0..=100), help_heading = PRESSURE)]
    image_gc_low_threshold: u8,
}

/// Thresholds of eviction.
#[derive(Clone, Debug)]
struct Thresholds(BTreeMap<Signal, Amount>);

impl std::str::FromStr for Thresholds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_thresholds(text).map(Self)
    }
}

/// Grace periods of soft thresholds.
#[derive(Clone, Debug)]
struct Periods(BTreeMap<Signal, Duration>);

impl std::str::FromStr for Periods {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_grace_periods(text).map(Self)
    }
}

const NODE: &str = "The node";
const DEVICES: &str = "Devices and CPUs";
const PRESSURE: &str = "When the node runs short";

/// Whether containers may have CPUs to themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum CpuPolicy {
    /// All run on all CPUs
    #[default]
    None,
    /// Whole CPUs of Guaranteed pods are their own
    Static,
}

/// Numbers of CPUs, written such as `0-1,4`.
#[derive(Clone, Debug)]
struct CpuList(std::collections::BTreeSet<u32>);

impl std::str::FromStr for CpuList {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        skep_agent::parse_cpu_list(text).map(Self)
    }
}

impl NodeArgs {
    /// The agent of this machine.
    pub(crate) fn apply(&self, config: &mut AgentConfig) {
        if let Some(name) = &self.node_name {
            config.node_name.clone_from(name);
        }
        config.labels.extend(self.labels.iter().cloned());
        let named = [
            (POOL, &self.pool),
            (ZONE, &self.zone),
            (node_label::INSTANCE_TYPE, &self.instance_type),
        ];
        for (key, value) in named {
            let value = value.iter().map(|value| (key.to_owned(), value.clone()));
            config.labels.extend(value);
        }
        config.taints.clone_from(&self.taints);
        config.pods_max = self.max_pods;
        config.system_reserved.extend(self.reserved());
        config.devices.clone_from(&self.devices);
        config.gpus = GpuConfig {
            declared: self.declared_gpus(),
            shares: self.gpu_shares,
        };
        config.cpu_manager = match self.cpu_manager {
            CpuPolicy::None => CpuManager::None,
            CpuPolicy::Static => CpuManager::Static,
        };
        config.reserved_cpus = self.reserved_cpus.as_ref().map(|list| list.0.clone());
        config.eviction = self.eviction();
        config.image_gc = ImageGcThresholds {
            high_percent: self.image_gc_high_threshold,
            low_percent: self.image_gc_low_threshold,
            ..config.image_gc
        };
    }

    fn eviction(&self) -> EvictionConfig {
        let usual = EvictionConfig::default();
        let soft = self.eviction_soft.iter().flat_map(|soft| &soft.0);
        let soft = soft.filter_map(|(signal, amount)| {
            let threshold = SoftThreshold {
                amount: *amount,
                grace: *self.eviction_soft_grace_period.as_ref()?.0.get(signal)?,
            };
            Some((*signal, threshold))
        });
        EvictionConfig {
            soft: soft.collect(),
            hard: self
                .eviction_hard
                .as_ref()
                .map_or(usual.hard, |hard| hard.0.clone()),
            pod_grace_max: Duration::from_secs(self.eviction_max_pod_grace_period.into()),
            transition: self.eviction_pressure_transition_period,
            every: usual.every,
        }
    }

    /// Whether the command line makes sense as a whole.
    ///
    /// # Errors
    /// In words, where it does not.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for (index, device) in self.devices.iter().enumerate() {
            if self.devices[..index]
                .iter()
                .any(|other| other.resource == device.resource)
            {
                anyhow::bail!(
                    "--device: {} is declared twice: name all its paths at once, as in {}=PATH,PATH",
                    device.resource,
                    device.resource
                );
            }
        }
        if self.image_gc_low_threshold >= self.image_gc_high_threshold {
            anyhow::bail!(
                "--image-gc-low-threshold {} must be below --image-gc-high-threshold, which is {}",
                self.image_gc_low_threshold,
                self.image_gc_high_threshold
            );
        }
        self.check_soft()
    }

    /// Each soft threshold has its grace period, and each period its threshold.
    fn check_soft(&self) -> anyhow::Result<()> {
        let (Some(soft), Some(periods)) = (&self.eviction_soft, &self.eviction_soft_grace_period) else {
            return Ok(());
        };
        if let Some(signal) = soft.0.keys().find(|signal| !periods.0.contains_key(signal)) {
            anyhow::bail!("--eviction-soft-grace-period lacks {signal}: write such as {signal}=90s");
        }
        if let Some(signal) = periods.0.keys().find(|signal| !soft.0.contains_key(signal)) {
            anyhow::bail!(
                "--eviction-soft-grace-period names {signal}, for which --eviction-soft has no threshold"
            );
        }
        Ok(())
    }

    fn reserved(&self) -> ResourceList {
        self.system_reserved.iter().cloned().collect()
    }

    fn declared_gpus(&self) -> Option<Vec<String>> {
        match self.gpus {
            Some(count) => Some((0..count).map(|index| index.to_string()).collect()),
            None if self.gpu_ids.is_empty() => None,
            None => Some(self.gpu_ids.clone()),
        }
    }
}

/// Reads `KEY=VALUE`.
fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    match node_label::problem(key, value) {
        Some(problem) => Err(format!("{key} {problem}")),
        None => Ok((key.to_owned(), value.to_owned())),
    }
}

/// Reads a label's value that says something.
fn value(text: &str) -> Result<String, String> {
    match names::label_value(text) {
        _ if text.is_empty() => Err("is empty".to_owned()),
        Some(problem) => Err(problem),
        None => Ok(text.to_owned()),
    }
}

/// Reads `KEY=VALUE:EFFECT` or `KEY:EFFECT`.
pub(crate) fn taint(text: &str) -> Result<Taint, String> {
    let (name, effect) = text
        .rsplit_once(':')
        .ok_or("write KEY=VALUE:EFFECT, such as gpu=yes:NoSchedule")?;
    let effect = match effect {
        "NoSchedule" => TaintEffect::NoSchedule,
        "PreferNoSchedule" => TaintEffect::PreferNoSchedule,
        "NoExecute" => TaintEffect::NoExecute,
        other => {
            return Err(format!(
                "`{other}` is no effect: write NoSchedule, PreferNoSchedule or NoExecute"
            ));
        }
    };
    let (key, value) = name.split_once('=').unwrap_or((name, ""));
    if let Some(problem) = names::qualified_name(key).or_else(|| names::label_value(value)) {
        return Err(problem);
    }
    Ok(Taint {
        key: key.to_owned(),
        value: value.to_owned(),
        effect,
        ..Taint::default()
    })
}

/// Reads `cpu=500m`.
fn amount(text: &str) -> Result<(String, Quantity), String> {
    const KNOWN: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
    let (name, amount) = text
        .split_once('=')
        .ok_or("write NAME=AMOUNT, such as memory=1Gi")?;
    if !KNOWN.contains(&name) {
        return Err(format!(
            "`{name}` cannot be kept back: write {}",
            KNOWN.join(", ")
        ));
    }
    let amount: Quantity = amount.parse().map_err(|error| format!("{name}: {error}"))?;
    if amount.is_negative() {
        return Err(format!("{name}: {amount} is below 0"));
    }
    Ok((name.to_owned(), amount))
}

/// Reads a GPU's id, `GPU-…` or an index.
fn gpu(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if text.is_empty() || !text.chars().all(fits) {
        return Err("write ids as `nvidia-smi -L` shows them, or indexes".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        node: NodeArgs,
    }

    fn config(line: &str) -> Result<AgentConfig, String> {
        let words = std::iter::once("agent").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        line.node.check().map_err(|error| error.to_string())?;
        let mut config = AgentConfig::default();
        line.node.apply(&mut config);
        Ok(config)
    }

    #[test]
    fn a_line_says_what_the_machine_is() {
        let config = config(
            "--pool gpu --zone a --label disk=fast,rack=1 --taint gpu=yes:NoSchedule --system-reserved cpu=500m,memory=1Gi \
             --device example.com/serial=/dev/ttyS0,/dev/ttyS1 --device example.com/licence=3 --gpus 2 --gpu-shares 4 \
             --cpu-manager static --reserved-cpus 0-1",
        )
        .unwrap();
        let label = |key: &str| config.labels.get(key).map(String::as_str);
        assert_eq!(label("skep.io/pool"), Some("gpu"));
        assert_eq!(label("topology.kubernetes.io/zone"), Some("a"));
        assert_eq!((label("disk"), label("rack")), (Some("fast"), Some("1")));
        assert_eq!(config.taints[0].key, "gpu");
        assert_eq!(config.system_reserved["cpu"], Quantity::from_millis(500));
        assert_eq!(config.devices.len(), 2);
        assert_eq!(config.gpus.declared, Some(vec!["0".to_owned(), "1".to_owned()]));
        assert_eq!(config.gpus.shares, 4);
        assert_eq!(config.cpu_manager, CpuManager::Static);
        assert_eq!(config.reserved_cpus.unwrap().len(), 2);
    }

    #[test]
    fn what_makes_no_sense_is_refused_before_anything_starts() {
        for (line, part) in [
            ("--label disk", "KEY=VALUE"),
            ("--label node-role.kubernetes.io/master=x", "protected"),
            ("--pool a/b", "letters"),
            ("--taint gpu=yes", "EFFECT"),
            ("--taint gpu:Never", "is no effect"),
            ("--system-reserved pods=3", "cannot be kept back"),
            ("--system-reserved cpu=-1", "below 0"),
            ("--device serial=/dev/ttyS0", "example.com/serial"),
            ("--device a.b/c=1 --device a.b/c=2", "declared twice"),
            ("--gpu 0 --gpus 1", "cannot be used with"),
            ("--gpu-shares 0", "1..=64"),
            ("--gpu a/b", "nvidia-smi"),
            ("--reserved-cpus x", "0-2,5"),
            ("--cpu-manager dynamic", "static"),
            ("--eviction-hard memory<1", "memory.available"),
            (
                "--eviction-soft memory.available<1Gi",
                "--eviction-soft-grace-period",
            ),
            (
                "--eviction-soft memory.available<1Gi --eviction-soft-grace-period pid.available=1s",
                "lacks memory.available",
            ),
            ("--image-gc-high-threshold 80", "must be below"),
            ("--image-gc-high-threshold 101", "0..=100"),
        ] {
            let error = config(line).unwrap_err();
            assert!(error.contains(part), "{line}: {error}");
        }
    }

    #[test]
    fn thresholds_take_the_place_of_the_usual_ones() {
        let line = "--eviction-hard memory.available<5% --eviction-soft memory.available<1Gi \
                    --eviction-soft-grace-period memory.available=90s --eviction-max-pod-grace-period 10 \
                    --image-gc-high-threshold 70 --image-gc-low-threshold 60";
        let eviction = config(line).unwrap().eviction;
        assert_eq!(
            eviction.hard,
            BTreeMap::from([(Signal::MemoryAvailable, Amount::Share(500))])
        );
        assert_eq!(
            eviction.soft[&Signal::MemoryAvailable].grace,
            Duration::from_secs(90)
        );
        assert_eq!(eviction.pod_grace_max, Duration::from_secs(10));
        assert!(config("--eviction-hard none").unwrap().eviction.hard.is_empty());
    }

    #[test]
    fn taints_are_written_as_kubectl_writes_them() {
        let gpu = taint("gpu=yes:NoSchedule").unwrap();
        assert_eq!((gpu.key.as_str(), gpu.value.as_str()), ("gpu", "yes"));
        assert_eq!(taint("edge:NoExecute").unwrap().effect, TaintEffect::NoExecute);
    }

    #[test]
    fn without_a_word_gpus_are_looked_for_and_memory_is_kept_back() {
        let config = config("").unwrap();
        assert_eq!(config, AgentConfig::default());
    }
}
