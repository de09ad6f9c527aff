//! Shell completion: `kubectl reload completion` prints scripts, and kubectl itself asks
//! `kubectl_complete-reload` for the words that may come next.

mod names;
mod words;

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Command};
use clap_complete::Shell;

use crate::table::{emit, printable};
use words::{Wanted, wanted};

/// The name under which kubectl looks for the words of `kubectl reload`.
const COMPLETER: &str = "kubectl_complete-reload";

/// Prints a completion script for a shell.
///
/// It completes commands and flags of `kubectl-reload`. For `kubectl reload` with kubectl's own
/// completion, and for live names of namespaces, workloads and sources, put a link to the plugin on
/// your PATH under the name kubectl_complete-reload.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  # kubectl reload <TAB>, in every shell that completes kubectl:
  ln -s \"$(command -v kubectl-reload)\" ~/.local/bin/kubectl_complete-reload
  # kubectl-reload <TAB>:
  source <(kubectl reload completion bash)
  kubectl reload completion zsh > \"${fpath[1]}/_kubectl-reload\"
  kubectl reload completion fish > ~/.config/fish/completions/kubectl-reload.fish
  kubectl reload completion powershell | Out-String | Invoke-Expression")]
pub(crate) struct CompletionArgs {
    /// The shell.
    #[arg(value_enum)]
    shell: ScriptShell,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ScriptShell {
    Bash,
    Zsh,
    Fish,
    #[value(name = "powershell")]
    PowerShell,
}

impl From<ScriptShell> for Shell {
    fn from(shell: ScriptShell) -> Self {
        match shell {
            ScriptShell::Bash => Self::Bash,
            ScriptShell::Zsh => Self::Zsh,
            ScriptShell::Fish => Self::Fish,
            ScriptShell::PowerShell => Self::PowerShell,
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &CompletionArgs, command: Command) -> anyhow::Result<ExitCode> {
    let mut script = Vec::new();
    let mut command = command.bin_name("kubectl-reload");
    clap_complete::generate(Shell::from(args.shell), &mut command, "kubectl-reload", &mut script);
    let mut script = String::from_utf8(script)?;
    if matches!(args.shell, ScriptShell::Bash) {
        script = mend(script, &command);
    }
    emit(&script)?;
    Ok(ExitCode::SUCCESS)
}

/// clap_complete 4.6 writes a name with a hyphen in two ways into a script for bash, so that what
/// follows the name is not found.
fn mend(script: String, command: &Command) -> String {
    let names = command.get_subcommands().map(Command::get_name).chain(["kubectl-reload"]);
    names.filter(|name| name.contains('-')).fold(script, |script, name| {
        script.replace(&name.replace('-', "__subcmd__"), &name.replace('-', "__"))
    })
}

/// What a shell does with the words: cobra's `ShellCompDirective`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Directive {
    /// Files where there are no words.
    Default = 0,
    /// Never files.
    NoFiles = 4,
    /// Never files, and no blank after a word.
    NoSpace = 6,
}

/// A word that may come next, and what it is about.
type Word = (String, String);

/// Whether kubectl has called the program for completion.
pub(crate) fn is_called(program: Option<OsString>) -> bool {
    let program = program.unwrap_or_default();
    Path::new(&program).file_stem().is_some_and(|name| name == COMPLETER)
}

/// Answers kubectl: the last of `typed` is the word to complete, maybe empty. Where nothing can be
/// found out there are no words, and never an error: a shell would show it amid the line.
pub(crate) async fn answer(mut command: Command, typed: &[String]) -> ExitCode {
    // Help and its flags are added by this.
    command.build();
    let (words, directive) = match wanted(&command, typed) {
        Wanted::Words(words) => (words, Directive::NoFiles),
        Wanted::Files => (Vec::new(), Directive::Default),
        Wanted::Nothing => (Vec::new(), Directive::NoFiles),
        Wanted::Names { of, begin, connection } => names::find(of, &begin, &connection).await,
    };
    let mut text = String::new();
    for (word, about) in words {
        let about = if about.is_empty() { about } else { format!("\t{}", printable(&about)) };
        text += &format!("{}{about}\n", printable(&word));
    }
    text += &format!(":{}\n", directive as u8);
    match emit(&text) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
