use crate::read::{Declared, Presence, Section, one_of};
use crate::sections;

/// How wide the reference's comments are.
const WIDTH: usize = 98;

/// Every setting with what it means and its default, as a configuration that can be read:
/// `config/reference.toml`.
pub fn reference() -> String {
    let mut text = wrapped(
        "Every setting of Waypost, with its default. What has no default is shown with an example: \
         live where it is required, behind a # where it is optional.",
    );
    text += "#\n";
    text += &wrapped(
        "Durations have a unit: \"500ms\", \"30s\", \"5m\", \"1h\", \"7d\"; sizes too: \"512KiB\", \
         \"64MiB\", \"2GiB\". Relative paths start from the folder of this file.",
    );
    text += "#\n";
    text += "# Written from the declarations in host/config; a test compares the two.\n";
    for section in sections::ALL {
        text += "\n";
        text += &described(section);
    }
    text
}

fn described(section: &Section) -> String {
    let mut text = wrapped(section.about);
    text += &format!("[{}]\n", section.header);
    for setting in section.settings.iter().filter(|setting| is_shown(section, **setting)) {
        text += "\n";
        let words = setting.words();
        let about = match words.is_empty() {
            true => setting.about().to_owned(),
            false => format!("{} Expected: {}.", setting.about(), one_of(&words)),
        };
        text += &wrapped(&about);
        let (key, presence) = (setting.key(), setting.presence());
        text += &match presence {
            Presence::Default(value) => format!("{key} = {value}\n"),
            Presence::Required { example } => format!("# Required.\n{key} = {example}\n"),
            Presence::Optional { example, otherwise, is_usual } => {
                let mark = if *is_usual { "" } else { "# " };
                let otherwise = wrapped(&format!("Without: {otherwise}."));
                format!("{otherwise}{mark}{key} = {example}\n")
            }
        };
    }
    text
}

/// A table with a section of its own is shown there.
fn is_shown(section: &Section, setting: &dyn Declared) -> bool {
    let header = format!("{}.{}", section.header, setting.key());
    sections::ALL.iter().all(|other| other.header != header)
}

/// A text as a comment.
fn wrapped(text: &str) -> String {
    let mut lines = vec![String::from("#")];
    for word in text.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last + 1 + word.chars().count() > WIDTH {
            lines.push(String::from("#"));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}
