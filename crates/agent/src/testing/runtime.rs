//! An engine in memory. Containers run until a test ends them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, stream, stream::BoxStream};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio_stream::wrappers::BroadcastStream;

use crate::{
    clock,
    runtime::{
        Container, ContainerEvent, ContainerEventKind, ContainerSpec, Credentials, EngineInfo, Exec,
        ExecInput, ExecSpec, ImageInfo, LogOptions, Network, Output, RunState, Runtime, RuntimeError, Usage,
    },
};

/// An engine in memory.
pub(crate) struct FakeRuntime {
    state: Mutex<State>,
    events: broadcast::Sender<Option<ContainerEvent>>,
}

#[derive(Default)]
struct State {
    away: bool,
    containers: BTreeMap<String, Container>,
    /// Environments by container name.
    environments: BTreeMap<String, Vec<String>>,
    /// CPUs by container id.
    cpus: BTreeMap<String, String>,
    /// By container id.
    usages: BTreeMap<String, Usage>,
    images: BTreeSet<String>,
    networks: BTreeMap<String, String>,
    no_networks: Option<String>,
    next_id: u32,
    creates: u32,
    inspects: u32,
    pulls: u32,
    pulls_allowed: bool,
}

impl FakeRuntime {
    /// An engine that has these images.
    pub(crate) fn new(images: &[&str]) -> Self {
        let images = images.iter().map(|image| (*image).to_owned()).collect();
        Self {
            state: Mutex::new(State {
                images,
                ..State::default()
            }),
            events: broadcast::channel(1024).0,
        }
    }

    /// The engine stops answering, or is there again. Containers are as they were.
    pub(crate) fn set_away(&self, away: bool) {
        self.lock().away = away;
        if away {
            let _ = self.events.send(None);
        }
    }

    /// Networks cannot be made, in these words.
    pub(crate) fn refuse_networks(&self, words: &str) {
        self.lock().no_networks = Some(words.to_owned());
    }

    /// Networks that are there.
    pub(crate) fn networks(&self) -> usize {
        self.lock().networks.len()
    }

    /// Pulls succeed from now on, after a moment.
    pub(crate) fn allow_pulls(&self) {
        self.lock().pulls_allowed = true;
    }

    /// Pulls so far.
    pub(crate) fn pulls(&self) -> u32 {
        self.lock().pulls
    }

    /// A container's process ends by itself.
    pub(crate) fn exit(&self, id: &str, code: i32) {
        self.end(id, code);
    }

    /// The machine loses power and comes back: what ran has ended.
    pub(crate) fn reboot(&self) {
        let ids: Vec<String> = self.all().into_iter().map(|container| container.id).collect();
        ids.iter().for_each(|id| self.end(id, 137));
    }

    /// What a container was made with, as `NAME=value`.
    pub(crate) fn environment(&self, name: &str) -> Vec<String> {
        self.lock().environments.get(name).cloned().unwrap_or_default()
    }

    /// The CPUs that a container runs on, by its name.
    pub(crate) fn cpus(&self, name: &str) -> Option<String> {
        let state = self.lock();
        let container = state
            .containers
            .values()
            .find(|container| container.name == name)?;
        state.cpus.get(&container.id).cloned()
    }

    /// A container uses so much from now on, by a part of its name.
    pub(crate) fn set_usage(&self, part: &str, usage: Usage) {
        let mut state = self.lock();
        let found = state
            .containers
            .values()
            .find(|container| container.name.contains(part));
        let id = found.expect("the container is there").id.clone();
        state.usages.insert(id, usage);
    }

    /// Names of the images.
    pub(crate) fn image_names(&self) -> Vec<String> {
        self.lock().images.iter().cloned().collect()
    }

    /// All containers.
    pub(crate) fn all(&self) -> Vec<Container> {
        self.lock().containers.values().cloned().collect()
    }

    /// Names of the containers that run.
    pub(crate) fn running(&self) -> Vec<String> {
        let is_running = |container: &Container| matches!(container.state, RunState::Running { .. });
        let mut names: Vec<String> = self
            .all()
            .into_iter()
            .filter(is_running)
            .map(|c| c.name)
            .collect();
        names.sort();
        names
    }

