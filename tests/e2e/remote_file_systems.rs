//! A state directory on another machine: `config check` refuses it, and `banhook-notify` gives each event a file of its own.
//!
//! No network file system is at hand, so strace changes what the kernel answers: `statfs` names one.

use std::fs;
use std::process::Command;

use crate::binary::{banhook, banhook_notify, require};
use crate::command_output::CommandOutput;
use crate::test_env::TestEnv;

/// What a state directory on a file system of this kind is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Refused,
    /// Many a local file system runs as FUSE.
    Doubtful,
    Fine,
}

/// `f_type` of `statfs(2)`, and the name that a message has for it.
const FILE_SYSTEMS: [(u64, &str, Verdict); 8] = [
    (0x6969, "NFS", Verdict::Refused),
    (0xfe53_4d42, "SMB", Verdict::Refused),
    (0xff53_4d42, "CIFS", Verdict::Refused),
    (0x0102_1997, "9P", Verdict::Refused),
    (0x00c3_6400, "Ceph", Verdict::Refused),
    (0x5346_414f, "AFS", Verdict::Refused),
    (0x6573_5546, "FUSE", Verdict::Doubtful),
    (0xef53, "ext4", Verdict::Fine),
];

/// Events of each file system.
const EVENTS: usize = 3;

/// A program to which every file system is of this type.
fn on(env: &TestEnv, file_system: u64, program: &std::path::Path) -> Command {
    require("strace", "strace");
    // As it is in memory: the lowest byte first.
    let bytes: String = file_system.to_le_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut command = env.command("strace");
    command.args(["-f", "-qqq", "-o", "/dev/null", "-e", "trace=statfs,fstatfs"]);
    command.args(["-e", &format!("inject=statfs,fstatfs:poke_exit=@arg2={bytes}")]).arg(program);
    command
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn config_check_refuses_a_state_directory_on_another_machine() {
    let env = TestEnv::new();
    for (file_system, name, verdict) in FILE_SYSTEMS {
        let output = CommandOutput::of(on(&env, file_system, banhook()).args(["config", "check"]));
        let words = format!("on a file system of the kind {name}: ");
        let said = format!("{}{}", output.stdout, output.stderr);
        assert_eq!(said.contains(&words), verdict != Verdict::Fine, "{name}: {output}");
        assert_eq!(output.code == Some(0), verdict != Verdict::Refused, "{name}: {output}");
    }
}

#[test]
#[ignore = "needs strace: cargo xtask test"]
fn notify_on_another_machine_appends_to_no_file_of_another_process() {
    for (file_system, name, verdict) in FILE_SYSTEMS {
        let env = TestEnv::new();
        for number in 0..EVENTS {
            let mut notify = on(&env, file_system, banhook_notify());
            notify.args(["--no-spawn", "ban", &format!("--jail={number}"), "--ip=203.0.113.7"]);
            CommandOutput::of(&mut notify).ok();
        }
        let files = fs::read_dir(env.state().join("spool")).unwrap();
        let segments = files.filter(|file| file.as_ref().unwrap().file_name() != "active").count();
        assert_eq!(segments, if verdict == Verdict::Fine { 1 } else { EVENTS }, "{name}");
        env.banhook(["drain", "--timeout", "30s"]).ok();
        assert_eq!(env.webhook.arrived().len(), EVENTS, "{name}");
    }
}
