//! What one version of the interface promises to those who build for it, and whether a later one
//! keeps it.

use std::collections::BTreeMap;
use std::path::Path;

use wit_parser::{
    Docs, Interface, Resolve, TypeDef, TypeDefKind, TypeId, TypeOwner, World, WorldItem,
};

use super::spelling::{signature, spelt};

/// What of the package in `released` the one in `current` does not keep, a line for each. Components
/// are linked by structure, so every record, variant, enum and signature must be what it was; a
/// comment may say more, and must go on to say what it said. Interfaces, functions, methods and
/// imports may be added, exports may not.
///
/// # Errors
/// Where a folder does not hold the package, what is wrong with it.
pub fn broken(released: &Path, current: &Path) -> Result<Vec<String>, String> {
    let (released, current) = (promises(released)?, promises(current)?);
    let broken = released.into_iter().filter_map(|(name, promise)| match current.get(&name) {
        None => Some(format!("{name} is gone")),
        Some(now) if now.shape != promise.shape => {
            Some(format!("{name} was `{}`, is `{}`", promise.shape, now.shape))
        }
        Some(now) if !now.words.contains(&promise.words) => {
            Some(format!("{name} no longer says: {}", promise.words))
        }
        Some(_) => None,
    });
    Ok(broken.collect())
}

/// What is promised of one item.
struct Promise {
    /// What a component is linked by.
    shape: String,
    /// Its comment, without line breaks.
    words: String,
}

/// Every item of a package by its name, such as `types.lookup.address`.
fn promises(folder: &Path) -> Result<BTreeMap<String, Promise>, String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).map_err(|error| format!("{error:#}"))?;
    let package = resolve.packages.get(package).ok_or("there is no package")?;
    let mut promises = Promises { resolve: &resolve, all: BTreeMap::new() };
    for world in package.worlds.values().filter_map(|id| resolve.worlds.get(*id)) {
        promises.world(world);
    }
    for interface in package.interfaces.values().filter_map(|id| resolve.interfaces.get(*id)) {
        promises.interface(interface);
    }
    Ok(promises.all)
}

struct Promises<'a> {
    resolve: &'a Resolve,
    all: BTreeMap<String, Promise>,
}

impl Promises<'_> {
    fn add(&mut self, name: String, shape: String, docs: &Docs) {
        let words = docs.contents.as_deref().unwrap_or_default();
        let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
        self.all.insert(name, Promise { shape, words });
    }

    /// One more export, and no component built before would have it; one more import harms nobody.
    fn world(&mut self, world: &World) {
        let name = |item: &WorldItem| match item {
            WorldItem::Interface { id, .. } => {
                self.resolve.interfaces.get(*id).and_then(|it| it.name.clone()).unwrap_or_default()
            }
            WorldItem::Function(function) => function.name.clone(),
            WorldItem::Type { id, .. } => {
                self.resolve.types.get(*id).and_then(|it| it.name.clone()).unwrap_or_default()
            }
        };
        let exports = world.exports.values().map(name).collect::<Vec<_>>().join(", ");
        let imports = world.imports.values().map(name).collect::<Vec<_>>();
        for import in imports {
            let item = format!("the import of {import} by {}", world.name);
            self.add(item, String::new(), &Docs::default());
        }
        self.add(format!("world {}", world.name), format!("export {exports}"), &world.docs);
    }

    fn interface(&mut self, interface: &Interface) {
        let name = interface.name.as_deref().unwrap_or_default();
        self.add(name.to_owned(), "interface".to_owned(), &interface.docs);
        for (ty, id) in &interface.types {
            if let Some(definition) = self.resolve.types.get(*id) {
                self.definition(&format!("{name}.{ty}"), definition);
            }
        }
        for function in interface.functions.values() {
            let of = function.kind.resource().and_then(|id| self.name_of(id));
            let short = function.name.rsplit('.').next().unwrap_or_default();
            let path = [Some(name), of, Some(short)].into_iter().flatten().collect::<Vec<_>>();
            let shape = signature(self.resolve, function);
            self.add(path.join("."), shape, &function.docs);
        }
    }

    fn definition(&mut self, name: &str, definition: &TypeDef) {
        let resolve = self.resolve;
        let shape = match &definition.kind {
            TypeDefKind::Record(record) => {
                let mut fields = Vec::new();
                for field in &record.fields {
                    let shape = format!("{}: {}", field.name, spelt(resolve, &field.ty));
                    fields.push(shape.clone());
                    self.add(format!("{name}.{}", field.name), shape, &field.docs);
                }
                format!("record {{ {} }}", fields.join(", "))
            }
            TypeDefKind::Variant(variant) => {
                let mut cases = Vec::new();
                for case in &variant.cases {
                    let of = case.ty.as_ref().map(|ty| format!("({})", spelt(resolve, ty)));
                    let shape = format!("{}{}", case.name, of.unwrap_or_default());
                    cases.push(shape.clone());
                    self.add(format!("{name}.{}", case.name), shape, &case.docs);
                }
                format!("variant {{ {} }}", cases.join(", "))
            }
            TypeDefKind::Enum(of) => {
                let mut cases = Vec::new();
                for case in &of.cases {
                    cases.push(case.name.clone());
                    self.add(format!("{name}.{}", case.name), case.name.clone(), &case.docs);
                }
                format!("enum {{ {} }}", cases.join(", "))
            }
            TypeDefKind::Type(wit_parser::Type::Id(used)) => {
                let owner = resolve.types.get(*used).map(|used| used.owner);
                let owner = match owner {
                    Some(TypeOwner::Interface(id)) => {
                        resolve.interfaces.get(id).and_then(|it| it.name.as_deref())
                    }
                    _ => None,
                };
                format!(
                    "use {}.{}",
                    owner.unwrap_or_default(),
                    self.name_of(*used).unwrap_or_default()
                )
            }
            TypeDefKind::Type(plain) => format!("type {}", spelt(resolve, plain)),
            kind => kind.as_str().to_owned(),
        };
        self.add(name.to_owned(), shape, &definition.docs);
    }

    fn name_of(&self, id: TypeId) -> Option<&str> {
        self.resolve.types.get(id)?.name.as_deref()
    }
}
