//! Which images go, and when. Pure.

use std::collections::{BTreeMap, BTreeSet};

use skep_api::Time;

use crate::{ImageGcThresholds, node::Disk, runtime::ImageInfo};

/// An image, and what is known of its use here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) id: String,
    pub(super) size_bytes: u64,
    pub(super) last_used: Time,
}

/// Bytes to win so that the disk is below the low threshold; 0 while it is not above the high one.
pub(super) fn bytes_to_free(disk: &Disk, thresholds: &ImageGcThresholds) -> u64 {
    if disk.used_percent() <= thresholds.high_percent {
        return 0;
    }
    let low = u128::from(disk.total_bytes) * u128::from(thresholds.low_percent) / 100;
    let used = u128::from(disk.total_bytes.saturating_sub(disk.available_bytes));
    u64::try_from(used.saturating_sub(low)).unwrap_or(u64::MAX)
}

/// Ids of the images to remove to win that many bytes: those not used for longest first, and of these the largest.
pub(super) fn choose(mut candidates: Vec<Candidate>, bytes: u64) -> Vec<String> {
    candidates.sort_by(|a, b| {
        let by_size = b.size_bytes.cmp(&a.size_bytes);
        a.last_used
            .cmp(&b.last_used)
            .then(by_size)
            .then_with(|| a.id.cmp(&b.id))
    });
    let mut won = 0u64;
    let mut chosen = Vec::new();
    for candidate in candidates {
        if won >= bytes {
            break;
        }
        won = won.saturating_add(candidate.size_bytes);
        chosen.push(candidate.id);
    }
    chosen
}

/// When each image was used last, as far as this agent knows.
#[derive(Clone, Debug, Default)]
pub(super) struct Uses {
    /// First seen and last used, by image id.
    known: BTreeMap<String, (Time, Time)>,
    /// Images were looked at before: one that is not known yet is new.
    has_seen: bool,
}

impl Uses {
    /// Takes in what is there now, and what is used.
    pub(super) fn see(&mut self, images: &[ImageInfo], used: &BTreeSet<String>, now: Time) {
        let ids: BTreeSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
        self.known.retain(|id, _| ids.contains(id.as_str()));
        // What was there when the agent came may be of any age.
        let first_seen = if self.has_seen { now } else { Time::default() };
        self.has_seen = true;
        for image in images {
            let (_, last_used) = self
                .known
                .entry(image.id.clone())
                .or_insert((first_seen, Time::default()));
            if is_used(image, used) {
                *last_used = now;
            }
        }
    }

    /// The images that may go: not used now, and seen for long enough.
    pub(super) fn candidates(
        &self,
        images: &[ImageInfo],
        used: &BTreeSet<String>,
        thresholds: &ImageGcThresholds,
        now: Time,
    ) -> Vec<Candidate> {
        let free = images.iter().filter(|image| !is_used(image, used));
        free.filter_map(|image| {
            let (first_seen, last_used) = self.known.get(&image.id)?;
            (now.since(*first_seen) >= thresholds.age_min).then(|| Candidate {
                id: image.id.clone(),
                size_bytes: image.size_bytes,
                last_used: *last_used,
            })
        })
        .collect()
    }
}

/// `used` has names and ids.
fn is_used(image: &ImageInfo, used: &BTreeSet<String>) -> bool {
    let plain = |name: &str| {
        let name = name.strip_prefix("docker.io/").unwrap_or(name);
        name.strip_prefix("library/").unwrap_or(name).to_owned()
    };
    let tagged = |name: &str| {
        let last = name.rsplit('/').next().unwrap_or(name);
        if last.contains(':') || last.contains('@') {
            name.to_owned()
        } else {
            format!("{name}:latest")
        }
    };
    used.contains(&image.id)
        || used.iter().any(|wanted| {
            let wanted = tagged(&plain(wanted));
            image.names.iter().any(|name| plain(name) == wanted)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, name: &str, size_bytes: u64) -> ImageInfo {
        ImageInfo {
            id: id.to_owned(),
            names: vec![name.to_owned()],
            size_bytes,
            ..ImageInfo::default()
        }
    }

    fn at(secs: i64) -> Time {
        Time::from_secs(secs)
    }

    #[test]
    fn nothing_goes_below_the_high_threshold_and_then_all_down_to_the_low_one() {
        let thresholds = ImageGcThresholds::default();
        let disk = |available_bytes| Disk {
            total_bytes: 1000,
            available_bytes,
            ..Disk::default()
        };
        assert_eq!(bytes_to_free(&disk(150), &thresholds), 0);
        assert_eq!(bytes_to_free(&disk(100), &thresholds), 100);
        assert_eq!(bytes_to_free(&Disk::default(), &thresholds), 0);
    }

    #[test]
    fn the_longest_unused_go_first_and_of_these_the_largest() {
        let candidate = |id: &str, size_bytes, used| Candidate {
            id: id.to_owned(),
            size_bytes,
            last_used: at(used),
        };
        let all = vec![
            candidate("new", 50, 9),
            candidate("small", 5, 1),
            candidate("large", 10, 1),
        ];
        assert_eq!(choose(all.clone(), 12), ["large", "small"]);
        assert_eq!(choose(all.clone(), 16), ["large", "small", "new"]);
        assert_eq!(choose(all, 0), [""; 0]);
    }

    #[test]
    fn an_image_of_an_assigned_pod_never_goes() {
        let images = [
            image("sha256:1", "web:v1", 1),
            image("sha256:2", "docker.io/library/db:latest", 1),
            image("sha256:3", "old:v1", 1),
        ];
        let used = BTreeSet::from(["web:v1".to_owned(), "db".to_owned()]);
        let mut uses = Uses::default();
        uses.see(&[], &used, at(0));
        uses.see(&images, &used, at(0));
        let free = uses.candidates(&images, &used, &ImageGcThresholds::default(), at(120));
        assert_eq!(
            free.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(),
            ["sha256:3"]
        );
        assert!(
            uses.candidates(&images, &used, &ImageGcThresholds::default(), at(119))
                .is_empty(),
            "too young"
        );
    }

    #[test]
    fn what_was_there_before_the_agent_may_go_at_once() {
        let images = [image("sha256:1", "old:v1", 1)];
        let (used, mut uses) = (BTreeSet::new(), Uses::default());
        uses.see(&images, &used, at(1000));
        let free = uses.candidates(&images, &used, &ImageGcThresholds::default(), at(1000));
        assert_eq!(free.len(), 1);
    }
}
