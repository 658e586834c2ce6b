//! The same conversation over TCP, whose losses are the kernel's to make: in a network of its own whose
//! loopback is shaped by netem. Anybody may have one where user namespaces are allowed.

use std::{
    env, io,
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use crate::transport::impair::{Profile, Qdiscs};

/// Ends of the script that makes the network, before the conversation could begin.
const NO_IP: i32 = 81;
const NO_TC: i32 = 82;
const NO_LOOPBACK: i32 = 83;
const NO_QDISC: i32 = 84;

/// Between two looks whether it has ended.
const STEP: Duration = Duration::from_millis(50);

/// Why there is no such network here.
#[derive(Debug, thiserror::Error)]
pub(super) enum Missing {
    #[error("{0} is missing: apt-get install {1}")]
    Tool(&'static str, &'static str),
    #[error("no namespace of one's own ({0})")]
    Namespace(String),
    #[error("the loopback of a new namespace cannot be used ({0})")]
    Loopback(String),
    #[error("the kernel has no netem or tbf for it ({0})")]
    Netem(String),
    #[error("it cannot be started ({0})")]
    Io(#[from] io::Error),
}

/// The program once more, talking over TCP on a link like this. Ends with its owner.
#[derive(Debug)]
pub(super) struct Twin {
    child: Child,
    /// What of the profile the kernel does not do.
    pub(super) left_out: Vec<&'static str>,
}

impl Twin {
    /// Starts it, after a try whether the network can be made.
    pub(super) fn start(profile: &Profile) -> Result<Self, Missing> {
        let qdiscs = profile.qdiscs("lo");
        let tried = in_namespace(&script(&qdiscs, "exit 0")).output();
        verdict(&tried.map_err(|error| no_unshare(error, "unshare", "util-linux"))?)?;
        let mut command = in_namespace(&script(&qdiscs, "exec \"$0\" demo --over-tcp"));
        let child = command.arg(env::current_exe()?).spawn()?;
        Ok(Self { child, left_out: qdiscs.left_out })
    }

    /// What it said at its end: the last line of its output, or its complaint.
    pub(super) async fn outcome(mut self) -> io::Result<String> {
        while self.child.try_wait()?.is_none() {
            tokio::time::sleep(STEP).await;
        }
        let said = self.child.stdout.take().map_or_else(|| Ok(String::new()), io::read_to_string)?;
        let complaint = self.child.stderr.take().map_or_else(|| Ok(String::new()), io::read_to_string)?;
        let last = said.lines().last().or_else(|| complaint.lines().next().map(without_prefix));
        Ok(last.unwrap_or("it ended without a word").to_owned())
    }
}

fn without_prefix(complaint: &str) -> &str {
    complaint.strip_prefix("error: ").unwrap_or(complaint)
}

impl Drop for Twin {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn no_unshare(error: io::Error, tool: &'static str, package: &'static str) -> Missing {
    match error.kind() {
        io::ErrorKind::NotFound => Missing::Tool(tool, package),
        _ => Missing::Io(error),
    }
}

fn in_namespace(script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", script]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Without its large segments the loopback loses what a wire would: a packet, not 64 kB at once.
fn script(qdiscs: &Qdiscs, then: &str) -> String {
    let mut script = format!(
        "PATH=$PATH:/usr/sbin:/sbin; \
         command -v ip >/dev/null || exit {NO_IP}; command -v tc >/dev/null || exit {NO_TC}; \
         ip link set lo mtu {} gso_max_segs 1 up || exit {NO_LOOPBACK}; ",
        qdiscs.mtu
    );
    for call in &qdiscs.calls {
        script.push_str(&format!("tc {call} || exit {NO_QDISC}; "));
    }
    script + then
}

fn verdict(tried: &Output) -> Result<(), Missing> {
    let complaint = String::from_utf8_lossy(&tried.stderr);
    let said = complaint.lines().next().unwrap_or("it does not say why").trim_end_matches('.').to_owned();
    match tried.status.code() {
        Some(0) => Ok(()),
        Some(NO_IP) => Err(Missing::Tool("ip", "iproute2")),
        Some(NO_TC) => Err(Missing::Tool("tc", "iproute2")),
        Some(NO_LOOPBACK) => Err(Missing::Loopback(said)),
        Some(NO_QDISC) => Err(Missing::Netem(said)),
        _ => Err(Missing::Namespace(said)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;

    use super::*;

    #[test]
    fn is_what_is_missing_named_in_a_line() {
        let told = |status: i32, stderr: &str| {
            let status = std::process::ExitStatus::from_raw(status << 8);
            let tried = Output { status, stdout: Vec::new(), stderr: stderr.into() };
            verdict(&tried).map_err(|missing| missing.to_string()).err()
        };
        let tc = "Error: Specified qdisc kind is unknown.\nmore\n";
        let unshare = "unshare: unshare failed: Operation not permitted\n";
        let named = |text: &str| Some(text.to_owned());
        assert_eq!(told(0, ""), None);
        assert_eq!(told(NO_TC, ""), named("tc is missing: apt-get install iproute2"));
        assert_eq!(
            told(NO_QDISC, tc),
            named("the kernel has no netem or tbf for it (Error: Specified qdisc kind is unknown)")
        );
        assert_eq!(
            told(1, unshare),
            named("no namespace of one's own (unshare: unshare failed: Operation not permitted)")
        );
        assert_eq!(told(127, ""), named("no namespace of one's own (it does not say why)"));
    }

    #[test]
    fn is_a_link_made_before_anything_is_said_on_it() {
        let qdiscs = Profile::named("lossy30").unwrap().qdiscs("lo");
        let script = script(&qdiscs, "exec talk");
        let at = |what: &str| script.find(what).unwrap_or_else(|| panic!("{what} in {script}"));
        assert!(
            at("ip link set lo mtu 1500") < at("tc qdisc add dev lo root") && at("netem") < at("exec talk")
        );
    }
}
