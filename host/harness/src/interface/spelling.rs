//! Types and signatures as WIT spells them.

use wit_parser::{Function, Handle, Resolve, Type, TypeDefKind};

/// A function's parameters and result, without its name; of a method, without `self`.
pub(super) fn signature(resolve: &Resolve, function: &Function) -> String {
    let parameters = function.params.iter().filter(|parameter| parameter.name != "self");
    let parameters: Vec<_> = parameters
        .map(|parameter| format!("{}: {}", parameter.name, spelt(resolve, &parameter.ty)))
        .collect();
    let result = function.result.as_ref().map(|ty| format!(" -> {}", spelt(resolve, ty)));
    format!("func({}){}", parameters.join(", "), result.unwrap_or_default())
}

/// A type as WIT spells it.
pub(super) fn spelt(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Id(id) => *id,
        Type::Bool => return "bool".into(),
        Type::Char => return "char".into(),
        Type::String => return "string".into(),
        Type::ErrorContext => return "error-context".into(),
        number => return format!("{number:?}").to_lowercase(),
    };
    let Some(definition) = resolve.types.get(id) else { return String::new() };
    if let Some(name) = &definition.name {
        return name.clone();
    }
    let some = |ty: &Option<Type>| ty.as_ref().map_or_else(|| "_".into(), |ty| spelt(resolve, ty));
    match &definition.kind {
        TypeDefKind::Option(ty) => format!("option<{}>", spelt(resolve, ty)),
        TypeDefKind::List(ty) => format!("list<{}>", spelt(resolve, ty)),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<_> = tuple.types.iter().map(|ty| spelt(resolve, ty)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Result(result) => match (&result.ok, &result.err) {
            (None, None) => "result".into(),
            (ok, None) => format!("result<{}>", some(ok)),
            (ok, err) => format!("result<{}, {}>", some(ok), some(err)),
        },
        TypeDefKind::Handle(Handle::Own(id)) => spelt(resolve, &Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => {
            format!("borrow<{}>", spelt(resolve, &Type::Id(*id)))
        }
        kind => kind.as_str().into(),
    }
}
