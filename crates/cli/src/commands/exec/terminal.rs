//! The terminal in raw mode: every key goes to the command, and its end brings the old mode back.

use std::{
    io,
    sync::{Mutex, Once, PoisonError},
};

use nix::sys::termios::{self, SetArg, Termios};
use skep_api::proto::TerminalSize;

/// The mode to go back to; where a panic aborts, no destructor runs, so the hook needs it as well.
static SAVED: Mutex<Option<Termios>> = Mutex::new(None);
static HOOK: Once = Once::new();

/// The terminal is in raw mode as long as this lives.
#[derive(Debug)]
pub(super) struct RawTerminal(());

impl RawTerminal {
    /// Puts the terminal of standard input into raw mode.
    ///
    /// # Errors
    /// Where standard input is no terminal.
    pub(super) fn enter() -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        *saved() = Some(before);
        HOOK.call_once(|| {
            let hook = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                hook(panic);
            }));
        });
        let guard = Self(());
        termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &raw)?;
        Ok(guard)
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        restore();
    }
}

fn saved() -> std::sync::MutexGuard<'static, Option<Termios>> {
    SAVED.lock().unwrap_or_else(PoisonError::into_inner)
}

fn restore() {
    if let Some(before) = saved().take() {
        // There is nobody left to tell where even this fails.
        let _ = termios::tcsetattr(io::stdin(), SetArg::TCSADRAIN, &before);
    }
}

/// The size of the terminal of standard output, else of standard input; `None` where neither is one.
pub(super) fn size() -> Option<TerminalSize> {
    let (width, height) = terminal_size::terminal_size_of(io::stdout())
        .or_else(|| terminal_size::terminal_size_of(io::stdin()))?;
    Some(TerminalSize {
        columns: width.0.into(),
        rows: height.0.into(),
    })
}
