//! From a file to a plugin that can be called: what does not fit is told in the author's words.

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

/// The contract's package, without its version.
const CONTRACT: &str = "hookswitch:plugin/";
const VERSION: &str = "1.0.0";
/// Names in messages, in characters.
const NAME: usize = 200;

/// Why there is no plugin to call, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// It is not a plugin that this host can run.
    #[error("{0}")]
    Invalid(String),
    /// It cannot be compiled.
    #[error("it cannot be compiled: {0}")]
    Refused(String),
    /// It is new, and its compiler still runs; it can be loaded when that has ended.
    #[error("it is being compiled; it goes live when that is done")]
    Compiling,
}

impl Plugin {
    /// Compiles and links a component. Blocks for as long as that takes; where the sandbox serves a host, for seconds
    /// at most. A plugin of a host that cannot be compiled, or not yet, is [held](Plugin::held).
    ///
    /// # Errors
    /// Why it is no plugin.
    pub fn load(sandbox: &Sandbox, manifest: Manifest, bytes: &[u8]) -> Result<Plugin, LoadError> {
        if bytes.get(..4) != Some(b"\0asm") {
            return Err(invalid("this is no WebAssembly: it does not begin as such"));
        }
        if bytes.get(4..8) == Some(&[1, 0, 0, 0]) {
            return Err(invalid(
                "this is a core module, not a component: build it for wasm32-wasip2 (hookswitch plugin build)",
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
                return Err(invalid(&format!("this is no valid component: {why}")));
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
            "it imports {http}: use {CONTRACT}http, where the manifest's rules apply"
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
                "it is built for {other}, and this host has {router}: build it with the SDK of this host's version"
            ),
            None => format!("it does not export {router}: is `router!(decide)` there?"),
        }));
    }
    let pre = sandbox.0.linker.instantiate_pre(component).and_then(PluginPre::new);
    let pre = pre.map_err(|error| {
        invalid(&format!("this host does not give what it imports: {}", line(&first_line(&error), 1_000)))
    })?;
    Ok((pre, imports))
}

fn invalid(why: &str) -> LoadError {
    LoadError::Invalid(why.to_owned())
}

/// Without wasmtime's details, which are for whoever writes compilers.
pub(super) fn first_line(error: &wasmtime::Error) -> String {
    let causes: Vec<String> = error.chain().map(|cause| cause.to_string()).collect();
    causes.join(": ").lines().next().unwrap_or_default().to_owned()
}
