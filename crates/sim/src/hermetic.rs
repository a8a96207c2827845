//! Cuts a thread off from the machine's clock, its randomness and the space on its disks: they follow from a seed and from
//! simulated time, and the disks are always half full.
//!
//! The C library's `getrandom`, `syscall`, `clock_gettime` and `statvfs` are replaced, which everything in the process goes
//! through: `rand`, `uuid`, the keys of hash maps, the cryptography, the order in which `select!` looks at its branches,
//! `SystemTime`. Threads that are not part of a simulation get the real ones.
//!
//! Where the thread waits for such another thread, it does so in the machine's time, and simulated time stands still.

#![expect(
    unsafe_code,
    reason = "functions of the C library can be replaced in no other way"
)]

use std::{
    cell::Cell,
    ffi::CStr,
    mem::transmute,
    ptr,
    sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering::Relaxed},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use libc::{c_char, c_int, c_long, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};
use rand::TryRng as _;
use tokio::time::Instant;

/// What the clock says when a simulation begins: 2026-01-01T00:00:00Z.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// What a clock that counts from the machine's start says then.
const UP: Duration = Duration::from_secs(1000);

/// Blocks of 4 KiB, and files, that a disk has; half of them are free.
const DISK_BLOCKS: u64 = 1 << 24;
const DISK_FILES: u64 = 1 << 22;

/// How long a thread is held up, at most, and one of how many times.
const LAG_NANOS: u64 = 2_000_000;
const LAG_ONE_OF: u64 = 16;

static LAGS: AtomicBool = AtomicBool::new(false);
static LAGGED: AtomicU64 = AtomicU64::new(0);

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

/// From now on, other threads than those of simulations are held up now and then where they look at the clock or wait for another.
pub(crate) fn lag() {
    LAGS.store(true, Relaxed);
}

/// Holds a thread up for a while, where it is no part of a simulation and is to be.
fn hold_up() {
    if !LAGS.load(Relaxed) || LUCK.get().is_some() {
        return;
    }
    let luck = next(LAGGED.fetch_add(1, Relaxed));
    if !luck.is_multiple_of(LAG_ONE_OF) {
        return;
    }
    let long = timespec {
        tv_sec: 0,
        tv_nsec: c_long::try_from(luck / LAG_ONE_OF % LAG_NANOS).unwrap_or(0),
    };
    // SAFETY: the time to wait can be read, and what is left of it is not asked for.
    unsafe { libc::nanosleep(&raw const long, ptr::null_mut()) };
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
    assert_eq!(
        Instant::from_std(std::time::Instant::now()),
        Instant::now(),
        "the runtime's clock is the machine's"
    );
    assert_eq!(space(), Some(DISK_BLOCKS / 2), "the disk is the machine's");
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

/// The blocks that are free, as any part of the program sees it.
fn space() -> Option<u64> {
    // SAFETY: zeros are a value of this plain data.
    let mut told = unsafe { std::mem::zeroed::<libc::statvfs>() };
    // SAFETY: the path ends with zero, and there is room for the answer.
    let answer = unsafe { libc::statvfs(c"/".as_ptr(), &raw mut told) };
    (answer == 0).then_some(told.f_bavail)
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

/// Simulated time, where this thread has it. It stands still until the thread's runtime is there, whose own clock begins
/// with the time at which it was made: that is no other than what all others see.
fn simulated() -> Option<Duration> {
    LUCK.get()?;
    let Some(began) = BEGAN.get() else {
        return Some(Duration::ZERO);
    };
    if !READING.replace(true) {
        LAST.set(began.elapsed());
        READING.set(false);
    }
    Some(LAST.get())
}

/// The system call as the C library makes it. It takes more arguments than most calls need, as there.
type Syscall = unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// What the C library itself calls by a name.
fn real(name: &CStr, found: &AtomicPtr<c_void>) -> *mut c_void {
    if found.load(Relaxed).is_null() {
        // SAFETY: the name ends with zero.
        found.store(unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) }, Relaxed);
    }
    found.load(Relaxed)
}

fn real_syscall() -> Syscall {
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    // SAFETY: this is what the C library calls by that name, and it cannot do without.
    unsafe { transmute::<*mut c_void, Syscall>(real(c"syscall", &FOUND)) }
}

