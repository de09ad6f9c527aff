//! SVG: text at places, in colours that can be read on light and on dark pages.

/// What all drawings share. The page says whether it is light or dark.
const STYLE: &str = "\
text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1f2328;white-space:pre}
.back{fill:#f6f8fa;stroke:#d0d7de}.panel{fill:#fff;stroke:#d0d7de}
.bold{font-weight:600}.dim{fill:#59636e}.small{font-size:11px}.title{font-size:12px}.value{font-size:24px}
.red{fill:#cf222e}.green{fill:#1a7f37}.yellow{fill:#9a6700}.blue{fill:#0969da}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.back{fill:#0d1117;stroke:#30363d}.panel{fill:#161b22;stroke:#30363d}
.dim{fill:#9198a1}.red{fill:#ff7b72}.green{fill:#56d364}.yellow{fill:#e3b341}.blue{fill:#79c0ff}
}";

/// What marks a line that goes on.
const WRAPPED: &str = " data-wrapped=\"\"";

/// A drawing of a size in pixels, line by line.
pub(crate) struct Svg {
    text: String,
}

impl Svg {
    /// An empty one, with what it shows in words.
    pub(crate) fn new(width: f64, height: f64, title: &str) -> Self {
        let title = escape(title);
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\">\n<title>{title}</title>\n<style>\n{STYLE}\n</style>\n"
        );
        let mut svg = Self { text };
        svg.rectangle((0.5, 0.5), (width - 1.0, height - 1.0), "back");
        svg
    }

    /// A rectangle of a class of the style.
    pub(crate) fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        self.text += &format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"6\" class=\"{class}\"/>\n"
        );
    }

    /// One line of text: pieces, each with its place, its width where that is fixed, and its class.
    pub(crate) fn line<'a>(&mut self, y: f64, pieces: impl IntoIterator<Item = Piece<'a>>) {
        self.write(&format!("<text y=\"{y}\">"), pieces);
    }

    /// The same where the text goes on in the next one.
    pub(crate) fn wrapped_line<'a>(&mut self, y: f64, pieces: impl IntoIterator<Item = Piece<'a>>) {
        self.write(&format!("<text y=\"{y}\"{WRAPPED}>"), pieces);
    }

    fn write<'a>(&mut self, tag: &str, pieces: impl IntoIterator<Item = Piece<'a>>) {
        self.text += tag;
        for Piece { x, width, class, text } in pieces {
            let width = width.map(|width| format!(" textLength=\"{width}\"")).unwrap_or_default();
            let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
            self.text += &format!("<tspan x=\"{x}\"{width}{class}>{}</tspan>", escape(text));
        }
        self.text += "</text>\n";
    }

    /// The whole.
    pub(crate) fn finish(self) -> String {
        self.text + "</svg>\n"
    }
}

/// A piece of a line.
pub(crate) struct Piece<'a> {
    pub(crate) x: f64,
    pub(crate) width: Option<f64>,
    pub(crate) class: &'a str,
    pub(crate) text: &'a str,
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The lines of text of a drawing, a blank between pieces, wrapped ones put together; without its values,
/// which change by themselves.
pub(crate) fn lines(svg: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut goes_on = false;
    for line in svg.lines().filter(|line| line.starts_with("<text ")) {
        let pieces = line.split("<tspan ").skip(1).filter_map(|piece| piece.split_once('>'));
        let lasting = pieces.filter(|(attributes, _)| !attributes.contains("value"));
        let texts = lasting.filter_map(|(_, rest)| rest.split_once("</tspan>")).map(|(text, _)| text);
        let text = texts.collect::<Vec<_>>().join(" ");
        let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
        match lines.last_mut() {
            Some(last) if goes_on => *last += &text,
            _ => lines.push(text),
        }
        goes_on = line.contains(WRAPPED);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_back_as_it_was_drawn() {
        let mut svg = Svg::new(100.0, 20.0, "a < b");
        let piece = |x, text| Piece { x, width: Some(8.4), class: "red", text };
        svg.line(10.0, [piece(0.0, "<&>"), piece(50.0, "x \"y\"")]);
        svg.line(20.0, [Piece { class: "value", ..piece(0.0, "7") }]);
        svg.wrapped_line(30.0, [piece(0.0, "one, "), piece(50.0, "tw")]);
        svg.line(40.0, [piece(0.0, "o")]);
        assert_eq!(lines(&svg.finish()), ["<&> x \"y\"", "", "one,  two"]);
    }
}
