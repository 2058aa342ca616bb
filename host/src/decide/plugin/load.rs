//! From a file to a plugin that can be called: what does not fit is told in the author's words.

use wasmtime::component::types::ComponentItem;

use super::{
    bindings::PluginPre,
    manifest::Manifest,
    sandbox::Sandbox,
    state::{Plugin, Revision},
};

/// The contract's package, without its version.
const CONTRACT: &str = "hookswitch:plugin/";
const VERSION: &str = "1.0.0";

/// Why a component is no plugin, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(pub String);

impl Plugin {
    /// Compiles and links a component. Blocks for as long as that takes.
    ///
    /// # Errors
    /// Why it is no plugin.
    pub fn load(sandbox: &Sandbox, manifest: Manifest, bytes: &[u8]) -> Result<Plugin, LoadError> {
        if bytes.get(..4) != Some(b"\0asm") {
            return Err(LoadError("this is no WebAssembly: it does not begin as such".to_owned()));
        }
        if bytes.get(4..8) == Some(&[1, 0, 0, 0]) {
            return Err(LoadError(
                "this is a core module, not a component: build it for wasm32-wasip2 (hookswitch plugin build)".to_owned(),
            ));
        }
        let component = sandbox
            .compile(bytes)
            .map_err(|error| LoadError(format!("this is no valid component: {}", first_line(&error))))?;
        let kind = component.component_type();
        let engine = &sandbox.0.engine;
        let imports: Vec<String> = kind.imports(engine).map(|(name, _)| name.to_owned()).collect();
        if let Some(http) = imports.iter().find(|name| name.starts_with("wasi:http/")) {
            return Err(LoadError(format!(
                "it imports {http}: use {CONTRACT}http, where the manifest's rules apply"
            )));
        }
        let router = format!("{CONTRACT}router@{VERSION}");
        let exports: Vec<String> = kind
            .exports(engine)
            .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
            .map(|(name, _)| name.to_owned())
            .collect();
        if !exports.contains(&router) {
            let other = exports
                .iter()
                .chain(&imports)
                .find(|name| name.starts_with(CONTRACT) || name.starts_with("hookswitch:plugin"));
            return Err(LoadError(match other {
                Some(other) => format!(
                    "it is built for {other}, and this host has {router}: build it with the SDK of this host's version"
                ),
                None => format!("it does not export {router}: is `router!(decide)` there?"),
            }));
        }
        let linked = sandbox.0.linker.instantiate_pre(&component).and_then(PluginPre::new);
        let linked = linked.map_err(|error| {
            LoadError(format!("this host does not give what it imports: {}", first_line(&error)))
        })?;
        Ok(Plugin::new(sandbox.clone(), Revision::new(manifest, linked, imports, bytes)))
    }
}

/// Without wasmtime's details, which are for whoever writes compilers.
fn first_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    causes.join(": ").lines().next().unwrap_or_default().to_owned()
}
