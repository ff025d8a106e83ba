//! The image for containers, built and run as the examples say; and the examples, read by the programs that they are for.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::binary::{require, require_mounts, root};
use crate::command_output::CommandOutput;
use crate::polling::until;
use crate::test_env::TestEnv;

/// The user of the image.
const USER: u32 = 65532;

/// buildah copies the image, and Ansible is slow to start.
const READING: Duration = Duration::from_secs(120);

/// An image that buildah has built, with its root mounted.
struct Image<'a> {
    env: &'a TestEnv,
    root: PathBuf,
    config: Value,
}

impl<'a> Image<'a> {
    fn build(env: &'a TestEnv) -> Self {
        require("buildah", "buildah");
        let packages = std::env::var_os("BANHOOK_PACKAGES").expect("BANHOOK_PACKAGES is not set: cargo xtask test");
        let source = Path::new(&packages).join("image");
        buildah(env, &["bud", "--format", "docker", "--tag", "banhook", source.to_str().unwrap()]);
        let described = buildah(env, &["inspect", "--type", "image", "banhook"]);
        let described: Value = serde_json::from_str(&described).unwrap();
        let container = buildah(env, &["from", "banhook"]);
        let root = PathBuf::from(buildah(env, &["mount", container.trim()]).trim());
        // What runs containers makes it.
        make_system_folders(&root);
        Self { env, root, config: described["Docker"]["config"].clone() }
    }

    /// A part of the image's configuration that is a command.
    fn words(&self, pointer: &str) -> Vec<String> {
        let words = self.config.pointer(pointer).unwrap_or_else(|| panic!("no {pointer} in {}", self.config));
        serde_json::from_value(words.clone()).unwrap()
    }

    /// A container of this image, with the state and the configuration of the environment.
    fn container(&self, command: &[String]) -> Command {
        let user = self.config["User"].as_str().unwrap();
        run_in(&self.root, Some(&self.env.path("etc")), &self.env.state(), user, command)
    }
}

fn buildah(env: &TestEnv, arguments: &[&str]) -> String {
    let mut buildah = env.command("buildah");
    buildah.args(["--storage-driver", "vfs", "--root"]).arg(env.path("images")).arg("--runroot").arg(env.path("runs"));
    buildah.args(arguments).env("BUILDAH_ISOLATION", "chroot");
    CommandOutput::within(&mut buildah, READING).ok().stdout
}

