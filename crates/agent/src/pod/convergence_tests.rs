//! Properties of `step` under an engine that fails at random: it converges, and never runs a container twice.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};
use skep_api::{PodPhase, Time};

use super::{
    Action, Address, Desired, Failure, Image, Observed, Run, VolumeState, Work,
    fixture::story,
    step::{Step, step},
};
use crate::runtime::{ImageInfo, RunState};

/// An engine whose containers are counted apart from what the pod's task knows of them.
struct World {
    desired: Desired,
    observed: Observed,
    /// All containers by id, as the engine has them: name, attempt, run.
    engine: BTreeMap<String, (String, Run)>,
    now: Time,
    next_id: u32,
}

/// What the engine does with an action.
#[derive(Clone, Copy, Debug)]
enum Fate {
    /// It is done and answered.
    Done,
    /// It fails.
    Fails,
    /// It is done, but the answer is lost: the engine went away.
    Lost,
    /// It is done, and the container ends at once.
    Dies,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![4 => Just(Fate::Done), 2 => Just(Fate::Fails), 1 => Just(Fate::Lost), 1 => Just(Fate::Dies)]
}

/// A disturbance between two steps.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    AgentRestarts,
    Relist,
    SomebodyRemovesAContainer,
    EngineAway(bool),
}

fn trouble() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        6 => Just(Trouble::None),
        1 => Just(Trouble::AgentRestarts),
        1 => Just(Trouble::Relist),
        1 => Just(Trouble::SomebodyRemovesAContainer),
        1 => any::<bool>().prop_map(Trouble::EngineAway),
    ]
}

impl World {
    fn new() -> Self {
        let pod = r#""initContainers": [{"name": "init", "image": "i"}],
            "containers": [{"name": "web", "image": "w"}, {"name": "log", "image": "l"}]"#;
        let Desired { pod, .. } = story(pod).desired;
        let desired = Desired {
            pod,
            ..Desired::default()
        };
        let (observed, engine) = (Observed::default(), BTreeMap::new());
        Self {
            desired,
            observed,
            engine,
            now: Time::from_secs(1000),
            next_id: 0,
        }
    }

    fn step(&mut self, fates: &mut impl Iterator<Item = Fate>) -> Step {
        let planned = step(&self.desired, &self.observed, self.now);
        self.observed.status = planned.status.clone();
        for action in planned.actions.clone() {
            let fate = fates.next().unwrap_or(Fate::Done);
            self.perform(action, fate);
            self.check();
        }
        planned
    }

    fn perform(&mut self, action: Action, fate: Fate) {
        let Some(work) = action.work() else { return };
        if matches!(fate, Fate::Fails) && !matches!(action, Action::FreeAddress) {
            let at = self.now;
            let failure = Failure {
                reason: "CreateContainerError",
                message: String::new(),
                at,
                count: 1,
            };
            self.observed.failed.insert(work, failure);
            return;
        }
        let answered = !matches!(fate, Fate::Lost);
        self.execute(action, matches!(fate, Fate::Dies));
        if answered {
            self.observed.failed.remove(&work);
            self.relist();
        } else {
            let failure = Failure {
                at: self.now,
                ..Failure::default()
            };
            self.observed.failed.insert(work, failure);
            self.relist();
        }
    }

    fn execute(&mut self, action: Action, dies: bool) {
        let now = self.now;
        match action {
            Action::SetUpVolumes => self.observed.volumes = VolumeState::Ready { sources: 0 },
            Action::TearDownVolumes => self.observed.volumes = VolumeState::Absent,
            Action::TakeAddress => self.observed.address = Address::Held(Ipv4Addr::new(10, 0, 0, 2)),
            Action::FreeAddress => self.observed.address = Address::None,
            Action::TakeDevices => self.observed.devices = Some(Arc::default()),
            Action::FreeDevices => self.observed.devices = None,
            Action::EnsureImage { container, attempt } => {
                self.observed.images.insert(
                    container,
                    Image {
                        attempt,
                        info: ImageInfo::default(),
                    },
                );
            }
            Action::StartHolder => self.start(super::HOLDER, 0, 0, dies),
            Action::Start {
                container,
                attempt,
                crashes,
            } => self.start(&container, attempt, crashes, dies),
            Action::Resume { id, .. } => {
                if let Some((_, run)) = self.engine.get_mut(&id) {
                    run.state = RunState::Running { started: now };
                }
            }
            Action::Stop { id, .. } => self.end(&id, 143),
            Action::Remove { id } => drop(self.engine.remove(&id)),
            Action::PostStart { .. } | Action::Say(_) => {}
        }
    }

