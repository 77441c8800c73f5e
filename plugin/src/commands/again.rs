//! What a printed command takes over from the one that prints it, as a shell reads it. The flags that choose clusters come
//! from [`crate::ui::Ui::next`].

use crate::cli::{ApplyArgs, CheckArgs, HowTo, Programs, TargetArgs};
use shared::guide::shell::quote;
use std::{fmt::Display, path::Path, time::Duration};

/// What `apply` takes when nothing is said.
const STEP_TIMEOUT: Duration = Duration::from_secs(600);
const MERGE_TIMEOUT: Duration = Duration::from_secs(3600);

/// A flag with its value, where it was given.
pub fn flag(name: &str, value: Option<impl Display>) -> String {
    value.map_or_else(String::new, |value| format!(" {name} {}", quote(&value.to_string())))
}

fn file(name: &str, path: Option<&Path>) -> String {
    flag(name, path.map(Path::display))
}

/// How, and with which charts.
pub fn target(target: &TargetArgs, strategy: Option<HowTo>) -> String {
    strategy_and_charts(strategy, target.charts.as_deref())
}

fn strategy_and_charts(strategy: Option<HowTo>, charts: Option<&str>) -> String {
    flag("--strategy", strategy.map(HowTo::as_str)) + &flag("--charts", charts)
}

/// What was accepted in writing: without it the next command would stop at what this one was let past.
pub fn waivers(path: Option<&Path>) -> String {
    file("--waivers", path)
}

/// The same check once more.
pub fn check(args: &CheckArgs) -> String {
    target(&args.target, args.strategy)
        + &waivers(args.waivers.as_deref())
        + &flag("--on", args.on)
        + &file("--baseline", args.baseline.as_deref())
        + &programs(&args.programs)
}

/// A check of what `apply` was to do.
pub fn check_for(args: &ApplyArgs) -> String {
    strategy_and_charts(args.strategy, args.charts.as_deref())
        + &waivers(args.waivers.as_deref())
        + &programs(&args.programs)
}

/// What whoever goes on with an upgrade says once more; the journal keeps all else. Charts are those that stand in the place
/// of the journal's.
pub fn going_on(args: &ApplyArgs, charts: Option<&str>) -> String {
    if args.withdraw {
        return " --withdraw".to_owned();
    }
    flag("--charts", charts)
        + &timeout("--step-timeout", args.step_timeout, STEP_TIMEOUT)
        + &timeout("--merge-timeout", args.merge_timeout, MERGE_TIMEOUT)
        + &programs(&args.programs)
}

/// A time that is not the usual one, as it is typed.
fn timeout(name: &str, given: Duration, usual: Duration) -> String {
    let seconds = given.as_secs();
    let typed = match (given.subsec_millis(), seconds % 60, seconds / 60 % 60) {
        (0, 0, 0) => format!("{}h", seconds / 3600),
        (0, 0, _) => format!("{}m", seconds / 60),
        (0, ..) => format!("{seconds}s"),
        _ => format!("{}ms", given.as_millis()),
    };
    flag(name, (given != usual).then_some(typed))
}

/// The programs that were named.
pub fn programs(args: &Programs) -> String {
    file("--helm", args.helm.as_deref()) + &file("--istioctl", args.istioctl.as_deref())
}

/// A plan file as `apply` tells it from the name of a mesh, which has neither a dot nor a slash.
pub fn plan_file(path: &Path) -> String {
    let path = path.display().to_string();
    let is_told = path.contains(['.', '/']);
    quote(&if is_told { path } else { format!("./{path}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};
    use std::ffi::OsString;

    fn read(words: &[&str]) -> Command {
        let line = ["kubectl-mesh_upgrade"].iter().chain(words).map(OsString::from);
        Cli::read(line).unwrap().command.unwrap()
    }

    #[test]
    fn flags_are_repeated_as_a_shell_reads_them() {
        let words = [
            "check",
            "--to",
            "1.31.0",
            "--charts",
            "/srv/istio charts",
            "--strategy",
            "in-place",
        ];
        let more = ["--waivers", "w.yaml", "--on", "2027-01-31", "--baseline", "b.json"];
        let Command::Check(args) = read(&[&words[..], &more[..]].concat()) else {
            panic!("check")
        };
        assert_eq!(
            target(&args.target, args.strategy),
            " --strategy in-place --charts '/srv/istio charts'"
        );
        assert_eq!(
            check(&args),
            " --strategy in-place --charts '/srv/istio charts' --waivers w.yaml --on 2027-01-31 --baseline b.json"
        );
        let words = [
            "apply",
            "--to",
            "1.31.0",
            "--helm",
            "/opt/my helm",
            "--istioctl",
            "/opt/istioctl",
        ];
        let Command::Apply(args) = read(&words) else {
            panic!("apply")
        };
        assert_eq!(
            programs(&args.programs),
            " --helm '/opt/my helm' --istioctl /opt/istioctl"
        );
        assert_eq!(
            going_on(&args, Some("/builds/1/istio charts")),
            " --charts '/builds/1/istio charts' --helm '/opt/my helm' --istioctl /opt/istioctl"
        );
        assert_eq!(check_for(&args), " --helm '/opt/my helm' --istioctl /opt/istioctl");
        let Command::Apply(args) = read(&["apply", "--to", "1.31.0", "--waivers", "my waivers.yaml"]) else {
            panic!("apply")
        };
        assert_eq!(check_for(&args), " --waivers 'my waivers.yaml'");
    }

    #[test]
    fn whoever_goes_on_waits_as_long() {
        for (words, shown) in [
            (&[][..], ""),
            (&["--step-timeout", "10m", "--merge-timeout", "1h"], ""),
            (&["--step-timeout", "3600s"], " --step-timeout 1h"),
            (
                &["--step-timeout", "45m", "--merge-timeout", "90s"],
                " --step-timeout 45m --merge-timeout 90s",
            ),
            (&["--merge-timeout", "1500ms"], " --merge-timeout 1500ms"),
            // Nothing is waited for, and no program needed.
            (&["--withdraw", "--step-timeout", "1h", "--helm", "h"], " --withdraw"),
        ] {
            let Command::Apply(args) = read(&[&["apply"], words].concat()) else {
                panic!("apply")
            };
            assert_eq!(going_on(&args, None), shown, "{words:?}");
        }
    }

    #[test]
    fn a_plan_file_is_no_name_of_a_mesh() {
        for (path, shown) in [
            ("myplan", "./myplan"),
            ("my plan", "'./my plan'"),
            ("plan.json", "plan.json"),
            ("/tmp/myplan", "/tmp/myplan"),
        ] {
            assert_eq!(plan_file(Path::new(path)), shown);
        }
    }
}
