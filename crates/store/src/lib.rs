//! Keeps the cluster state durable and replicated: raft, log, snapshots, watch.
