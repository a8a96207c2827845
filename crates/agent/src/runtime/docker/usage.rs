//! What containers use.

use std::{collections::HashMap, path::Path};

use bollard::{
    Docker as Client,
    models::{ContainerMemoryStats, ContainerStatsResponse},
    query_parameters::{InspectContainerOptions, StatsOptionsBuilder},
};
use futures::StreamExt;

use super::error;
use crate::runtime::{RuntimeError, Usage};

pub(super) async fn of(client: &Client, id: &str, with_disk: bool) -> Result<Option<Usage>, RuntimeError> {
    let options = StatsOptionsBuilder::new().stream(false).one_shot(true).build();
    let stats = match client.stats(id, Some(options)).next().await {
        Some(Ok(stats)) => stats,
        Some(Err(failure)) if error::is_not_found(&failure) => return Ok(None),
        Some(Err(failure)) => return Err(error::from(failure)),
        None => return Ok(None),
    };
    let disk_bytes = if with_disk { disk(client, id).await? } else { 0 };
    Ok(Some(Usage {
        disk_bytes,
        ..of_stats(&stats)
    }))
}

fn of_stats(stats: &ContainerStatsResponse) -> Usage {
    let pids = stats.pids_stats.as_ref().and_then(|pids| pids.current);
    Usage {
        memory_bytes: stats.memory_stats.as_ref().map_or(0, working_set),
        pids: pids.unwrap_or(0),
        disk_bytes: 0,
    }
}

/// Without the pages of files that the kernel can drop, by the names of cgroup 1 and 2.
fn working_set(memory: &ContainerMemoryStats) -> u64 {
    let nothing = HashMap::new();
    let parts = memory.stats.as_ref().unwrap_or(&nothing);
    let inactive = parts
        .get("total_inactive_file")
        .or_else(|| parts.get("inactive_file"));
    let used = memory.usage.unwrap_or(0);
    used.saturating_sub(inactive.copied().unwrap_or(0))
}

/// Its own files, and its log where that is a file of this machine.
async fn disk(client: &Client, id: &str) -> Result<u64, RuntimeError> {
    let found = match client
        .inspect_container(id, Some(InspectContainerOptions { size: true }))
        .await
    {
        Ok(found) => found,
        Err(failure) if error::is_not_found(&failure) => return Ok(0),
        Err(failure) => return Err(error::from(failure)),
    };
    let files = found
        .size_rw
        .and_then(|bytes| u64::try_from(bytes).ok())
        .unwrap_or(0);
    Ok(files + found.log_path.map_or(0, |path| log_bytes(Path::new(&path))))
}

/// The log and the parts of it that were set aside, which lie beside it.
fn log_bytes(path: &Path) -> u64 {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return 0;
    };
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let parts = entries.filter(|entry| {
        entry
            .file_name()
            .to_str()
            .is_some_and(|found| found.starts_with(name))
    });
    parts.filter_map(|entry| Some(entry.metadata().ok()?.len())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_that_can_be_dropped_do_not_count_in_either_cgroup() {
        let memory = |name: &str| ContainerMemoryStats {
            usage: Some(100),
            stats: Some(HashMap::from([(name.to_owned(), 30)])),
            ..ContainerMemoryStats::default()
        };
        assert_eq!(working_set(&memory("total_inactive_file")), 70);
        assert_eq!(working_set(&memory("inactive_file")), 70);
        assert_eq!(working_set(&memory("other")), 100);
        assert_eq!(working_set(&ContainerMemoryStats::default()), 0);
    }

    #[test]
    fn a_log_counts_with_its_older_parts() {
        let dir = tempfile::tempdir().unwrap();
        for (name, len) in [("c-json.log", 10), ("c-json.log.1", 5), ("config.json", 99)] {
            std::fs::write(dir.path().join(name), vec![b'x'; len]).unwrap();
        }
        assert_eq!(log_bytes(&dir.path().join("c-json.log")), 15);
        assert_eq!(log_bytes(Path::new("/no/such/log")), 0);
    }
}
