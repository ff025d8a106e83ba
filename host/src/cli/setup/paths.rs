//! Where `setup` writes and `uninstall` removes: the files of banhook and of fail2ban on this system, or below another root.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use banhook_notify::{CONFIG_DEFAULT, CONFIG_OPTION, STATE_DIR_DEFAULT, STATE_DIR_OPTION};
use clap::Args;

use super::owned_file::below;
use crate::cli::command_error::CommandError;
use crate::cli::global_options::GlobalOptions;

/// The action file and the jails' file, below fail2ban's configuration. The latter comes before `jail.local`, so that a
/// person's `action` there wins.
pub(crate) const ACTION: &str = "action.d/banhook.conf";
pub(crate) const JAILS: &str = "jail.d/banhook.conf";

/// The name of the webhook and of its URL file.
pub(crate) const WEBHOOK: &str = "main";

/// What the packaged action file runs.
const PROGRAM: &str = "/usr/bin/banhook-notify";

/// Where fail2ban is, and below which root everything is.
#[derive(Debug, Args)]
pub(crate) struct PathArgs {
    /// Work on the files of another system, below this directory, and run nothing of it
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// fail2ban's configuration
    #[arg(long = "fail2ban", value_name = "DIR", default_value = "/etc/fail2ban")]
    fail2ban: PathBuf,
}

/// The files, and what the action is to be given.
#[derive(Debug)]
pub(crate) struct SetupPaths {
    pub config: PathBuf,
    pub url: PathBuf,
    /// fail2ban's configuration.
    pub fail2ban: PathBuf,
    pub action: PathBuf,
    pub jails: PathBuf,
    pub state_dir: PathBuf,
    /// Whether all this is of another system.
    pub is_elsewhere: bool,
    /// The line that adds the action to a jail: `banhook`, with its options where files are elsewhere.
    pub action_line: String,
}

impl PathArgs {
    /// Returns the files.
    pub(crate) fn find(&self, global: &GlobalOptions) -> Result<SetupPaths, CommandError> {
        let at = |path: &Path| {
            let path = std::path::absolute(path)?;
            self.root.as_deref().map_or_else(|| Ok(path.clone()), |root| below(root, &path))
        };
        let config = at(&global.config)?;
        let fail2ban = at(&self.fail2ban)?;
        Ok(SetupPaths {
            url: config.with_file_name(format!("{WEBHOOK}.url")),
            action: fail2ban.join(ACTION),
            jails: fail2ban.join(JAILS),
            state_dir: at(&global.state_dir)?,
            is_elsewhere: self.root.is_some(),
            action_line: self.action_line(global)?,
            config,
            fail2ban,
        })
    }

    fn action_line(&self, global: &GlobalOptions) -> Result<String, CommandError> {
        let mut options = Vec::new();
        for (option, path, default) in
            [(CONFIG_OPTION, &global.config, CONFIG_DEFAULT), (STATE_DIR_OPTION, &global.state_dir, STATE_DIR_DEFAULT)]
        {
            let path = std::path::absolute(path)?;
            if path != Path::new(default) {
                options.push(format!("--{option}={}", plain(&path)?));
            }
        }
        let mut settings = Vec::new();
        if self.root.is_none() && !Path::new(PROGRAM).exists() {
            settings.push(format!("banhook=\"{}\"", own_program()?));
        }
        if !options.is_empty() {
            settings.push(format!("options=\"{}\"", options.join(" ")));
        }
        Ok(if settings.is_empty() { "banhook".to_owned() } else { format!("banhook[{}]", settings.join(", ")) })
    }
}

impl SetupPaths {
    /// Returns the owner and the mode of a file with a secret: if banhook runs as a user of its own, that user's group may
    /// read it, and the user cannot change it.
    pub(crate) fn of_secret(&self) -> (Option<(u32, u32)>, u32) {
        let user = self.state_dir.metadata().ok().filter(|meta| meta.uid() != 0);
        match user.filter(|_| rustix::process::geteuid().is_root()) {
            Some(meta) => (Some((0, meta.gid())), 0o640),
            None => (None, 0o600),
        }
    }
}

/// Returns the command of the program next to this one that stores events.
fn own_program() -> Result<String, CommandError> {
    let program = std::env::current_exe()?;
    let notify = program.with_file_name("banhook-notify");
    if notify.exists() { plain(&notify) } else { Ok(format!("{} notify", plain(&program)?)) }
}

/// Returns a path that means the same to fail2ban, to a shell and to us.
fn plain(path: &Path) -> Result<String, CommandError> {
    let is_plain = |char: char| char.is_ascii_alphanumeric() || "/._-+@".contains(char);
    path.to_str().filter(|text| text.chars().all(is_plain)).map(str::to_owned).ok_or_else(|| {
        let shown = path.display();
        CommandError::input(io::Error::other(format!(
            "the path {shown} has other characters than letters, digits and /._-+@, and cannot be given to fail2ban's action"
        )))
    })
}
