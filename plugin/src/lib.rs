//! The plugin as a library: parse, connect, run one command, turn its outcome into an exit code.

mod cli;
mod clock;
mod cluster;
mod commands;
mod completion;
mod error;
mod executor;
mod guard;
mod installer;
mod ui;

pub use cli::Cli;
pub use cluster::sanitized_kubeconfig;
pub use error::Exit;
pub use ui::{Lang, width};

use clap::CommandFactory as _;
use cli::Command;
use error::CommandError;
use std::{ffi::OsString, process::ExitCode};
use ui::{Format, Output, Ui};

/// Runs the plugin with a command line and returns its exit code; prints whatever there is to say.
pub fn run<I: IntoIterator<Item = OsString>>(args: I) -> ExitCode {
    let mut args = args.into_iter().peekable();
    if args.peek().is_some_and(|program| completion::is_asked_by(program)) {
        completion::answer(args.skip(1).collect());
        return Exit::Done.code().into();
    }
    let args: Vec<OsString> = args.collect();
    let lang = Lang::asked_for(&args, ui::lang());
    let cli = match Cli::read_in(args.iter().cloned(), lang) {
        Ok(cli) => cli,
        Err(mut error) => {
            let advice = cli::advice(&mut error, &args);
            let exit = usage(&error, lang);
            if let Some(advice) = advice {
                ui::hint(lang, &advice);
            }
            return exit;
        }
    };
    let ui = Ui::new(cli.global.output, cli.global.lang);
    ui::remember(cli.global.chosen());
    let outcome = match cli.command {
        _ if cli.version => commands::version::client(ui),
        None if commands::wizard::has_terminal() => block_on(commands::wizard::run(&cli.global, ui)).flatten(),
        None => return help(lang),
        Some(command) => run_verb(command, &cli.global, ui),
    };
    match outcome {
        Ok(exit) => exit.code().into(),
        Err(error) => {
            print_error(ui, &error);
            error.exit.code().into()
        }
    }
}

fn run_verb(command: Command, global: &cli::Global, ui: Ui) -> Result<Exit, CommandError> {
    match command {
        Command::Check(_) | Command::Guide(_) => in_runtime(command, global, ui),
        _ if global.output == Format::Markdown => Err(CommandError::usage("-o markdown is for check and guide")),
        // Answered before a runtime is started: it is asked often, and by scripts.
        Command::Version(args) if args.client => commands::version::client(ui),
        Command::Explain(args) => commands::explain::run(&args, ui),
        command => in_runtime(command, global, ui),
    }
}

fn in_runtime(command: Command, global: &cli::Global, ui: Ui) -> Result<Exit, CommandError> {
    block_on(commands::run(command, global, ui)).flatten()
}

/// Runs work that talks to clusters to its end.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, CommandError> {
    start_log();
    // Fails only when a provider is already installed, which is as good.
    rustls::crypto::ring::default_provider().install_default().ok();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers())
        .enable_all()
        .build()
        .map_err(|error| CommandError::error(format!("cannot start: {error}")))?;
    let outcome = runtime.block_on(work);
    // A credential plugin that hangs is not waited for; what it would have led to has been given up.
    runtime.shutdown_background();
    Ok(outcome)
}

/// Answers of many clusters are read at the same time; one cluster keeps two threads busy.
fn workers() -> usize {
    std::thread::available_parallelism().map_or(2, |found| found.get().clamp(2, 8))
}

/// Logs are for finding faults of the tool: off, unless `MESH_UPGRADE_LOG` asks for them.
fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_env("MESH_UPGRADE_LOG")
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("off"));
    // kube's client warns with the whole body of an answer that it cannot parse, and the body may be a Secret.
    let filter = match "kube_client::client=error".parse() {
        Ok(quiet) => filter.add_directive(quiet),
        Err(_) => filter,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .ok();
}

fn print_error(ui: Ui, error: &CommandError) {
    if ui.output == Output::Text {
        return ui.error(error);
    }
    let document = serde_json::json!({
        "error": { "message": error.to_string(), "hints": ui.hints(error), "exitCode": error.exit.code() },
    });
    ui.streamed("Error", document).ok();
}

/// What a command line without a verb gets: all verbs, and the exit code of wrong usage.
fn help(lang: Lang) -> ExitCode {
    let missing = clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
    usage(
        &clap::Error::raw(missing, lang.helping(Cli::command()).render_help()),
        lang,
    )
}

/// clap's own text; help and version go to stdout and are no error.
fn usage(error: &clap::Error, lang: Lang) -> ExitCode {
    match lang {
        Lang::Chinese if error.use_stderr() => ui::say(&lang.mistake(error)),
        Lang::Chinese => ui::help(&error.render().ansi().to_string()),
        _ => drop(error.print()),
    }
    if error.use_stderr() {
        Exit::Usage.code().into()
    } else {
        Exit::Done.code().into()
    }
}
