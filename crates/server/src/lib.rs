//! The control-plane daemon: API doors, admission, agent sessions, leader duties.
