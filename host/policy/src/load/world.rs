//! Whether a component's imports and exports are those of the policy interface, said by name.
//! Their types are checked when it is linked.

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use super::LoadError;

const PACKAGE: &str = "waypost:policy";
/// The version of the package in `wit/`.
const VERSION: (u64, u64, u64) = (1, 0, 0);
/// What a plugin may import.
const IMPORTS: [&str; 3] = ["types", "directory", "log"];
/// What it must export.
const EXPORT: &str = "mapping";

/// Says everything that does not fit.
pub(super) fn check(component: &Component) -> Result<(), LoadError> {
    let engine = component.engine();
    let ty = component.component_type();
    let mut misfits: Vec<_> =
        ty.imports(engine).filter_map(|(name, _)| import_misfit(name)).collect();
    let is_mapping = |name: &str| {
        Name::parse(name).is_some_and(|name| name.is_ours() && name.interface == EXPORT)
    };
    let exported = ty.exports(engine).find(|(name, _)| is_mapping(name));
    match exported {
        None => misfits.push(format!(
            "it exports no `{}`; what it exports: {}",
            ours(EXPORT),
            names(ty.exports(engine).map(|(name, _)| name))
        )),
        Some((name, item)) => {
            misfits.extend(version_misfit(name, "exports"));
            if !matches!(item.ty, ComponentItem::ComponentInstance(_)) {
                misfits.push(format!("its export `{name}` is no interface"));
            }
        }
    }
    if misfits.is_empty() { Ok(()) } else { Err(LoadError::Interface(misfits)) }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    // The instrumentation that reads the configured memory is the host's own.
    let names: Vec<_> = names
        .filter(|name| !name.starts_with("wasmtime:wizer/"))
        .take(16)
        .map(|name| format!("`{name}`"))
        .collect();
    if names.is_empty() { "nothing".into() } else { names.join(", ") }
}

fn import_misfit(import: &str) -> Option<String> {
    let name = Name::parse(import);
    match &name {
        Some(name) if name.is_ours() && IMPORTS.contains(&name.interface) => {
            version_misfit(import, "imports")
        }
        Some(name) if name.is_ours() => Some(format!(
            "it imports `{import}`, which version {} of the interface does not have: it may be \
             built for a newer Waypost",
            version()
        )),
        Some(name) if name.package.starts_with("wasi:") => Some(format!(
            "it imports `{import}`, but a policy has no operating system: build it for \
             wasm32-unknown-unknown"
        )),
        _ => Some(format!(
            "it imports `{import}`, but a policy may import {} only",
            names(IMPORTS.map(ours).iter().map(String::as_str))
        )),
    }
}

/// Versions fit as Wasmtime fits them: the same major version, before 1.0 the same minor version. A
/// component for a later minor version that uses nothing new of it is welcome; what it uses that is
/// not there is named.
fn version_misfit(full: &str, does: &str) -> Option<String> {
    let given = Name::parse(full)?.version;
    let track = |(major, minor, _): (u64, u64, u64)| match major {
        0 => (0, minor),
        major => (major, 0),
    };
    let age = match track(given).cmp(&track(VERSION)) {
        std::cmp::Ordering::Equal => return None,
        std::cmp::Ordering::Less => "an older",
        std::cmp::Ordering::Greater => "a newer",
    };
    Some(format!(
        "it {does} `{full}`, but this Waypost has version {} of the interface: the plugin was \
         built for {age} Waypost",
        version()
    ))
}

fn version() -> String {
    let (major, minor, patch) = VERSION;
    format!("{major}.{minor}.{patch}")
}

fn ours(interface: &str) -> String {
    format!("{PACKAGE}/{interface}@{}", version())
}

/// `package/interface@version`.
struct Name<'a> {
    package: &'a str,
    interface: &'a str,
    /// Zero where there is none, or one that is not made of numbers: that fits nothing of ours.
    version: (u64, u64, u64),
}

impl<'a> Name<'a> {
    fn parse(full: &'a str) -> Option<Self> {
        let (path, version) = match full.split_once('@') {
            Some((path, version)) => (path, Some(version)),
            None => (full, None),
        };
        let (package, interface) = path.split_once('/')?;
        let mut numbers = version.unwrap_or_default().splitn(3, '.').map(str::parse);
        let mut number = || numbers.next().and_then(Result::ok).unwrap_or_default();
        let version = (number(), number(), number());
        Some(Self { package, interface, version })
    }

    fn is_ours(&self) -> bool {
        self.package == PACKAGE
    }
}

#[cfg(test)]
mod tests {
    use super::{import_misfit, version, version_misfit};

    #[test]
    fn the_version_is_that_of_the_package() {
        let world = include_str!("../../../../wit/world.wit");
        assert!(world.contains(&format!("package waypost:policy@{};", version())));
    }

    #[test]
    fn imports_are_explained() {
        assert_eq!(import_misfit("waypost:policy/types@1.0.0"), None);
        assert_eq!(import_misfit("waypost:policy/directory@1.2.7"), None);
        let says = |import: &str, part: &str| {
            let misfit = import_misfit(import).unwrap();
            assert!(misfit.contains(part) && misfit.contains(import), "{misfit}");
        };
        says("waypost:policy/directory@2.0.0", "a newer Waypost");
        says("waypost:policy/directory@0.1.0", "an older Waypost");
        says("waypost:policy/directory", "an older Waypost");
        says("waypost:policy/sockets@1.1.0", "does not have");
        says("wasi:cli/environment@0.2.6", "no operating system");
        says("env", "may import `waypost:policy/types@1.0.0`");
    }

    #[test]
    fn versions_fit_within_their_track() {
        assert_eq!(version_misfit("waypost:policy/mapping@1.3.0", "exports"), None);
        assert!(version_misfit("waypost:policy/mapping@2.0.0", "exports").is_some());
        assert!(version_misfit("waypost:policy/mapping@0.2.3", "exports").is_some());
    }
}
