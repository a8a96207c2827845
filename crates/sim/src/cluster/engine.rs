//! The engine of a machine, in memory. It outlives the agent; a loss of power ends its containers.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use skep_agent::runtime::{
    Container, ContainerEvent, ContainerEventKind, ContainerSpec, Credentials, EngineInfo, Exec, ExecSpec,
    ImageInfo, LogOptions, Network, Output, RunState, Runtime, RuntimeError, Usage,
};
use tokio::{sync::broadcast, time::sleep};
use tokio_stream::wrappers::BroadcastStream;

use super::invariants::copies::Copies;
use crate::{luck, net::Alive, trace::note, world::now};

/// One machine's engine.
pub(super) struct Engine {
    node: String,
    containers: Mutex<BTreeMap<String, Container>>,
    events: broadcast::Sender<ContainerEvent>,
    copies: Copies,
}

/// The engine as one life of the agent sees it.
pub(super) struct Door {
    pub(super) engine: Arc<Engine>,
    pub(super) alive: Alive,
}

impl Engine {
    pub(super) fn new(node: &str, copies: Copies) -> Arc<Self> {
        Arc::new(Self {
            node: node.to_owned(),
            containers: Mutex::default(),
            events: broadcast::channel(1024).0,
            copies,
        })
    }

    /// What ran has ended, and nobody was told.
    pub(super) fn lose_power(&self) {
        for container in self.lock().values_mut() {
            if let RunState::Running { started } = container.state {
                container.state = ended(started, 137);
                self.copies.ended(&container.id);
            }
        }
        self.copies.rebooted(&self.node);
    }

    /// All containers.
    pub(super) fn all(&self) -> Vec<Container> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Container>> {
        self.containers.lock().unwrap()
    }

    fn tell(&self, container: &Container, kind: ContainerEventKind) {
        // Nobody may be listening.
        let _ = self.events.send(ContainerEvent {
            id: container.id.clone(),
            labels: container.labels.clone(),
            kind,
        });
    }

    fn create(&self, spec: &ContainerSpec) -> String {
        let mut containers = self.lock();
        if let Some(there) = containers.values().find(|there| there.name == spec.name) {
            return there.id.clone();
        }
        let id = format!("{:016x}", luck::range(0..u64::MAX));
        note!("{} makes {}", self.node, spec.name);
        let container = Container {
            id: id.clone(),
            name: spec.name.clone(),
            labels: spec.labels.clone(),
            image: spec.image.clone(),
            image_id: format!("sha256:{}", spec.image),
            ..Container::default()
        };
        containers.insert(id.clone(), container);
        id
    }

    fn start(&self, id: &str) -> Result<(), RuntimeError> {
        let mut containers = self.lock();
        let container = containers.get_mut(id).ok_or_else(|| no_such(id))?;
        if matches!(container.state, RunState::Running { .. }) {
            return Ok(());
        }
        note!("{} starts {}", self.node, container.name);
        self.copies.starts(&self.node, container);
        container.state = RunState::Running { started: now() };
        let container = container.clone();
        drop(containers);
        self.tell(&container, ContainerEventKind::Started);
        Ok(())
    }

    fn stop(&self, id: &str) {
        let mut containers = self.lock();
        let Some(container) = containers.get_mut(id) else {
            return;
        };
        let RunState::Running { started } = container.state else {
            return;
        };
        note!("{} stops {}", self.node, container.name);
        container.state = ended(started, 143);
        self.copies.ended(id);
        let container = container.clone();
        drop(containers);
        self.tell(&container, ContainerEventKind::Died);
    }

    fn remove(&self, id: &str) {
        self.stop(id);
        let removed = self.lock().remove(id);
        if let Some(container) = removed {
            note!("{} removes {}", self.node, container.name);
            self.tell(&container, ContainerEventKind::Removed);
        }
    }
}

fn ended(started: skep_api::Time, code: i32) -> RunState {
    RunState::Exited {
        code,
        oom_killed: false,
        message: String::new(),
        started: Some(started),
        finished: now(),
    }
}

fn no_such(id: &str) -> RuntimeError {
    RuntimeError::NotFound(format!("No such container: {id}"))
}

fn matches(has: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted.iter().all(|(key, value)| has.get(key) == Some(value))
}

