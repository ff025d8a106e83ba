//! What `notify` is made of: the event, the arguments that fail2ban's action passes, the state directory, and the command
//! itself. The program `banhook-notify` has nothing else; the rest of banhook is built upon it.

pub mod accounts;
mod arguments;
pub mod event;
pub mod hex;
mod new_id;
mod notify;
pub mod phrase;
mod runner;
mod spooled_event;
mod state_dir;
mod state_dir_error;
mod work_lock;

pub use arguments::{ActionArguments, ActionOption, OPTIONS};
pub use notify::{
    CONFIG_DEFAULT, CONFIG_OPTION, CONFIG_VARIABLE, Notify, NotifyError, STATE_DIR_DEFAULT, STATE_DIR_OPTION,
    STATE_DIR_VARIABLE, append,
};
pub use runner::{Handover, LOCK_ON_STDIN, Runner, StartRunError, ensure_holder, ensure_run};
pub use spooled_event::{SpooledEvent, VERSION};
pub use state_dir::{NO_FOLLOW, StateDir};
pub use state_dir_error::StateDirError;
pub use work_lock::{WorkLock, YIELD};

/// The name of the small program.
pub const NOTIFY_PROGRAM: &str = "banhook-notify";
