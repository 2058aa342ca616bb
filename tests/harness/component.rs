//! A plugin that does what events tell it to.

use std::{fs, path::Path, sync::OnceLock};

use super::program;

/// Where plugins are compiled, once for all tests.
pub const CACHE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/plugin-cache");

/// The component that does what it is told, built from source once for all tests.
pub fn component() -> &'static [u8] {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT.get_or_init(|| {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests");
        let mut build = program(&["plugin", "build", "hostile", "--plugins"]);
        // cargo and rustup need to know where they live.
        for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            build.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        let output = build.arg(&tests).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(tests.join("hostile/hostile.wasm")).unwrap()
    })
}
