//! Compiles the protocol definitions without `protoc`.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message;

const ROOT: &str = "../../proto";
const FILES: [&str; 8] = [
    "skep/v1/cluster.proto",
    "skep/v1/join.proto",
    "skep/v1/local.proto",
    "skep/v1/members.proto",
    "skep/v1/node.proto",
    "skep/v1/peer.proto",
    "skep/v1/raft.proto",
    "skep/v1/seal.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let descriptors = protox::compile(FILES, [ROOT])?;
    let out = PathBuf::from(env::var("OUT_DIR")?).join("skep.v1.bin");
    fs::write(out, descriptors.encode_to_vec())?;
    tonic_prost_build::configure()
        .extern_path(".google.protobuf.Struct", "crate::Struct")
        .compile_fds(descriptors)?;
    Ok(())
}
