//! What is to be completed: found among the words typed so far and the flags that there are.

use clap::{Arg, ArgAction, Command};

use super::Word;

/// Names that live in a cluster or in a kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Names {
    Namespaces,
    Contexts,
    Clusters,
    Users,
    /// `TYPE/NAME`, or the names of a type that was typed before.
    Workloads {
        kind: Option<String>,
    },
    /// `configmap/NAME`, `secret/NAME`.
    Sources,
}

/// What may come next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Words(Vec<Word>),
    Names {
        of: Names,
        /// What is typed of the name.
        begin: String,
        /// The flags typed so far that choose the cluster and the namespace.
        connection: Vec<String>,
    },
    Files,
    Nothing,
}

/// Where in the line the last word stands.
struct Line<'a> {
    command: &'a Command,
    /// Flags of the whole program, which hold everywhere.
    root: &'a Command,
    /// Flags typed so far.
    given: Vec<&'a Arg>,
    connection: Vec<String>,
    positionals: Vec<&'a str>,
    /// The flag whose value comes next.
    awaits: Option<&'a Arg>,
    /// After `--`.
    only_positionals: bool,
}

/// What may stand in place of the last word of `typed`.
pub(super) fn wanted(root: &Command, typed: &[String]) -> Wanted {
    let (last, before) = match typed.split_last() {
        Some((last, before)) => (last.as_str(), before),
        None => ("", [].as_slice()),
    };
    let mut line = Line {
        command: root,
        root,
        given: Vec::new(),
        connection: Vec::new(),
        positionals: Vec::new(),
        awaits: None,
        only_positionals: false,
    };
    for word in before {
        line.step(word);
    }
    line.complete(last)
}

impl<'a> Line<'a> {
    fn step(&mut self, word: &'a str) {
        if let Some(arg) = self.awaits.take() {
            self.note(arg, Some(word));
        } else if self.only_positionals || word == "-" || !word.starts_with('-') {
            let below = self.command.find_subcommand(word);
            match below.filter(|_| self.positionals.is_empty() && !self.only_positionals) {
                Some(below) => self.command = below,
                None => self.positionals.push(word),
            }
        } else if word == "--" {
            self.only_positionals = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) =
                long.split_once('=').map_or((long, None), |(name, value)| (name, Some(value)));
            if let Some(arg) = self.args().into_iter().find(|arg| arg.get_long() == Some(name)) {
                self.flag(arg, value);
            }
        } else {
            self.short(&word[1..]);
        }
    }

    /// `-A`, `-n shop`, `-nshop`, `-An shop`.
    fn short(&mut self, letters: &'a str) {
        for (position, letter) in letters.char_indices() {
            let found = self.args().into_iter().find(|arg| arg.get_short() == Some(letter));
            let Some(arg) = found else { return };
            let rest = &letters[position + letter.len_utf8()..];
            if takes_value(arg) && !rest.is_empty() {
                return self.flag(arg, Some(rest.strip_prefix('=').unwrap_or(rest)));
            }
            self.flag(arg, None);
        }
    }

    fn flag(&mut self, arg: &'a Arg, value: Option<&'a str>) {
        if value.is_none() && takes_value(arg) && !arg.is_require_equals_set() {
            self.awaits = Some(arg);
        } else {
            self.note(arg, value);
        }
    }

    fn note(&mut self, arg: &'a Arg, value: Option<&str>) {
        self.given.push(arg);
        if let (true, Some(long), Some(value)) = (arg.is_global_set(), arg.get_long(), value) {
            self.connection.push(format!("--{long}={value}"));
        }
    }

    /// All flags that may be typed here, each once.
    fn args(&self) -> Vec<&'a Arg> {
        let mut args: Vec<&Arg> = self.command.get_opts().chain(flags(self.command)).collect();
        let global = self.root.get_opts().chain(flags(self.root)).filter(|arg| arg.is_global_set());
        for arg in global {
            if !args.iter().any(|known| known.get_id() == arg.get_id()) {
                args.push(arg);
            }
        }
        args
    }

    fn complete(self, last: &str) -> Wanted {
        if let Some(arg) = self.awaits {
            return self.value_of(arg, last);
        }
        if !self.only_positionals && last.starts_with('-') {
            return match last.strip_prefix("--").and_then(|long| long.split_once('=')) {
                Some((name, value)) => {
                    match self.args().into_iter().find(|arg| arg.get_long() == Some(name)) {
                        Some(arg) => self.value_of(arg, value),
                        None => Wanted::Nothing,
                    }
                }
                None => self.flags(last),
            };
        }
        if self.command.has_subcommands() {
            let below = self.command.get_subcommands().filter(|below| !below.is_hide_set());
            let word = |below: &Command| (below.get_name().to_owned(), about(below.get_about()));
            return Wanted::Words(starting(below.map(word), last));
        }
        match self.command.get_positionals().next() {
            Some(arg) => self.value_of(arg, last),
            None => Wanted::Nothing,
        }
    }

    fn flags(&self, last: &str) -> Wanted {
        let again = |arg: &Arg| matches!(arg.get_action(), ArgAction::Append | ArgAction::Count);
        let free = |arg: &&Arg| again(arg) || !self.given.iter().any(|given| given.get_id() == arg.get_id());
        let word = |arg: &Arg| {
            let long = arg.get_long()?;
            Some((format!("--{long}"), about(arg.get_help())))
        };
        let words = self.args().into_iter().filter(|arg| !arg.is_hide_set()).filter(free).filter_map(word);
        let mut words = starting(words, last);
        words.sort();
        Wanted::Words(words)
    }

    fn value_of(self, arg: &Arg, begin: &str) -> Wanted {
        let possible = arg.get_possible_values();
        if !possible.is_empty() {
            let word =
                |value: &clap::builder::PossibleValue| (value.get_name().to_owned(), about(value.get_help()));
            return Wanted::Words(starting(
                possible.iter().filter(|value| !value.is_hide_set()).map(word),
                begin,
            ));
        }
        let of = match arg.get_id().as_str() {
            "namespace" | "install_namespace" => Names::Namespaces,
            "context" => Names::Contexts,
            "cluster" => Names::Clusters,
            "user" => Names::Users,
            "sources" | "source" | "ignore" => Names::Sources,
            "targets" => match self.positionals.first() {
                Some(kind) if !kind.contains('/') => Names::Workloads { kind: Some((*kind).to_owned()) },
                _ => Names::Workloads { kind: None },
            },
            "kubeconfig" | "certificate_authority" | "filename" | "output_file" => return Wanted::Files,
            _ => return Wanted::Nothing,
        };
        Wanted::Names { of, begin: begin.to_owned(), connection: self.connection }
    }
}

