//! Loads a component as a plugin, and checks its imports and exports.

use wasmtime::component::{Component, types::ComponentItem};

use super::{
    bindings::PluginPre,
    compile::NotCompiled,
    host::CallState,
    manifest::Manifest,
    sandbox::Sandbox,
    state::{Held, Linked, Plugin, Revision},
    words::line,
};

/// Package of the contract, without its version.
const CONTRACT: &str = "hookswitch:plugin/";
const VERSION: &str = "1.0.0";
/// Maximum length of names in messages, in characters.
const NAME: usize = 200;

/// Why a plugin cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// The component is not a plugin that this host can run.
    #[error("{0}")]
    Invalid(String),
    /// The component cannot be compiled.
    #[error("cannot be compiled: {0}")]
    Refused(String),
    /// The plugin is new and still being compiled; it can be loaded afterwards.
    #[error("it is being compiled, and goes live when that is done")]
    Compiling,
}

impl Plugin {
    /// Compiles and links a component. Blocks for as long as that takes, or for some seconds if the sandbox serves a host.
    /// A plugin of a host that cannot be compiled, or not yet, is [held](Plugin::held).
    ///
    /// # Errors
    /// If the component is not a plugin, or cannot be loaded.
    pub fn load(sandbox: &Sandbox, manifest: Manifest, bytes: &[u8]) -> Result<Plugin, LoadError> {
        if bytes.get(..4) != Some(b"\0asm") {
            return Err(invalid("not a WebAssembly file"));
        }
        if bytes.get(4..8) == Some(&[1, 0, 0, 0]) {
            return Err(invalid(
                "this is a core module, not a component; build it for wasm32-wasip2 (hookswitch plugin build)",
            ));
        }
        let serves = sandbox.serves();
        let is_new = !sandbox.has_known(&manifest.id);
        let linked = match sandbox.0.compiling.compile(bytes) {
            Ok(component) => {
                let (pre, imports) = linked(sandbox, &component)?;
                Ok(Linked { pre, imports, _component: component })
            }
            Err(NotCompiled::Invalid(why)) => {
                return Err(invalid(&format!("not a valid component: {why}")));
            }
            Err(NotCompiled::Refused(why) | NotCompiled::Failed(why)) if serves => Err(Held::Refused(why)),
            Err(NotCompiled::Refused(why) | NotCompiled::Failed(why)) => return Err(LoadError::Refused(why)),
            Err(NotCompiled::UnderWay) if is_new && sandbox.0.compiling.is_live() => {
                return Err(LoadError::Compiling);
            }
            Err(NotCompiled::UnderWay) => Err(Held::Compiling),
        };
        Ok(Plugin::new(sandbox.clone(), Revision::new(manifest, linked, bytes)))
    }
}

/// Checks what a component imports and exports, and links it.
fn linked(
    sandbox: &Sandbox,
    component: &Component,
) -> Result<(PluginPre<CallState>, Vec<String>), LoadError> {
    let kind = component.component_type();
    let engine = &sandbox.0.engine;
    let imports: Vec<String> = kind.imports(engine).map(|(name, _)| line(name, NAME)).collect();
    if let Some(http) = imports.iter().find(|name| name.starts_with("wasi:http/")) {
        return Err(invalid(&format!(
            "it imports {http}; use {CONTRACT}http, to which the manifest applies"
        )));
    }
    let router = format!("{CONTRACT}router@{VERSION}");
    let exports: Vec<String> = kind
        .exports(engine)
        .filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentInstance(_)))
        .map(|(name, _)| line(name, NAME))
        .collect();
    if !exports.contains(&router) {
        let other = exports
            .iter()
            .chain(&imports)
            .find(|name| name.starts_with(CONTRACT) || name.starts_with("hookswitch:plugin"));
        return Err(invalid(&match other {
            Some(other) => format!(
                "it is built for {other}, but this host supports {router}; build it with the SDK of this host's version"
            ),
            None => format!("it does not export {router}; add `router!(decide)` to the plugin"),
        }));
    }
    let pre = sandbox.0.linker.instantiate_pre(component).and_then(PluginPre::new);
    let pre = pre.map_err(|error| {
        invalid(&format!(
            "it imports something that this host does not provide: {}",
            line(&first_line(&error), 1_000)
        ))
    })?;
    Ok((pre, imports))
}

fn invalid(why: &str) -> LoadError {
    LoadError::Invalid(why.to_owned())
}

/// The first line of an error and its causes, without wasmtime's details for compiler authors.
pub(super) fn first_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    causes.join(": ").lines().next().unwrap_or_default().to_owned()
}
