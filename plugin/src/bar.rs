//! How far something is: a bar on a terminal, and plain lines elsewhere.

use std::cell::RefCell;

use indicatif::{ProgressBar, ProgressStyle};

use crate::color::{Color, Paint};
use crate::rollout::Progress;
use crate::screen::Screen;
use crate::table::printable;

/// Before it is known how many pods there are.
const SPINNER: &str = "{spinner} {prefix}  {wide_msg}";

/// Pods that are done, of all.
const BAR: &str = "{spinner} {prefix}  [{bar:16}] {pos}/{len} {elapsed}  {wide_msg}";

/// What is told of something, by its label, while it is worked on. Its bar goes with it.
pub(crate) struct Bar<'a> {
    screen: &'a Screen,
    paint: Paint,
    label: String,
    bar: Option<ProgressBar>,
    /// The last line, where there is no bar: a line is written once.
    told: RefCell<Option<String>>,
}

impl<'a> Bar<'a> {
    /// Nothing is told yet where there are no bars.
    pub(crate) fn new(screen: &'a Screen, paint: Paint, label: String) -> Self {
        let bar = screen.bar().inspect(|bar| {
            bar.set_style(style(SPINNER));
            bar.set_prefix(printable(&label));
        });
        Self { screen, paint, label, bar, told: RefCell::default() }
    }

    /// What is done now; no line, since the next one says more.
    pub(crate) fn show(&self, words: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(printable(words));
            bar.tick();
        }
    }

    /// Something that a person should know now.
    pub(crate) fn tell(&self, words: &str) {
        match &self.bar {
            Some(_) => self.show(words),
            None => self.line(&format!("{} {words}", self.label)),
        }
    }

    /// Why it does not go on.
    pub(crate) fn hold_up(&self, words: &str) {
        match &self.bar {
            Some(bar) => {
                bar.set_message(self.paint.paint(Color::Yellow, &printable(words)));
                bar.tick();
            }
            None => self.line(&format!("{}: {words}", self.label)),
        }
    }

    /// How far its rollout is.
    pub(crate) fn advance(&self, progress: &Progress) {
        match (&self.bar, progress) {
            (Some(bar), Progress::Underway { done, wanted }) => {
                let count = |pods: i32| u64::try_from(pods).unwrap_or_default();
                if bar.length().is_none() {
                    bar.set_style(style(BAR));
                }
                bar.set_length(count(*wanted));
                bar.set_position(count(*done));
                self.show("pods up to date and available");
            }
            (Some(_), _) => {}
            (None, progress) => self.line(&format!("{}: {progress}", self.label)),
        }
    }

    /// It is still at what was told last.
    pub(crate) fn tick(&self) {
        if let Some(bar) = &self.bar {
            bar.tick();
        }
    }

    fn line(&self, line: &str) {
        if self.told.borrow().as_deref() != Some(line) {
            self.screen.tell(line);
            self.told.replace(Some(line.to_owned()));
        }
    }
}

impl Drop for Bar<'_> {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// In ASCII, which every terminal shows.
fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner());
    style.progress_chars("=> ").tick_chars("|/-\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_are_well_formed() {
        for template in [SPINNER, BAR] {
            ProgressStyle::with_template(template).unwrap();
        }
    }
}