    /// Containers made, and looked at one by one, so far.
    pub(crate) fn calls(&self) -> (u32, u32) {
        let state = self.lock();
        (state.creates, state.inspects)
    }

    /// A container that somebody made before the agent came.
    pub(crate) fn put(&self, container: Container) {
        self.lock().containers.insert(container.id.clone(), container);
    }

    fn end(&self, id: &str, code: i32) {
        let mut state = self.lock();
        let Some(container) = state.containers.get_mut(id) else {
            return;
        };
        let RunState::Running { started } = container.state else {
            return;
        };
        container.state = RunState::Exited {
            code,
            oom_killed: false,
            message: String::new(),
            started: Some(started),
            finished: clock::now(),
        };
        let container = container.clone();
        drop(state);
        self.tell(&container, ContainerEventKind::Died);
    }

    fn tell(&self, container: &Container, kind: ContainerEventKind) {
        let event = ContainerEvent {
            id: container.id.clone(),
            labels: container.labels.clone(),
            kind,
        };
        // Nobody may be listening.
        let _ = self.events.send(Some(event));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn there(&self) -> Result<MutexGuard<'_, State>, RuntimeError> {
        let state = self.lock();
        if state.away {
            Err(RuntimeError::Unavailable("the fake engine is away".to_owned()))
        } else {
            Ok(state)
        }
    }
}

fn matches(container: &BTreeMap<String, String>, wanted: &BTreeMap<String, String>) -> bool {
    wanted
        .iter()
        .all(|(key, value)| container.get(key) == Some(value))
}