fn make_system_folders(root: &Path) {
    for folder in ["dev", "proc"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
}

/// A command in a container with this root.
fn run_in(root: &Path, config: Option<&Path>, state: &Path, user: &str, command: &[String]) -> Command {
    let mut unshare = Command::new("unshare");
    unshare.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("BANHOOK_HOST", "web-1");
    unshare.args([
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        include_str!("container/container.sh"),
        "sh",
    ]);
    unshare.arg(root).arg(config.unwrap_or(Path::new(""))).arg(state).arg(user).args(command);
    unshare
}

#[test]
#[ignore = "needs root and buildah: cargo xtask test"]
fn image_delivers_from_a_container_of_fail2ban_that_shares_the_state() {
    require_mounts();
    let env = TestEnv::new();
    let image = Image::build(&env);
    // A named volume begins as a copy of what the image has there.
    let copy = |from: &str, to: &Path| {
        CommandOutput::of(env.command("cp").arg("--archive").arg(image.root.join(from)).arg(to)).ok();
    };
    copy("var/lib/banhook", &env.state());
    fs::create_dir(env.path("fail2ban")).unwrap();
    copy("usr/libexec", &env.path("fail2ban"));
    fs::create_dir(env.path("etc")).unwrap();
    fs::copy(env.config(), env.path("etc/config.toml")).unwrap();
    fs::copy(env.path("main.url"), env.path("etc/main.url")).unwrap();
    fs::set_permissions(env.path("etc/main.url"), fs::Permissions::from_mode(0o400)).unwrap();
    chown(env.path("etc/main.url"), Some(USER), None).unwrap();

    let mut daemon = env.daemon_of(&mut image.container(&[image.words("/Entrypoint"), image.words("/Cmd")].concat()));
    let health = image.words("/Healthcheck/Test");
    assert_eq!(health, ["CMD", "/usr/bin/banhook", "status"]);
    CommandOutput::of(&mut image.container(&health[1..])).ok();

    // The other container has nothing of the image but the program of the action, which is root there.
    make_system_folders(&env.path("fail2ban"));
    fs::create_dir_all(env.path("fail2ban/var/lib/banhook")).unwrap();
    let notify = "/libexec/banhook/banhook-notify ban --no-spawn --jail=sshd --ip=203.0.113.7";
    let notify: Vec<_> = notify.split(' ').map(str::to_owned).collect();
    CommandOutput::of(&mut run_in(&env.path("fail2ban"), None, &env.state(), "0:0", &notify)).ok();
    let message = env.webhook.wait_for(1).pop().unwrap();
    assert!(message.contains(&["`203.0.113.7` banned in `sshd`", "web-1"]), "{}", message.shown());

    // Process 1 gets only those signals that it asks for.
    let children = format!("/proc/{0}/task/{0}/children", daemon.pid());
    let pid: i32 = fs::read_to_string(children).unwrap().trim().parse().unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    until("the container to stop", || match daemon.exit_status() {
        Some(status) if status.success() => Ok(()),
        status => Err(format!("{status:?}: {}", env.log())),
    });
}

/// Reads a file of `host/packaging` with a program.
#[track_caller]
fn read_with(env: &TestEnv, program: &str, package: &str, arguments: &[&str], file: &str) -> CommandOutput {
    require(program, package);
    let file = root().join("host/packaging").join(file).canonicalize().unwrap();
    let mut command = env.command(program);
    let store = env.path("nix");
    command.args(arguments).arg(file).env("NIX_STATE_DIR", &store).env("NIX_STORE_DIR", store.join("store"));
    CommandOutput::within(&mut command, READING).ok()
}

/// A script that prints the YAML documents of a file as JSON, a line each.
const YAML: &str = "import json, sys, yaml
for document in yaml.safe_load_all(open(sys.argv[1])):
    print(json.dumps(document))";

#[test]
#[ignore = "needs docker-compose, Ansible and Nix: cargo xtask test"]
fn examples_for_containers_and_configuration_management_parse() {
    let env = TestEnv::new();
    let image = format!("banhook:{}", env!("CARGO_PKG_VERSION"));
    for file in ["container/compose.yaml", "container/compose.log.yaml"] {
        require("docker-compose", "docker-compose");
        let path = root().join("host/packaging").join(file).canonicalize().unwrap();
        let shown =
            CommandOutput::within(env.command("docker-compose").arg("-f").arg(path).arg("config"), READING).ok();
        assert!(shown.stdout.contains(&image), "{file}: {shown}");
        let read = read_with(&env, "python3", "python3-yaml", &["-c", YAML], file);
        let compose: Value = serde_json::from_str(&read.stdout).unwrap();
        let banhook = &compose["services"]["banhook"];
        assert_eq!((&banhook["read_only"], &banhook["cap_drop"][0]), (&true.into(), &"ALL".into()), "{file}");
    }
    let read = read_with(&env, "python3", "python3-yaml", &["-c", YAML], "container/kubernetes.yaml");
    let pod: Value = serde_json::from_str(&read.stdout).unwrap();
    let pod = &pod["spec"]["template"]["spec"];
    let banhook = &pod["containers"][0];
    let context = &banhook["securityContext"];
    assert_eq!(banhook["image"], image);
    assert_eq!((&context["runAsUser"], &context["readOnlyRootFilesystem"]), (&USER.into(), &true.into()));
    assert_eq!(banhook["env"][0]["name"], "BANHOOK_HOST");
    let volumes = |list: &Value, key: &str| -> Vec<String> {
        list.as_array().unwrap().iter().map(|volume| volume[key].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(volumes(&banhook["volumeMounts"], "name"), volumes(&pod["volumes"], "name"));

    read_with(&env, "ansible-playbook", "ansible-core", &["--syntax-check", "-i", "web-1,"], "ansible/playbook.yaml");
    let parsed = read_with(&env, "nix-instantiate", "nix-bin", &["--parse"], "nixos/banhook.nix");
    assert!(parsed.stdout.contains("url_credential"), "{parsed}");
}