impl Door {
    /// Asks the engine, and waits for its answer; neither takes no time. What was asked is done even where the agent is
    /// gone before it hears of it.
    async fn ask<T>(&self, longest: Duration, work: impl FnOnce(&Engine) -> T) -> Result<T, RuntimeError> {
        self.check()?;
        let half = Duration::from_micros(luck::range(
            100..u64::try_from(longest.as_micros()).unwrap_or(1000) / 2,
        ));
        sleep(half).await;
        let answer = work(&self.engine);
        sleep(half).await;
        self.check().map(|()| answer)
    }

    fn check(&self) -> Result<(), RuntimeError> {
        match self.alive.is() {
            true => Ok(()),
            false => Err(RuntimeError::Unavailable("the agent is gone".to_owned())),
        }
    }
}

const QUICK: Duration = Duration::from_millis(5);
const SLOW: Duration = Duration::from_millis(800);

#[async_trait]
impl Runtime for Door {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        self.ask(QUICK, |_| EngineInfo {
            version: "1.2.3".to_owned(),
            root: PathBuf::from("/"),
            runtimes: vec!["runc".to_owned()],
        })
        .await
    }

    async fn ensure_network(&self, _: &Network) -> Result<(), RuntimeError> {
        self.ask(QUICK, |_| ()).await
    }

    async fn remove_network(&self, _: &str) -> Result<(), RuntimeError> {
        self.ask(QUICK, |_| ()).await
    }

    async fn pull(&self, image: &str, _: Option<&Credentials>) -> Result<(), RuntimeError> {
        Err(RuntimeError::Engine(format!("pull access denied for {image}")))
    }

    async fn image(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        self.ask(QUICK, |_| Some(image_info(image))).await
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        self.ask(QUICK, |_| vec![image_info("web:v1")]).await
    }

    async fn remove_image(&self, _: &str) -> Result<(), RuntimeError> {
        self.ask(QUICK, |_| ()).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        self.ask(SLOW, |engine| engine.create(spec)).await
    }

    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        self.ask(SLOW, |engine| engine.start(id)).await?
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<(), RuntimeError> {
        // Now and then a process does not listen, and is killed in the end.
        let longest = if luck::permille(100) { grace } else { SLOW };
        self.ask(longest.max(QUICK), |engine| engine.stop(id)).await
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        self.ask(QUICK, |engine| engine.remove(id)).await
    }

    async fn set_cpus(&self, _: &str, _: &str) -> Result<(), RuntimeError> {
        self.ask(QUICK, |_| ()).await
    }

    async fn usage(&self, id: &str, _: bool) -> Result<Option<Usage>, RuntimeError> {
        let known = |engine: &Engine| engine.lock().contains_key(id).then(Usage::default);
        self.ask(QUICK, known).await
    }

    async fn container(&self, id: &str) -> Result<Option<Container>, RuntimeError> {
        self.ask(QUICK, |engine| engine.lock().get(id).cloned()).await
    }

    async fn containers(&self, labels: &BTreeMap<String, String>) -> Result<Vec<Container>, RuntimeError> {
        let all = self.ask(QUICK, Engine::all).await?;
        Ok(all
            .into_iter()
            .filter(|container| matches(&container.labels, labels))
            .collect())
    }

    async fn events(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<BoxStream<'static, ContainerEvent>, RuntimeError> {
        self.check()?;
        let (alive, labels) = (self.alive.clone(), labels.clone());
        let events = BroadcastStream::new(self.engine.events.subscribe());
        let ours = events.filter_map(move |event| {
            let ours = event
                .ok()
                .filter(|event| alive.is() && matches(&event.labels, &labels));
            std::future::ready(ours)
        });
        Ok(ours.boxed())
    }

    async fn logs(
        &self,
        id: &str,
        _: &LogOptions,
    ) -> Result<BoxStream<'static, Result<Output, RuntimeError>>, RuntimeError> {
        let known = self.ask(QUICK, |engine| engine.lock().contains_key(id)).await?;
        if known {
            Ok(stream::empty().boxed())
        } else {
            Err(no_such(id))
        }
    }

    async fn exec(&self, _: &str, _: &ExecSpec) -> Result<Exec, RuntimeError> {
        Err(RuntimeError::Engine(
            "nothing is run in simulated containers".to_owned(),
        ))
    }
}

fn image_info(name: &str) -> ImageInfo {
    ImageInfo {
        id: format!("sha256:{name}"),
        names: vec![name.to_owned()],
        ..ImageInfo::default()
    }
}
