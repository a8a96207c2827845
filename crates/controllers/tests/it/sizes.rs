//! Any series of new sizes and templates ends with what the deployment says last.

use proptest::prelude::*;
use skep_api::Deployment;
use skep_testkit::deployment;

use crate::sim::Sim;

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn deployment_ends_up_as_it_was_last_asked_for(
        steps in prop::collection::vec((0..9_i32, 0..4_u8, any::<bool>(), 0..5_u64), 1..6),
    ) {
        let mut sim = Sim::new();
        sim.create(deployment("web", 3).image("v0"));
        for (replicas, version, paused, wait) in &steps {
            sim.advance(*wait);
            sim.edit::<Deployment>("web", |web| {
                web.spec.replicas = *replicas;
                web.spec.paused = *paused;
                web.spec.template.spec.containers[0].image = format!("v{version}");
            });
        }
        sim.edit::<Deployment>("web", |web| web.spec.paused = false);
        sim.advance(120);
        let web = sim.get::<Deployment>("web");
        let size = web.spec.replicas;
        let image = &web.spec.template.spec.containers[0].image;
        prop_assert!(sim.pods().iter().all(|pod| pod.spec.containers[0].image == *image));
        prop_assert_eq!(sim.pods().len(), usize::try_from(size).unwrap());
        prop_assert_eq!((web.status.replicas, web.status.available_replicas), (size, size));
        prop_assert_eq!(web.status.observed_generation, web.metadata.generation);
    }
}
