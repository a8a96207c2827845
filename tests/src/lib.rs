//! What whole-cluster tests share.