fn flags(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !arg.is_positional() && !takes_value(arg))
}

fn takes_value(arg: &Arg) -> bool {
    arg.get_action().takes_values()
}

/// One line.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().to_owned()
}

fn starting(words: impl Iterator<Item = Word>, begin: &str) -> Vec<Word> {
    words.filter(|(word, _)| word.starts_with(begin)).collect()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Cli;

    fn at(line: &str) -> Wanted {
        let mut command = Cli::command();
        command.build();
        let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
        wanted(&command, &typed)
    }

    fn words(line: &str) -> Vec<String> {
        match at(line) {
            Wanted::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    #[test]
    fn commands_and_flags_come_from_the_command_line_itself() {
        let commands = words("");
        for command in ["status", "explain", "adopt", "sync", "plan", "completion", "version"] {
            assert!(commands.iter().any(|word| word == command), "{command}: {commands:?}");
        }
        assert_eq!(words("-n shop stat"), ["status"]);
        assert_eq!(words("status --exit"), ["--exit-code"]);
        assert_eq!(words("status --kubec"), ["--kubeconfig"]);
        assert!(words("status --all --al").iter().all(|word| word != "--all"));
        assert_eq!(words("sync --dry-run=cl"), ["client"]);
        assert_eq!(words("completion z"), ["zsh"]);
        assert_eq!(words("version -o y"), ["yaml"]);
    }

    #[test]
    fn names_are_wanted_where_a_flag_or_an_argument_takes_them() {
        let names = |of, begin: &str, connection: &[&str]| Wanted::Names {
            of,
            begin: begin.to_owned(),
            connection: connection.iter().map(|word| (*word).to_owned()).collect(),
        };
        let workloads = |kind: Option<&str>| Names::Workloads { kind: kind.map(str::to_owned) };
        let cases = [
            ("status -n ", names(Names::Namespaces, "", &[])),
            ("--context ", names(Names::Contexts, "", &[])),
            ("status --namespace=sh", names(Names::Namespaces, "sh", &[])),
            ("status --context a deploy", names(workloads(None), "deploy", &["--context=a"])),
            ("sync -nshop deployment/", names(workloads(None), "deployment/", &["--namespace=shop"])),
            ("status -n shop deploy w", names(workloads(Some("deploy")), "w", &["--namespace=shop"])),
            ("status deployment/a b", names(workloads(None), "b", &[])),
            ("explain pod/", names(workloads(None), "pod/", &[])),
            ("adopt -n shop deployment/w", names(workloads(None), "deployment/w", &["--namespace=shop"])),
            ("status --ignore ", names(Names::Sources, "", &[])),
            ("status -- -", names(workloads(None), "-", &[])),
            ("status --kubeconfig ", Wanted::Files),
            ("status -f ", Wanted::Files),
            ("plan --filename=over", Wanted::Files),
            ("status -l ", Wanted::Nothing),
        ];
        for (line, expected) in cases {
            assert_eq!(at(line), expected, "{line}");
        }
    }
}
