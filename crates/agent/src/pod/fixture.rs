//! A story of one pod for tests: its steps are planned, done at once against an engine of a few lines, and written down.

use std::{collections::BTreeSet, fmt::Write, net::Ipv4Addr, sync::Arc, time::Duration};

use skep_api::{ContainerState, ContainerStatus, Pod, Time};

use super::{
    Action, Address, Desired, Failure, Hook, Image, Observed, Run, VolumeState, notes,
    step::{Step, step},
};
use crate::{
    devices::Wants,
    runtime::{ImageInfo, RunState},
};

/// A pod, the engine behind it, and what has happened so far.
pub(super) struct Story {
    pub(super) desired: Desired,
    pub(super) observed: Observed,
    pub(super) now: Time,
    /// Containers whose image cannot be had.
    pub(super) no_image: BTreeSet<String>,
    /// Containers that the engine cannot start.
    pub(super) cannot_start: BTreeSet<String>,
    /// Containers whose postStart hook fails.
    pub(super) bad_hook: BTreeSet<String>,
    /// Why the node can never give the pod its devices.
    pub(super) no_devices: Option<String>,
    /// Actions are planned and begun, but do not end.
    pub(super) hangs: bool,
    text: String,
    next_id: u32,
}

/// A pod out of YAML's spec.
pub(super) fn story(spec: &str) -> Story {
    let mut pod = Pod::default();
    pod.metadata.name = "web".to_owned();
    pod.metadata.namespace = "default".to_owned();
    pod.metadata.uid = "u1".to_owned();
    let spec = serde_json::from_str(&format!("{{{spec}}}")).expect("the spec is JSON");
    pod.spec = spec;
    let wants = Arc::new(Wants::of(&pod, false));
    Story {
        desired: Desired {
            pod: Arc::new(pod),
            host_ip: "192.0.2.1".to_owned(),
            wants,
            ..Desired::default()
        },
        observed: Observed::default(),
        now: Time::from_secs(1000),
        no_image: BTreeSet::new(),
        cannot_start: BTreeSet::new(),
        bad_hook: BTreeSet::new(),
        no_devices: None,
        hangs: false,
        text: String::new(),
        next_id: 0,
    }
}

/// A pod with one container `web`.
pub(super) fn one(more: &str) -> Story {
    story(&format!(
        r#"{more} "containers": [{{"name": "web", "image": "web:v1"}}]"#
    ))
}

impl Story {
    /// Steps until nothing more is to be done now.
    pub(super) fn settle(&mut self) -> &mut Self {
        for _ in 0..100 {
            let planned = step(&self.desired, &self.observed, self.now);
            let again = step(&self.desired, &self.observed, self.now);
            assert_eq!(planned, again, "the same input gives the same step");
            self.note(&planned);
            if planned.actions.is_empty() {
                let settled = self.observed.status == planned.status;
                self.observed.status = planned.status.clone();
                if !settled {
                    continue;
                }
                self.tell(&planned);
                return self;
            }
            let line: Vec<String> = planned.actions.iter().map(show).collect();
            writeln!(self.text, "{}", line.join(" + ")).unwrap();
            self.observed.status = planned.status;
            for action in planned.actions {
                self.begin(action);
            }
        }
        panic!("no end of steps:\n{}", self.text);
    }

    /// Time passes.
    pub(super) fn pass(&mut self, secs: u64) -> &mut Self {
        self.now = self.now.plus(Duration::from_secs(secs));
        writeln!(self.text, "-- {secs} s later").unwrap();
        self
    }

    /// Something happens.
    pub(super) fn then(&mut self, what: &str, change: impl FnOnce(&mut Self)) -> &mut Self {
        writeln!(self.text, "-- {what}").unwrap();
        change(self);
        self
    }

    /// The newest run of a container ends by itself.
    pub(super) fn exits(&mut self, container: &str, code: i32) -> &mut Self {
        let what = format!("{container} exits with {code}");
        let now = self.now;
        let container = container.to_owned();
        self.then(&what, |story| {
            let runs = story.observed.runs.get_mut(&container).expect("it has run");
            end(runs.last_mut().expect("it has run"), code, now);
        })
    }

