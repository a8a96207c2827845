//! Real processes under misfortune: killed, without power, on full and damaged disks. Nothing acknowledged is lost.

mod clocks;
mod damage;
mod full;
mod kill;
mod node_power;
mod power;
