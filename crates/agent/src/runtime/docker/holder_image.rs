//! The image of the container that holds a pod's namespaces, made here so that no registry is needed.
//!
//! It is one static program that sleeps for ever. It ignores SIGCHLD, so that the kernel itself reaps the orphans of a
//! pod that shares its process namespace. As a first process it does not react to SIGTERM either: holders are ended with
//! no grace.

use bollard::{Docker as Client, body_full, query_parameters::CreateImageOptionsBuilder};
use futures::TryStreamExt;

use super::{error, images};
use crate::runtime::RuntimeError;

/// Its name in the engine.
pub const HOLDER_IMAGE: &str = "skep.io/holder:1";
/// The only program in it.
pub const HOLDER_COMMAND: &str = "/hold";

const REPOSITORY: &str = "skep.io/holder";
const TAG: &str = "1";

/// The machine's number in ELF files, and the program in its code.
#[cfg(target_arch = "x86_64")]
const PROGRAM: (u16, &[u8]) = X86_64;
#[cfg(target_arch = "aarch64")]
const PROGRAM: (u16, &[u8]) = AARCH64;

/// The program for 64-bit x86. `ignore` is a `struct kernel_sigaction`.
#[cfg_attr(not(target_arch = "x86_64"), expect(dead_code, reason = "for other machines"))]
const X86_64: (u16, &[u8]) = (
    62,
    &[
        0xb8, 0x0d, 0x00, 0x00, 0x00, //             mov  eax, 13            ; rt_sigaction(
        0xbf, 0x11, 0x00, 0x00, 0x00, //             mov  edi, 17            ;   SIGCHLD,
        0x48, 0x8d, 0x35, 0x13, 0x00, 0x00, 0x00, // lea  rsi, [rip + ignore] ;   &ignore,
        0x31, 0xd2, //                               xor  edx, edx           ;   NULL,
        0x41, 0xba, 0x08, 0x00, 0x00, 0x00, //       mov  r10d, 8            ;   8)
        0x0f, 0x05, //                               syscall
        0xb8, 0x22, 0x00, 0x00, 0x00, //       wait: mov  eax, 34            ; pause()
        0x0f, 0x05, //                               syscall
        0xeb, 0xf7, //                               jmp  wait
        1, 0, 0, 0, 0, 0, 0, 0, //           ignore: handler SIG_IGN
        0, 0, 0, 0, 0, 0, 0, 0, //                   flags
        0, 0, 0, 0, 0, 0, 0, 0, //                   restorer
        0, 0, 0, 0, 0, 0, 0, 0, //                   mask
    ],
);

/// The program for 64-bit ARM, which has no pause(): ppoll() of nothing, for ever.
#[cfg_attr(
    not(target_arch = "aarch64"),
    expect(dead_code, reason = "for other machines")
)]
const AARCH64: (u16, &[u8]) = (
    183,
    &[
        0x20, 0x02, 0x80, 0xd2, //       mov  x0, #17     ; rt_sigaction(SIGCHLD,
        0x81, 0x01, 0x00, 0x10, //       adr  x1, ignore  ;   &ignore,
        0x02, 0x00, 0x80, 0xd2, //       mov  x2, #0      ;   NULL,
        0x03, 0x01, 0x80, 0xd2, //       mov  x3, #8      ;   8)
        0xc8, 0x10, 0x80, 0xd2, //       mov  x8, #134
        0x01, 0x00, 0x00, 0xd4, //       svc  #0
        0x00, 0x00, 0x80, 0xd2, // wait: mov  x0, #0      ; ppoll(NULL,
        0x01, 0x00, 0x80, 0xd2, //       mov  x1, #0      ;   0,
        0x02, 0x00, 0x80, 0xd2, //       mov  x2, #0      ;   NULL,
        0x03, 0x00, 0x80, 0xd2, //       mov  x3, #0      ;   NULL)
        0x28, 0x09, 0x80, 0xd2, //       mov  x8, #73
        0x01, 0x00, 0x00, 0xd4, //       svc  #0
        0xfa, 0xff, 0xff, 0x17, //       b    wait
        1, 0, 0, 0, 0, 0, 0, 0, // ignore: handler SIG_IGN
        0, 0, 0, 0, 0, 0, 0, 0, //       flags
        0, 0, 0, 0, 0, 0, 0, 0, //       restorer
        0, 0, 0, 0, 0, 0, 0, 0, //       mask
    ],
);

/// Where the program is loaded.
const LOAD_ADDRESS: u64 = 0x40_0000;
const ELF_HEADER_BYTES: u16 = 64;
const PROGRAM_HEADER_BYTES: u16 = 56;
/// Programs and archives are made of blocks of this size.
const TAR_BLOCK_BYTES: usize = 512;

/// Makes the image unless the engine has it.
pub(super) async fn ensure(client: &Client) -> Result<(), RuntimeError> {
    if images::find(client, HOLDER_IMAGE).await?.is_some() {
        return Ok(());
    }
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(REPOSITORY)
        .tag(TAG)
        .build();
    let archive = tar(HOLDER_COMMAND.trim_start_matches('/'), &elf(PROGRAM.0, PROGRAM.1));
    let progress = client.create_image(Some(options), Some(body_full(archive.into())), None);
    progress.try_for_each(async |_| Ok(())).await.map_err(error::from)
}

/// An ELF file with one segment, which holds the whole file and begins to run right after the headers.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    let headers = u64::from(ELF_HEADER_BYTES + PROGRAM_HEADER_BYTES);
    let size = headers + code.len() as u64;
    let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0]; // 64 bits, little-endian, version 1, System V
    file.extend([0; 8]);
    file.extend(2_u16.to_le_bytes()); // an executable
    file.extend(machine.to_le_bytes());
    file.extend(1_u32.to_le_bytes()); // version
    file.extend((LOAD_ADDRESS + headers).to_le_bytes()); // entry
    file.extend(u64::from(ELF_HEADER_BYTES).to_le_bytes()); // program headers begin here
    file.extend(0_u64.to_le_bytes()); // no section headers
    file.extend(0_u32.to_le_bytes()); // flags
    for half in [ELF_HEADER_BYTES, PROGRAM_HEADER_BYTES, 1, 0, 0, 0] {
        file.extend(half.to_le_bytes()); // header sizes and counts
    }
    file.extend(1_u32.to_le_bytes()); // a segment to load
    file.extend(5_u32.to_le_bytes()); // readable, executable
    for word in [0, LOAD_ADDRESS, LOAD_ADDRESS, size, size, 0x1000] {
        file.extend(word.to_le_bytes()); // offset, addresses, sizes, alignment
    }
    file.extend(code);
    file
}

/// A tar archive (ustar) with one executable file.
fn tar(name: &str, content: &[u8]) -> Vec<u8> {
    let mut header = [0; TAR_BLOCK_BYTES];
    let size = format!("{:011o}", content.len());
    let fields: [(usize, &[u8]); 8] = [
        (0, name.as_bytes()),
        (100, b"0000755"),
        (108, b"0000000"),
        (116, b"0000000"),
        (124, size.as_bytes()),
        (136, b"00000000000"),
        (148, b"        "), // the checksum counts as blanks
        (156, b"0"),        // a file
    ];
    for (at, field) in fields.into_iter().chain([(257, &b"ustar\x0000"[..])]) {
        header[at..at + field.len()].copy_from_slice(field);
    }
    let checksum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(
        archive.len().next_multiple_of(TAR_BLOCK_BYTES) + 2 * TAR_BLOCK_BYTES,
        0,
    );
    archive
}