    /// All that was written down since the last time.
    pub(super) fn told(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// The id of a container's newest run.
    pub(super) fn id(&self, container: &str) -> String {
        self.observed.latest(container).expect("it has run").id.clone()
    }

    /// The agent is started anew: all that is left is the engine's list and the status that the server has.
    pub(super) fn restart_agent(&mut self) -> &mut Self {
        self.then("the agent restarts", |story| {
            let old = std::mem::take(&mut story.observed);
            story.observed.status = old.status;
            story.observed.volumes = VolumeState::Unknown;
            story.observed.address = old.address;
            story.observed.holder = old.holder;
            story.observed.runs = old.runs;
        })
    }

    fn begin(&mut self, action: Action) {
        let Some(work) = action.work() else { return };
        if self.hangs {
            if let Action::Stop { id, grace, .. } = &action {
                self.observed.stopping.insert(id.clone(), self.now.plus(*grace));
            }
            self.observed.working.insert(work);
            return;
        }
        match self.perform(action) {
            Ok(()) => drop(self.observed.failed.remove(&work)),
            Err((reason, message)) => {
                let count = self.observed.failed.get(&work).map_or(0, |failure| failure.count) + 1;
                let failure = Failure {
                    reason,
                    message: message.to_owned(),
                    at: self.now,
                    count,
                };
                self.observed.failed.insert(work, failure);
            }
        }
    }

    fn perform(&mut self, action: Action) -> Result<(), (&'static str, &'static str)> {
        let now = self.now;
        match action {
            Action::SetUpVolumes => {
                self.observed.volumes = VolumeState::Ready {
                    sources: self.desired.sources,
                };
            }
            Action::TakeAddress => self.observed.address = Address::Held(Ipv4Addr::new(10, 0, 0, 2)),
            Action::FreeAddress => self.observed.address = Address::None,
            Action::TakeDevices => match &self.no_devices {
                Some(why) => self.observed.refused = Some(why.clone()),
                None => self.observed.devices = Some(Arc::default()),
            },
            Action::FreeDevices => self.observed.devices = None,
            Action::TearDownVolumes => self.observed.volumes = VolumeState::Absent,
            Action::StartHolder => {
                let run = Run {
                    id: self.fresh_id("holder"),
                    ..running(now)
                };
                self.observed.holder = Some(run);
            }
            Action::EnsureImage { container, .. } if self.no_image.contains(&container) => {
                return Err(("ErrImagePull", "no route to registry"));
            }
            Action::EnsureImage { container, attempt } => {
                self.observed.images.insert(
                    container,
                    Image {
                        attempt,
                        info: ImageInfo::default(),
                    },
                );
            }
            Action::Start {
                container,
                attempt,
                crashes,
            } => self.start(&container, attempt, crashes),
            Action::Resume { container, .. } => {
                let runs = self.observed.runs.get_mut(&container).expect("it was made");
                runs.last_mut().expect("it was made").state = RunState::Running { started: now };
            }
            Action::PostStart { container, id } => {
                let bad = self.bad_hook.contains(&container);
                let hook = if bad {
                    Hook::Failed("no".to_owned())
                } else {
                    Hook::Done
                };
                self.observed.hooks.insert(id, hook);
            }
            Action::Stop { container, .. } => {
                let runs = self.observed.runs.get_mut(&container).expect("it runs");
                end(runs.last_mut().expect("it runs"), 143, now);
            }
            Action::Remove { id } => self.observed.forget(&id),
            Action::Say(_) => {}
        }
        Ok(())
    }

    fn start(&mut self, container: &str, attempt: u32, crashes: u32) {
        let running_already = self.observed.latest(container).is_some_and(Run::is_running);
        assert!(!running_already, "{container} is doubled:\n{}", self.text);
        let hash = self.desired.hash(container).to_owned();
        let id = self.fresh_id(container);
        let mut run = Run {
            id,
            attempt,
            crashes,
            hash,
            ..running(self.now)
        };
        if self.cannot_start.contains(container) {
            run.state = RunState::Exited {
                code: 128,
                oom_killed: false,
                message: "no such file: /bin/nope".to_owned(),
                started: None,
                finished: self.now,
            };
        }
        self.observed.see(container, run);
    }

    fn fresh_id(&mut self, of: &str) -> String {
        self.next_id += 1;
        format!("{of}-{}", self.next_id)
    }

    fn note(&mut self, planned: &Step) {
        for note in notes(&self.observed.status, &planned.status) {
            writeln!(self.text, "! {}: {}", note.reason, note.message).unwrap();
        }
    }

    fn tell(&mut self, planned: &Step) {
        let status = &planned.status;
        write!(self.text, "= {:?}", status.phase).unwrap();
        if !status.reason.is_empty() {
            write!(self.text, " {}", status.reason).unwrap();
        }
        for container in status
            .init_container_statuses
            .iter()
            .chain(&status.container_statuses)
        {
            write!(self.text, "; {}", show_container(container)).unwrap();
        }
        if let Some(again_in) = planned.again_in {
            write!(self.text, "; again in {again_in:?}").unwrap();
        }
        writeln!(self.text, "{}", if planned.gone { "; gone" } else { "" }).unwrap();
    }
}

fn running(now: Time) -> Run {
    Run {
        image_id: "sha256:1".to_owned(),
        state: RunState::Running { started: now },
        ..Run::default()
    }
}

fn end(run: &mut Run, code: i32, now: Time) {
    let started = run.started();
    run.state = RunState::Exited {
        code,
        oom_killed: false,
        message: String::new(),
        started,
        finished: now,
    };
}

fn show(action: &Action) -> String {
    match action {
        Action::EnsureImage { container, attempt } => format!("EnsureImage {container}#{attempt}"),
        Action::Start {
            container,
            attempt,
            crashes: 0,
        } => format!("Start {container}#{attempt}"),
        Action::Start {
            container,
            attempt,
            crashes,
        } => format!("Start {container}#{attempt} (crash {crashes})"),
        Action::Resume { container, .. } => format!("Resume {container}"),
        Action::PostStart { container, .. } => format!("PostStart {container}"),
        Action::Stop {
            container,
            grace,
            pre_stop,
            ..
        } => {
            format!(
                "Stop {container} in {grace:?}{}",
                if *pre_stop { "" } else { " without hook" }
            )
        }
        Action::Remove { id } => format!("Remove {id}"),
        Action::Say(note) => format!("Say {}: {}", note.reason, note.message),
        other => format!("{other:?}"),
    }
}

fn show_container(status: &ContainerStatus) -> String {
    let mut text = format!("{} {}", status.name, show_state(&status.state));
    if status.ready {
        text.push_str(" ready");
    }
    if status.restart_count > 0 {
        write!(text, " restarts={}", status.restart_count).unwrap();
    }
    if status.last_state != ContainerState::default() {
        write!(text, " last={}", show_state(&status.last_state)).unwrap();
    }
    text
}

fn show_state(state: &ContainerState) -> String {
    if let Some(waiting) = &state.waiting {
        let separator = if waiting.message.is_empty() { "" } else { ": " };
        return format!("[{}{separator}{}]", waiting.reason, waiting.message);
    }
    match &state.terminated {
        Some(ended) => format!("({} {})", ended.reason, ended.exit_code),
        None => "running".to_owned(),
    }
}
