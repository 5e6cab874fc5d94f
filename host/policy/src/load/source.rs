use std::borrow::Cow;
use std::fs::File;
use std::io::Read;

use super::LoadError;
use crate::PluginSource;

/// No component is larger: a Python interpreter with its library has 20 MiB.
const MAX_COMPONENT: u64 = 64 << 20;

/// The component's bytes.
pub(super) fn read(source: &PluginSource) -> Result<Cow<'static, [u8]>, LoadError> {
    let path = match source {
        PluginSource::Builtin { bytes, .. } => return Ok(Cow::Borrowed(bytes)),
        PluginSource::File(path) => path,
    };
    let read = || {
        let mut bytes = Vec::new();
        // Not the file's length: it may be a pipe, or grow.
        File::open(path)?.take(MAX_COMPONENT + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|error| LoadError::Read { path: path.clone(), error })?;
    if bytes.len() as u64 > MAX_COMPONENT {
        return Err(LoadError::TooLarge(MAX_COMPONENT));
    }
    Ok(Cow::Owned(bytes))
}

/// Tells a component from what people give instead of one, by the preamble: magic, version, layer
/// (component model, Binary.md).
pub(super) fn check_kind(bytes: &[u8]) -> Result<(), LoadError> {
    match bytes {
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', 1, 0, 0, 0, ..] => Err(LoadError::CoreModule),
        [b'\0', b'a', b's', b'm', ..] => {
            Err(LoadError::NotComponent(": its version of the binary format is unknown"))
        }
        [b'\x7f', b'E', b'L', b'F', ..] => {
            Err(LoadError::NotComponent(": it is machine code, which is never loaded"))
        }
        _ if bytes.trim_ascii_start().starts_with(b"(") => {
            Err(LoadError::NotComponent(": it is WebAssembly text, which must be encoded first"))
        }
        [] => Err(LoadError::NotComponent(": it is empty")),
        _ => Err(LoadError::NotComponent("")),
    }
}

#[cfg(test)]
mod tests {
    use super::check_kind;

    #[track_caller]
    fn refusal(bytes: &[u8]) -> String {
        check_kind(bytes).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_component_is_named() {
        assert!(check_kind(b"\0asm\x0d\0\x01\0").is_ok());
        assert!(refusal(b"\0asm\x01\0\0\0").contains("core WebAssembly module"));
        assert!(refusal(b"\0asm\x02\0\0\0").contains("version"));
        assert!(refusal(b"\x7fELF").contains("machine code"));
        assert!(refusal(b"\n  (component)").contains("text"));
        assert!(refusal(b"").contains("empty"));
        assert_eq!(refusal(b"#!/bin/sh"), "this is no WebAssembly component");
    }
}