    /// As the engine does: one container of a name, and making what is there answers with it.
    fn start(&mut self, name: &str, attempt: u32, crashes: u32, dies: bool) {
        let same = |(known, run): &&(String, Run)| known == name && run.attempt == attempt;
        if self.engine.values().find(same).is_some() {
            return;
        }
        self.next_id += 1;
        let id = format!("{name}-{}", self.next_id);
        let state = RunState::Running { started: self.now };
        let run = Run {
            id: id.clone(),
            attempt,
            crashes,
            state,
            ..Run::default()
        };
        self.engine.insert(id.clone(), (name.to_owned(), run));
        // Init containers end by themselves.
        if name == "init" {
            self.end(&id, i32::from(dies));
        } else if dies {
            self.end(&id, 1);
        }
    }

    fn end(&mut self, id: &str, code: i32) {
        let now = self.now;
        if let Some((_, run)) = self.engine.get_mut(id)
            && run.is_running()
        {
            let started = run.started();
            run.state = RunState::Exited {
                code,
                oom_killed: false,
                message: String::new(),
                started,
                finished: now,
            };
        }
    }

    /// The task learns what the engine has.
    fn relist(&mut self) {
        let known: Vec<String> = self.observed.all_runs().map(|(_, run)| run.id.clone()).collect();
        for id in known.into_iter().filter(|id| !self.engine.contains_key(id)) {
            self.observed.forget(&id);
        }
        for (name, run) in self.engine.values() {
            self.observed.see(name, run.clone());
        }
    }

    fn suffer(&mut self, trouble: Trouble, pick: usize) {
        match trouble {
            Trouble::None => {}
            Trouble::AgentRestarts => {
                let old = std::mem::take(&mut self.observed);
                self.observed.status = old.status;
                self.observed.volumes = VolumeState::Unknown;
                self.observed.engine_away = old.engine_away;
                self.relist();
            }
            Trouble::Relist => self.relist(),
            Trouble::SomebodyRemovesAContainer => {
                if let Some(id) = self.engine.keys().nth(pick % self.engine.len().max(1)).cloned() {
                    self.engine.remove(&id);
                    self.relist();
                }
            }
            Trouble::EngineAway(away) => self.observed.engine_away = away,
        }
        self.check();
    }

    /// The named safety properties.
    fn check(&self) {
        let mut running: BTreeMap<&str, u32> = BTreeMap::new();
        for (name, run) in self.engine.values().filter(|(_, run)| run.is_running()) {
            assert!(!run.id.is_empty());
            *running.entry(name).or_default() += 1;
        }
        assert!(
            running.values().all(|count| *count == 1),
            "a container is doubled: {:#?}",
            self.engine
        );
    }

    /// Time passes without trouble until nothing changes any more.
    fn calm_down(&mut self) -> Step {
        self.observed.engine_away = false;
        self.relist();
        for _ in 0..400 {
            let before = self.observed.status.clone();
            let planned = self.step(&mut std::iter::empty());
            if planned.actions.is_empty() && planned.again_in.is_none() && planned.status == before {
                return planned;
            }
            self.now = self
                .now
                .plus(planned.again_in.unwrap_or(Duration::from_millis(10)));
        }
        panic!("it does not converge: {:#?} {:#?}", self.observed, self.engine);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_pod_converges_to_running_whatever_went_wrong(
        fates in vec(fate(), 0..40),
        troubles in vec((trouble(), 0usize..8, 0u64..20), 0..30),
    ) {
        let mut world = World::new();
        let mut fates = fates.into_iter();
        for (trouble, pick, secs) in troubles {
            world.step(&mut fates);
            world.suffer(trouble, pick);
            world.now = world.now.plus(Duration::from_secs(secs));
        }
        let end = world.calm_down();
        prop_assert_eq!(end.status.phase, PodPhase::Running);
        prop_assert!(end.status.container_statuses.iter().all(|status| status.ready));
        let again = step(&world.desired, &world.observed, world.now);
        prop_assert_eq!(again.status, end.status);
    }

    #[test]
    fn a_deleted_pod_converges_to_nothing_whatever_went_wrong(
        fates in vec(fate(), 0..40),
        troubles in vec((trouble(), 0usize..8, 0u64..20), 0..30),
        deleted_at in 0usize..30,
    ) {
        let mut world = World::new();
        let mut fates = fates.into_iter();
        for (index, (trouble, pick, secs)) in troubles.into_iter().enumerate() {
            if index == deleted_at {
                world.desired.ending = Some(Duration::from_secs(5));
            }
            world.step(&mut fates);
            world.suffer(trouble, pick);
            world.now = world.now.plus(Duration::from_secs(secs));
        }
        world.desired.ending = Some(Duration::from_secs(5));
        let end = world.calm_down();
        prop_assert!(end.gone);
        prop_assert!(world.engine.is_empty());
    }
}

#[test]
fn no_work_is_planned_twice_in_one_step() {
    let mut world = World::new();
    for _ in 0..20 {
        let planned = step(&world.desired, &world.observed, world.now);
        let mut works: Vec<Work> = planned.actions.iter().filter_map(Action::work).collect();
        let all = works.len();
        works.sort();
        works.dedup();
        assert_eq!(works.len(), all);
        world.step(&mut std::iter::empty());
    }
}
