//! Files whose text a plugin gets as one of its settings: it can open none itself.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use thiserror::Error;

/// The largest file that becomes a setting, in octets.
pub const MAX_SETTING_FILE: u64 = 32 << 20;

/// Why a file does not become a setting. The text follows the file's path.
#[derive(Debug, Error)]
pub enum SettingFileError {
    /// It is not there, or this user may not read it.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),
    /// A folder, a pipe or a device: what it holds would depend on when it is read.
    #[error("is no regular file")]
    Kind,
    /// More than [`MAX_SETTING_FILE`].
    #[error("has more than {} MiB, the most that a plugin gets as a setting", MAX_SETTING_FILE >> 20)]
    TooLarge,
    /// Settings are text; the line, from one, of the first octet that is none.
    #[error("is not UTF-8: see its line {line}")]
    Text {
        /// The line, from one.
        line: usize,
    },
}

/// Reads a file that becomes a setting, as it is: line ends and all. Blocks.
///
/// # Errors
/// What is no text of at most [`MAX_SETTING_FILE`] octets in a regular file.
pub fn read_setting_file(path: &Path) -> Result<String, SettingFileError> {
    // Before it is opened, which for a pipe would wait for whoever writes.
    if !std::fs::metadata(path)?.is_file() {
        return Err(SettingFileError::Kind);
    }
    let mut bytes = Vec::new();
    // Not the file's length: it may grow.
    File::open(path)?.take(MAX_SETTING_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SETTING_FILE {
        return Err(SettingFileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        SettingFileError::Text { line: good.filter(|byte| **byte == b'\n').count() + 1 }
    })
}

#[cfg(test)]
mod tests {
    use super::{MAX_SETTING_FILE, read_setting_file};

    #[test]
    fn text_is_read_and_anything_else_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("users.map");
        let refusal = || read_setting_file(&path).unwrap_err().to_string();
        assert!(refusal().starts_with("cannot be read: No such file"));
        std::fs::write(&path, "\u{feff}a\r\nü\n").unwrap();
        assert_eq!(read_setting_file(&path).unwrap(), "\u{feff}a\r\nü\n");
        std::fs::write(&path, b"a\nb\n\xff\n").unwrap();
        assert_eq!(refusal(), "is not UTF-8: see its line 3");
        std::fs::File::create(&path).unwrap().set_len(MAX_SETTING_FILE + 1).unwrap();
        assert!(refusal().starts_with("has more than 32 MiB"));
        let folder = read_setting_file(folder.path()).unwrap_err();
        assert_eq!(folder.to_string(), "is no regular file");
        // One that never ends is not even opened.
        let device = read_setting_file(std::path::Path::new("/dev/zero")).unwrap_err();
        assert_eq!(device.to_string(), "is no regular file");
    }
}
