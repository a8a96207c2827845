//! The node's devices, and who has them: what all parts of the agent ask.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use skep_api::{Quantity, ResourceList};
use tokio::sync::{Notify, watch};

use super::{
    CpuPolicy, DeviceDeclaration, GPU, Gpu, GpuConfig, PodDevices, Shortage, Wants,
    declared::shared_ids,
    grant,
    ledger::Ledger,
    paths_there,
    pool::{CPU, Device, Pool, cpu_list, whole},
};
use crate::spec::Grant;

/// The node's devices, and who has them.
pub(crate) struct Devices {
    ledger: Mutex<Ledger>,
    gpus: GpuConfig,
    cpus: CpuPolicy,
    /// Told when a pod has given something back: another one may wait for it.
    freed: Notify,
    /// It is known what pods have from before the agent's start.
    settled: watch::Sender<bool>,
    /// Told when CPUs have come to a pod or gone back: the others have less or more of them.
    cpus_changed: Notify,
}

impl Devices {
    pub(crate) fn new(declared: &[DeviceDeclaration], gpus: GpuConfig, cpus: CpuPolicy) -> Self {
        let mut ledger = Ledger::default();
        for declaration in declared {
            let devices = declaration.ids().into_iter().map(|(id, path)| Device {
                missing: path.as_deref().is_some_and(|path| !paths_there(path)),
                id,
                path,
            });
            ledger.set_pool(&declaration.resource, Pool::Devices(devices.collect()));
        }
        if let Some(kept) = cpus.kept() {
            ledger.set_pool(CPU, Pool::Cpus(cpus.all().to_vec(), kept.clone()));
        }
        let devices = Self {
            ledger: Mutex::new(ledger),
            gpus,
            cpus,
            freed: Notify::new(),
            settled: watch::channel(false).0,
            cpus_changed: Notify::new(),
        };
        if let Some(ids) = &devices.gpus.declared {
            devices.set_gpus(ids);
        }
        devices
    }

    /// True where GPUs are to be looked for.
    pub(crate) fn looks_for_gpus(&self) -> bool {
        self.gpus.declared.is_none()
    }

    /// True where there are GPUs, or were.
    pub(super) fn has_gpus(&self) -> bool {
        self.lock().pool_mut(GPU).is_some()
    }

    /// What a pod asks for by the piece on this node.
    pub(crate) fn wants(&self, pod: &skep_api::Pod) -> Wants {
        Wants::of(pod, self.cpus.kept().is_some())
    }

    /// Gives a pod what it asks for; what it has already, it keeps.
    pub(crate) fn take(&self, uid: &str, wants: &Wants) -> Result<Arc<PodDevices>, Shortage> {
        let mut ledger = self.lock();
        let before = ledger.used(CPU).len();
        let taken = ledger.take(uid, wants)?;
        let after = ledger.used(CPU).len();
        drop(ledger);
        if before != after {
            self.cpus_changed.notify_one();
        }
        Ok(Arc::new(taken))
    }

    /// What a pod has from before the agent's start, out of a container's label. What another pod has now stays that one's.
    pub(crate) fn restore(&self, uid: &str, label: &str) {
        let Some(devices) = PodDevices::parse(label) else {
            return;
        };
        let mut ledger = self.lock();
        if ledger.held(uid).is_none() && !ledger.restore(uid, devices) {
            tracing::debug!(uid, "what the pod had is another pod's by now");
        }
    }

    /// All that pods have from before the agent's start is restored.
    pub(crate) fn settle(&self) {
        self.settled.send_replace(true);
    }

    /// Waits until it is known what pods have from before the agent's start: until then they only seem to have nothing.
    pub(crate) async fn settled(&self) {
        // The sender lives as long as this does.
        drop(self.settled.subscribe().wait_for(|settled| *settled).await);
    }

    /// True once it is known what pods have from before the agent's start, and which pods are to run.
    pub(crate) fn is_settled(&self) -> bool {
        *self.settled.borrow()
    }

    /// What a pod has.
    pub(crate) fn held(&self, uid: &str) -> Option<Arc<PodDevices>> {
        self.lock().held(uid).cloned().map(Arc::new)
    }

    /// Takes back what a pod has.
    pub(crate) fn free(&self, uid: &str) {
        if self.lock().free(uid) {
            self.freed.notify_one();
            self.cpus_changed.notify_one();
        }
    }

    /// Waits until something was given back.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// What a container of a pod is given, in the engine's terms.
    pub(crate) fn grant(&self, uid: &str, container: &str) -> Grant {
        let ledger = self.lock();
        let path = |resource: &str, id: &str| {
            let mut pools = ledger.pools().filter(|(name, _)| *name == resource);
            match pools.next()?.1 {
                Pool::Devices(devices) => devices.iter().find(|device| device.id == id)?.path.clone(),
                Pool::Cpus(..) => None,
            }
        };
        let shared = self.shared_of(&ledger);
        grant::grant(ledger.held(uid), container, path, &shared)
    }

