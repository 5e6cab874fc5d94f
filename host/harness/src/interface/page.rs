//! The policy interface as a page of the book, made from its WIT.
//!
//! The page says what the files in `wit/` say and nothing else, so it cannot drift from them.

use std::fmt::Write as _;
use std::path::Path;

use wit_parser::{Docs, Function, Interface, Resolve, TypeDef, TypeDefKind, TypeId, WorldItem};

use super::spelling::{signature, spelt};

const HEAD: &str = "<!-- Made from the files in wit/; edit those. -->\n\n# The interface\n\n";

/// The page, in Markdown.
///
/// # Errors
/// Where `folder` does not hold the package, what is wrong with it, for whoever changes it.
pub fn reference(folder: &Path) -> Result<String, String> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(folder).map_err(|error| format!("{error:#}"))?;
    let package = resolve.packages.get(package).ok_or("there is no package")?;
    let mut page = Page { resolve: &resolve, text: HEAD.to_owned() };
    page.line(&format!("Package `{}`.", package.name));
    page.docs(&package.docs);
    for world in package.worlds.values().filter_map(|id| resolve.worlds.get(*id)) {
        page.heading(2, &format!("World `{}`", world.name));
        page.docs(&world.docs);
        for (verb, items) in [("imports", &world.imports), ("exports", &world.exports)] {
            for (key, item) in items {
                if !matches!(item, WorldItem::Type { .. }) {
                    let name = resolve.name_world_key(key);
                    let short = name.rsplit('/').next().unwrap_or_default();
                    let short = short.split('@').next().unwrap_or_default();
                    page.item(&format!("{verb} [`{name}`](#interface-{short})"));
                }
            }
        }
        page.text.push('\n');
    }
    for interface in package.interfaces.values().filter_map(|id| resolve.interfaces.get(*id)) {
        page.interface(interface);
    }
    Ok(page.text.trim_end().to_owned() + "\n")
}

struct Page<'a> {
    resolve: &'a Resolve,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, line: &str) {
        let _ = write!(self.text, "{line}\n\n");
    }

    fn heading(&mut self, level: usize, heading: &str) {
        self.line(&format!("{} {heading}", "#".repeat(level)));
    }

    fn item(&mut self, item: &str) {
        let _ = writeln!(self.text, "- {item}");
    }

    fn docs(&mut self, docs: &Docs) {
        if let Some(docs) = &docs.contents {
            self.line(docs.trim_end());
        }
    }

    fn interface(&mut self, interface: &Interface) {
        let name = interface.name.as_deref().unwrap_or_default();
        self.heading(2, &format!("Interface `{name}`"));
        self.docs(&interface.docs);
        for (name, id) in &interface.types {
            if let Some(definition) = self.resolve.types.get(*id) {
                self.definition(interface, name, *id, definition);
            }
        }
        for function in interface.functions.values().filter(|it| it.kind.resource().is_none()) {
            self.heading(3, &format!("`{}`", function.name));
            self.function(function);
        }
    }

    fn definition(&mut self, of: &Interface, name: &str, id: TypeId, definition: &TypeDef) {
        let resolve = self.resolve;
        let kind = match &definition.kind {
            // A `use` of another interface.
            TypeDefKind::Type(_) => return,
            kind => kind.as_str(),
        };
        self.heading(3, &format!("{kind} `{name}`"));
        self.docs(&definition.docs);
        match &definition.kind {
            TypeDefKind::Record(record) => {
                for field in &record.fields {
                    let signature = format!("{}: {}", field.name, spelt(resolve, &field.ty));
                    self.member(&signature, &field.docs);
                }
            }
            TypeDefKind::Variant(variant) => {
                for case in &variant.cases {
                    let of = case.ty.as_ref().map(|ty| format!("({})", spelt(resolve, ty)));
                    let signature = format!("{}{}", case.name, of.unwrap_or_default());
                    self.member(&signature, &case.docs);
                }
            }
            TypeDefKind::Enum(cases) => {
                for case in &cases.cases {
                    self.member(&case.name, &case.docs);
                }
            }
            TypeDefKind::Resource => {
                let methods = of.functions.values().filter(|it| it.kind.resource() == Some(id));
                for method in methods {
                    let name = method.name.rsplit('.').next().unwrap_or_default();
                    let signature = format!("{name}: {}", signature(resolve, method));
                    self.member(&signature, &method.docs);
                }
            }
            _ => {}
        }
        self.text.push('\n');
    }

    fn member(&mut self, signature: &str, docs: &Docs) {
        let docs = docs.contents.as_deref().unwrap_or_default();
        let docs = docs.split_whitespace().collect::<Vec<_>>().join(" ");
        self.item(format!("`{signature}` — {docs}").trim_end_matches(" — "));
    }

    fn function(&mut self, function: &Function) {
        let signature = signature(self.resolve, function);
        self.line(&format!("```wit\n{}: {signature}\n```", function.name));
        self.docs(&function.docs);
    }
}
