use std::time::Duration;

use toml::de::DeValue;

use crate::problem::Severity;
use crate::read::{Node, Value};

/// The longest duration. Sums of a few never overflow anything.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// A duration that may be zero.
impl Value for Duration {
    fn expected() -> String {
        "a duration such as \"500ms\", \"30s\", \"5m\", \"1h\" or \"7d\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        if let DeValue::Integer(number) = node.value {
            let message = format!("expected {}, found the number {number}", Self::expected());
            let help = format!("a number needs a unit: \"{number}s\" for seconds");
            node.note(Severity::Error, message, Some(help));
            return None;
        }
        let Some(duration) = node.text().and_then(duration) else {
            return node.expected(Self::expected());
        };
        if duration > LONGEST {
            return node.error("this is longer than a year");
        }
        Some(duration)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split_unit(text)?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.saturating_mul(milliseconds)))
}

/// A duration that is not zero: something waits for it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Period(pub(crate) Duration);

impl Value for Period {
    fn expected() -> String {
        Duration::expected()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let duration: Duration = node.read()?;
        if duration.is_zero() {
            return node.error("this cannot be zero");
        }
        Some(Self(duration))
    }
}

/// An amount of memory or data, in octets; not zero.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Octets(pub(crate) usize);

impl Value for Octets {
    fn expected() -> String {
        "a size such as \"512KiB\", \"64MiB\" or \"2GiB\"".into()
    }

    fn read(node: &Node<'_>) -> Option<Self> {
        let help = match node.value {
            DeValue::Integer(number) => format!("a number needs a unit: \"{number}B\" for octets"),
            DeValue::String(text) => match size(text) {
                Some(0) => return node.error("this cannot be zero"),
                Some(octets) => return Some(Self(octets)),
                None => match meant_size(text) {
                    Some(meant) => format!("did you mean \"{meant}\"?"),
                    None => return node.expected(Self::expected()),
                },
            },
            _ => return node.expected(Self::expected()),
        };
        let message = format!("expected {}, found {}", Self::expected(), node.found());
        node.note(Severity::Error, message, Some(help));
        None
    }
}

fn size(text: &str) -> Option<usize> {
    let (number, unit) = split_unit(text)?;
    let shift = match unit {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    let octets = number.checked_mul(1 << shift)?;
    usize::try_from(octets).ok()
}

/// Units that are written in many ways.
fn meant_size(text: &str) -> Option<String> {
    let (number, unit) = split_unit(text)?;
    let unit = match unit.to_ascii_lowercase().as_str() {
        "k" | "kb" | "kib" => "KiB",
        "m" | "mb" | "mib" => "MiB",
        "g" | "gb" | "gib" => "GiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

fn split_unit(text: &str) -> Option<(u64, &str)> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    Some((number.parse().ok()?, unit.trim_start()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{duration, meant_size, size};

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("30s"), Some(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        assert_eq!(duration("1h"), Some(Duration::from_secs(3600)));
        assert_eq!(duration("7 d"), Some(Duration::from_secs(7 * 24 * 3600)));
        for text in ["", "30", "s", "-1s", "1.5s", "1h30m", "30sec", "99999999999999999999s"] {
            assert_eq!(duration(text), None, "{text:?}");
        }
    }

    #[test]
    fn sizes_have_a_binary_unit() {
        assert_eq!(size("12B"), Some(12));
        assert_eq!(size("64MiB"), Some(64 << 20));
        assert_eq!(size("2 GiB"), Some(2 << 30));
        for text in ["", "64", "64MB", "MiB", "99999999999999GiB"] {
            assert_eq!(size(text), None, "{text:?}");
        }
        assert_eq!(meant_size("64MB").as_deref(), Some("64MiB"));
        assert_eq!(meant_size("64 k").as_deref(), Some("64KiB"));
        assert_eq!(meant_size("64 miles"), None);
    }

    proptest! {
        #[test]
        fn nothing_panics(text in any::<String>(), number in "[0-9]{0,25}[a-zA-Z]{0,3}") {
            for text in [text, number] {
                let _ = (duration(&text), size(&text), meant_size(&text));
            }
        }
    }
}
