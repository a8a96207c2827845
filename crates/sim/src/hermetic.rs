//! Cuts a thread off from the machine's clock and its randomness: both follow from a seed and from simulated time.
//!
//! The C library's `getrandom`, `syscall` and `clock_gettime` are replaced, which everything in the process goes through:
//! `rand`, `uuid`, the keys of hash maps, the cryptography, the order in which `select!` looks at its branches,
//! `SystemTime`. Threads that are not part of a simulation get the real ones.

#![expect(
    unsafe_code,
    reason = "functions of the C library can be replaced in no other way"
)]

use std::{
    cell::Cell,
    mem::transmute,
    ptr,
    sync::atomic::{AtomicPtr, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use libc::{c_int, c_long, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};
use rand::TryRng as _;
use tokio::time::Instant;

/// What the clock says when a simulation begins: 2026-01-01T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

thread_local! {
    /// Where the thread's randomness stands; `None` for the machine's own.
    static LUCK: Cell<Option<u64>> = const { Cell::new(None) };
    /// When simulated time began; `None` for the machine's own.
    static BEGAN: Cell<Option<Instant>> = const { Cell::new(None) };
    /// Set while the clock is being read.
    static READING: Cell<bool> = const { Cell::new(false) };
    /// The simulated time that was read last.
    static LAST: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// From now on, what this thread draws at random follows from `seed`. Call it before anything is drawn.
pub(crate) fn seal_luck(seed: u64) {
    LUCK.set(Some(seed));
}

/// From now on, this thread's clock is that of the runtime it is in.
pub(crate) fn seal_clock() {
    BEGAN.set(Some(Instant::now()));
}

/// The simulated time since [`seal_clock`].
pub(crate) fn elapsed() -> Duration {
    BEGAN.get().map_or(Duration::ZERO, |began| began.elapsed())
}

/// # Panics
/// Where the seals do not hold: then nothing that a simulation shows could be repeated.
pub(crate) fn check() {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    assert!(
        since >= EPOCH && since < EPOCH + Duration::from_secs(3600),
        "the clock is the machine's"
    );
    let draws: [&dyn Fn(); 2] = [
        // By way of the system call, and of a symbol that is looked up.
        &|| drop(skep_trust::KeyPairFile::generate()),
        &|| assert!(rand::rngs::SysRng.try_next_u64().is_ok()),
    ];
    for (number, draw) in draws.iter().enumerate() {
        let before = LUCK.get();
        draw();
        assert!(LUCK.get() != before, "the randomness is the machine's: {number}");
    }
}

/// SplitMix64.
fn next(seed: u64) -> u64 {
    let z = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn fill(buffer: &mut [u8], mut seed: u64) -> u64 {
    for chunk in buffer.chunks_mut(8) {
        seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        chunk.copy_from_slice(&next(seed).to_le_bytes()[..chunk.len()]);
    }
    seed
}

/// Simulated time, where this thread has it. The runtime's clock itself reads the clock when it is made.
fn simulated() -> Option<Duration> {
    let began = BEGAN.get()?;
    if !READING.replace(true) {
        LAST.set(began.elapsed());
        READING.set(false);
    }
    Some(LAST.get())
}

/// The system call as the C library makes it. It takes more arguments than most calls need, as there.
type Syscall = unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// The C library's own.
fn real_syscall() -> Syscall {
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    let mut found = FOUND.load(Relaxed);
    if found.is_null() {
        // SAFETY: the name is a string that ends with zero.
        found = unsafe { libc::dlsym(libc::RTLD_NEXT, c"syscall".as_ptr()) };
        FOUND.store(found, Relaxed);
    }
    // SAFETY: this is what the C library calls by that name, and it cannot do without.
    unsafe { transmute::<*mut c_void, Syscall>(found) }
}

/// Draws as many bytes; `None` where this thread draws from the machine.
///
/// # Safety
/// `buffer` has `length` bytes.
unsafe fn draw(buffer: *mut u8, length: usize) -> Option<()> {
    let seed = LUCK.get()?;
    if length > 0 {
        // SAFETY: the caller names the buffer's length.
        LUCK.set(Some(fill(
            unsafe { std::slice::from_raw_parts_mut(buffer, length) },
            seed,
        )));
    }
    Some(())
}

/// In place of the C library's.
///
/// # Safety
/// As there: `buffer` has `length` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn getrandom(buffer: *mut c_void, length: size_t, flags: c_uint) -> ssize_t {
    // SAFETY: the arguments are passed on as they are.
    unsafe {
        syscall(
            libc::SYS_getrandom,
            buffer as c_long,
            length as c_long,
            c_long::from(flags),
            0,
            0,
            0,
        ) as ssize_t
    }
}

/// In place of the C library's.
///
/// # Safety
/// As there: the arguments are what the call needs.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    // SAFETY: the first two arguments of this call are a buffer and its length.
    if number == libc::SYS_getrandom && unsafe { draw(a as *mut u8, b as usize) }.is_some() {
        return b;
    }
    // SAFETY: the arguments are passed on as they are.
    unsafe { real_syscall()(number, a, b, c, d, e, f) }
}

/// In place of the C library's.
///
/// # Safety
/// As there: `time` can be written to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    // SAFETY: the arguments are passed on as they are.
    let real = || unsafe {
        real_syscall()(
            libc::SYS_clock_gettime,
            c_long::from(clock),
            time as c_long,
            0,
            0,
            0,
            0,
        ) as c_int
    };
    let Some(elapsed) = simulated() else { return real() };
    let now = match clock {
        libc::CLOCK_REALTIME | libc::CLOCK_REALTIME_COARSE => EPOCH + elapsed,
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_BOOTTIME => {
            Duration::from_secs(1000) + elapsed
        }
        _ => return real(),
    };
    let now = timespec {
        tv_sec: now.as_secs().try_into().unwrap_or(0),
        tv_nsec: now.subsec_nanos().into(),
    };
    // SAFETY: the caller lets it be written to.
    unsafe { time.write(now) };
    0
}