    /// How many there are of each resource, and how many of them can be given to somebody.
    pub(crate) fn amounts(&self) -> (ResourceList, ResourceList) {
        let (mut all, mut there) = (ResourceList::new(), ResourceList::new());
        let count = |count: usize| Quantity::from_units(i64::try_from(count).unwrap_or(i64::MAX));
        for (name, pool) in self.lock().pools().filter(|(name, _)| *name != CPU) {
            let (total, present) = pool.sizes();
            all.insert(name.to_owned(), count(total));
            there.insert(name.to_owned(), count(present));
        }
        (all, there)
    }

    /// Labels that say which GPUs the node has, as NVIDIA's own discovery names them.
    pub(crate) fn gpu_labels(&self) -> Vec<(&'static str, String)> {
        let mut ledger = self.lock();
        let Some(Pool::Devices(devices)) = ledger.pool_mut(GPU) else {
            return Vec::new();
        };
        let whole: BTreeSet<&str> = devices.iter().map(|device| whole(&device.id)).collect();
        let mut labels = vec![("nvidia.com/gpu.count", whole.len().to_string())];
        if self.gpus.shares > 1 {
            labels.push(("nvidia.com/gpu.replicas", self.gpus.shares.to_string()));
            labels.push(("nvidia.com/gpu.sharing-strategy", "time-slicing".to_owned()));
        }
        labels
    }

    /// The node has these GPUs now. One that was there before and is not any more is told as missing.
    pub(crate) fn set_found(&self, gpus: &[Gpu]) -> bool {
        let ids: Vec<String> = gpus.iter().map(|gpu| gpu.uuid.clone()).collect();
        self.set_gpus(&ids)
    }

    fn set_gpus(&self, ids: &[String]) -> bool {
        let device = |missing: bool| {
            move |id: String| Device {
                id,
                path: None,
                missing,
            }
        };
        let there: BTreeSet<String> = ids
            .iter()
            .flat_map(|id| shared_ids(id, self.gpus.shares))
            .collect();
        let shares = ids.iter().flat_map(|id| shared_ids(id, self.gpus.shares));
        let mut devices: Vec<Device> = shares.map(device(false)).collect();
        let mut ledger = self.lock();
        let before = match ledger.pool_mut(GPU) {
            Some(Pool::Devices(before)) => before.clone(),
            _ => Vec::new(),
        };
        let gone = before.iter().map(|device| device.id.clone());
        devices.extend(gone.filter(|id| !there.contains(id)).map(device(true)));
        let is_news = devices != before;
        if is_news {
            ledger.set_pool(GPU, Pool::Devices(devices));
        }
        is_news
    }

    /// Looks which declared device files are there: those that are not any more, and those that are there again.
    pub(crate) fn look(&self) -> Vec<(String, bool)> {
        let mut news = Vec::new();
        let mut ledger = self.lock();
        let names: Vec<String> = ledger.pools().map(|(name, _)| name.to_owned()).collect();
        for name in names {
            let Some(Pool::Devices(devices)) = ledger.pool_mut(&name) else {
                continue;
            };
            for device in devices {
                let Some(path) = &device.path else { continue };
                let missing = !paths_there(path);
                if missing != device.missing && !news.contains(&(path.clone(), missing)) {
                    news.push((path.clone(), missing));
                }
                device.missing = missing;
            }
        }
        news
    }

    /// The declared device files that are not there.
    pub(crate) fn missing(&self) -> Vec<String> {
        let ledger = self.lock();
        let pools = ledger.pools().filter_map(|(_, pool)| match pool {
            Pool::Devices(devices) => Some(devices),
            Pool::Cpus(..) => None,
        });
        let missing = pools.flatten().filter(|device| device.missing);
        let paths: BTreeSet<String> = missing.filter_map(|device| device.path.clone()).collect();
        paths.into_iter().collect()
    }

    /// CPUs for containers that have none of their own, as the kernel writes them; empty: any, nobody has CPUs of its own here.
    pub(crate) fn shared_cpus(&self) -> String {
        self.shared_of(&self.lock())
    }

    /// Waits until other CPUs are shared than before.
    pub(crate) async fn cpus_changed(&self) {
        self.cpus_changed.notified().await;
    }

    /// All CPUs of the machine, as the kernel writes them.
    pub(crate) fn all_cpus(&self) -> String {
        cpu_list(&self.cpus.all_ids())
    }

    fn shared_of(&self, ledger: &Ledger) -> String {
        if self.cpus.kept().is_none() {
            return String::new();
        }
        let used = ledger.used(CPU);
        let left = self
            .cpus
            .all_ids()
            .into_iter()
            .filter(|id| !used.contains(id.as_str()));
        cpu_list(&left.collect::<Vec<_>>())
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