/// When a wait ends by the machine's clock that is to end by the simulated one; `None` where it has no such end.
///
/// # Safety
/// These are the arguments of the system call `futex`.
unsafe fn real_deadline(operation: c_long, deadline: c_long) -> Option<timespec> {
    let operation = c_int::try_from(operation).ok()?;
    let is_absolute = operation & libc::FUTEX_CMD_MASK == libc::FUTEX_WAIT_BITSET;
    if !is_absolute || operation & libc::FUTEX_CLOCK_REALTIME != 0 || deadline == 0 {
        return None;
    }
    let now = UP + simulated()?;
    // SAFETY: an operation of this kind has a time here, or zero.
    let deadline = duration(unsafe { *(deadline as *const timespec) });
    let mut clock = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: there is room for the answer.
    unsafe {
        real_syscall()(
            libc::SYS_clock_gettime,
            c_long::from(libc::CLOCK_MONOTONIC),
            &raw mut clock as c_long,
            0,
            0,
            0,
            0,
        )
    };
    Some(time_of(duration(clock) + deadline.saturating_sub(now)))
}

fn duration(time: timespec) -> Duration {
    Duration::new(
        time.tv_sec.try_into().unwrap_or(0),
        time.tv_nsec.try_into().unwrap_or(0),
    )
}

fn time_of(duration: Duration) -> timespec {
    timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(0),
        tv_nsec: duration.subsec_nanos().into(),
    }
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
    if number == libc::SYS_futex {
        hold_up();
    }
    // SAFETY: the arguments are those of this call.
    if number == libc::SYS_futex
        && let Some(deadline) = unsafe { real_deadline(b, d) }
    {
        // SAFETY: the arguments are passed on as they are, but for the time.
        return unsafe { real_syscall()(number, a, b, c, &raw const deadline as c_long, e, f) };
    }
    // SAFETY: the arguments are passed on as they are.
    unsafe { real_syscall()(number, a, b, c, d, e, f) }
}

/// In place of the C library's.
///
/// # Safety
/// As there: `path` ends with zero, and `told` can be written to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn statvfs(path: *const c_char, told: *mut libc::statvfs) -> c_int {
    type Statvfs = unsafe extern "C" fn(*const c_char, *mut libc::statvfs) -> c_int;
    static FOUND: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());
    if LUCK.get().is_none() {
        // SAFETY: this is what the C library calls by that name; the arguments are passed on as they are.
        return unsafe { transmute::<*mut c_void, Statvfs>(real(c"statvfs", &FOUND))(path, told) };
    }
    // SAFETY: zeros are a value of this plain data.
    let mut disk = unsafe { std::mem::zeroed::<libc::statvfs>() };
    (disk.f_bsize, disk.f_frsize) = (4096, 4096);
    (disk.f_blocks, disk.f_bfree, disk.f_bavail) = (DISK_BLOCKS, DISK_BLOCKS / 2, DISK_BLOCKS / 2);
    (disk.f_files, disk.f_ffree, disk.f_favail) = (DISK_FILES, DISK_FILES / 2, DISK_FILES / 2);
    // SAFETY: the caller lets it be written to.
    unsafe { told.write(disk) };
    0
}

/// In place of the C library's.
///
/// # Safety
/// As there: `time` can be written to.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    hold_up();
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
        libc::CLOCK_MONOTONIC | libc::CLOCK_MONOTONIC_COARSE | libc::CLOCK_BOOTTIME => UP + elapsed,
        _ => return real(),
    };
    // SAFETY: the caller lets it be written to.
    unsafe { time.write(time_of(now)) };
    0
}

#[cfg(test)]
mod tests {
    use std::{thread, time::Instant as Clock};

    use super::*;

    /// Runs it in simulated time, on a thread that is cut off.
    fn cut_off<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
        let thread = thread::spawn(|| {
            seal_luck(1);
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                seal_clock();
                check();
                work()
            })
        });
        thread.join().unwrap()
    }

    #[test]
    fn a_wait_for_another_thread_takes_the_machines_time_and_none_that_is_simulated() {
        let began = Clock::now();
        let elapsed = cut_off(|| {
            thread::park_timeout(Duration::from_millis(50));
            elapsed()
        });
        assert_eq!(elapsed, Duration::ZERO);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(50), "{took:?}");
        assert!(took < Duration::from_secs(30), "{took:?}");
    }

    #[test]
    fn threads_that_are_not_cut_off_see_the_machine() {
        assert!(cut_off(|| thread::spawn(|| LUCK.get()).join().unwrap()).is_none());
        assert_ne!(space(), None);
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        assert_ne!(since, EPOCH);
    }
}
