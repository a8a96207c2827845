//! Real processes under misfortune: killed, without power, on full and damaged disks. Nothing acknowledged is lost.

mod kill;
mod power;
