//! What wit-bindgen makes of `wit/`. The rest of the crate wraps it; a plugin needs to come here
//! only for what the wrappers leave out.
#![expect(missing_docs, reason = "generated")]

wit_bindgen::generate!({
    path: "../../wit",
    world: "mapping-policy",
    pub_export_macro: true,
    additional_derives: [Clone, PartialEq, Eq],
});