fn no_such(what: &str, id: &str) -> RuntimeError {
    RuntimeError::NotFound(format!("No such {what}: {id}"))
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        self.there().map(|_| EngineInfo {
            version: "1.2.3".to_owned(),
            root: "/".into(),
            ..EngineInfo::default()
        })
    }

    async fn ensure_network(&self, network: &Network) -> Result<(), RuntimeError> {
        let mut state = self.there()?;
        if let Some(words) = &state.no_networks {
            return Err(RuntimeError::Engine(words.clone()));
        }
        state.networks.insert(network.name.clone(), network.cidr.clone());
        Ok(())
    }

    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError> {
        self.there()?.networks.remove(name);
        Ok(())
    }

    async fn pull(&self, image: &str, _: Option<&Credentials>) -> Result<(), RuntimeError> {
        let allowed = {
            let mut state = self.there()?;
            state.pulls += 1;
            state.pulls_allowed
        };
        tokio::task::yield_now().await;
        if allowed {
            Ok(())
        } else {
            Err(RuntimeError::Engine(format!("pull access denied for {image}")))
        }
    }

    async fn image(&self, image: &str) -> Result<Option<ImageInfo>, RuntimeError> {
        let known = self.there()?.images.contains(image);
        let info = || ImageInfo {
            id: format!("sha256:{image}"),
            names: vec![image.to_owned()],
            ..ImageInfo::default()
        };
        Ok(known.then(info))
    }

    async fn images(&self) -> Result<Vec<ImageInfo>, RuntimeError> {
        let names: Vec<String> = self.there()?.images.iter().cloned().collect();
        Ok(names
            .into_iter()
            .map(|name| ImageInfo {
                id: format!("sha256:{name}"),
                names: vec![name],
                ..ImageInfo::default()
            })
            .collect())
    }

    async fn remove_image(&self, id: &str) -> Result<(), RuntimeError> {
        let name = id.trim_start_matches("sha256:");
        self.there()?.images.remove(name);
        Ok(())
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let mut state = self.there()?;
        if let Some(container) = state
            .containers
            .values()
            .find(|container| container.name == spec.name)
        {
            return Ok(container.id.clone());
        }
        state.next_id += 1;
        state.creates += 1;
        let id = format!("c{}", state.next_id);
        let container = Container {
            id: id.clone(),
            name: spec.name.clone(),
            labels: spec.labels.clone(),
            image: spec.image.clone(),
            image_id: format!("sha256:{}", spec.image),
            ..Container::default()
        };
        state.containers.insert(id.clone(), container);
        state.environments.insert(spec.name.clone(), spec.env.clone());
        state.cpus.insert(id.clone(), spec.cpus.clone());
        Ok(id)
    }

    async fn start(&self, id: &str) -> Result<(), RuntimeError> {
        let mut state = self.there()?;
        let container = state
            .containers
            .get_mut(id)
            .ok_or_else(|| no_such("container", id))?;
        container.state = RunState::Running {
            started: clock::now(),
        };
        let container = container.clone();
        drop(state);
        self.tell(&container, ContainerEventKind::Started);
        Ok(())
    }

    async fn stop(&self, id: &str, _: Duration) -> Result<(), RuntimeError> {
        drop(self.there()?);
        self.end(id, 143);
        Ok(())
    }

    async fn remove(&self, id: &str) -> Result<(), RuntimeError> {
        let removed = self.there()?.containers.remove(id);
        if let Some(container) = removed {
            self.tell(&container, ContainerEventKind::Removed);
        }
        Ok(())
    }

    async fn set_cpus(&self, id: &str, cpus: &str) -> Result<(), RuntimeError> {
        let mut state = self.there()?;
        if state.containers.contains_key(id) {
            state.cpus.insert(id.to_owned(), cpus.to_owned());
        }
        Ok(())
    }

    async fn usage(&self, id: &str, _: bool) -> Result<Option<Usage>, RuntimeError> {
        Ok(self.there()?.usages.get(id).copied())
    }

    async fn container(&self, id: &str) -> Result<Option<Container>, RuntimeError> {
        let mut state = self.there()?;
        state.inspects += 1;
        Ok(state.containers.get(id).cloned())
    }

    async fn containers(&self, labels: &BTreeMap<String, String>) -> Result<Vec<Container>, RuntimeError> {
        let state = self.there()?;
        Ok(state
            .containers
            .values()
            .filter(|container| matches(&container.labels, labels))
            .cloned()
            .collect())
    }

    async fn events(
        &self,
        labels: &BTreeMap<String, String>,
    ) -> Result<BoxStream<'static, ContainerEvent>, RuntimeError> {
        let state = self.there()?;
        let events = BroadcastStream::new(self.events.subscribe());
        drop(state);
        let labels = labels.clone();
        let present = events.take_while(|event| std::future::ready(matches!(event, Ok(Some(_)))));
        let ours = present.filter_map(move |event| {
            let ours = event
                .ok()
                .flatten()
                .filter(|event| matches(&event.labels, &labels));
            std::future::ready(ours)
        });
        Ok(ours.boxed())
    }

    async fn logs(
        &self,
        id: &str,
        options: &LogOptions,
    ) -> Result<BoxStream<'static, Result<Output, RuntimeError>>, RuntimeError> {
        let state = self.there()?;
        let container = state.containers.get(id).ok_or_else(|| no_such("container", id))?;
        let line = Output::Stdout(Bytes::from(format!("this is {}\n", container.name)));
        let rest = if options.follow {
            stream::pending().boxed()
        } else {
            stream::empty().boxed()
        };
        Ok(stream::iter([Ok(line)]).chain(rest).boxed())
    }

    /// Answers every command with its words and its input, and exit code 0; `false` ends with 1.
    async fn exec(&self, id: &str, spec: &ExecSpec) -> Result<Exec, RuntimeError> {
        let state = self.there()?;
        state.containers.get(id).ok_or_else(|| no_such("container", id))?;
        let (input, mut heard) = mpsc::channel(8);
        let (output, said) = mpsc::channel(8);
        let (code, exit_code) = oneshot::channel();
        let spec = spec.clone();
        tokio::spawn(async move {
            let words = spec.command.join(" ");
            let _ = output
                .send(Ok(Output::Stdout(Bytes::from(format!("{words}\n")))))
                .await;
            while spec.stdin
                && let Some(input) = heard.recv().await
            {
                if let ExecInput::Stdin(bytes) = input {
                    let _ = output.send(Ok(Output::Stderr(bytes))).await;
                }
            }
            let _ = code.send(Ok(i32::from(spec.command == ["false"])));
        });
        let output = tokio_stream::wrappers::ReceiverStream::new(said).boxed();
        Ok(Exec {
            input,
            output,
            exit_code,
        })
    }
}
