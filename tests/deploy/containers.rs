//! The image and the compose file.

use hookswitch_simulator::Settings;
use serde_yaml::{Mapping, Value};

use super::{help, read, settings, top, variables};

/// The compose file, with what its services share.
fn compose() -> Value {
    let mut compose: Value = serde_yaml::from_str(&read("deploy/compose.yaml")).unwrap();
    // What a service takes over takes over from another: one level at a time.
    compose.apply_merge().unwrap();
    compose.apply_merge().unwrap();
    compose
}

fn services(compose: &Value) -> impl Iterator<Item = (&str, &Value)> {
    compose["services"].as_mapping().unwrap().iter().map(|(name, service)| (name.as_str().unwrap(), service))
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_sequence().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[test]
fn the_compose_file_holds_together() {
    let compose = compose();
    for (name, service) in services(&compose) {
        for (needed, _) in service["depends_on"].as_mapping().into_iter().flatten() {
            assert!(compose["services"].get(needed).is_some(), "{name} needs {needed:?}");
        }
        for volume in texts(&service["volumes"]) {
            let source = volume.split(':').next().unwrap();
            let exists = !source.starts_with('.') || top().join("deploy").join(source).exists();
            assert!(exists, "{name} mounts {source}, which is missing");
        }
        for network in texts(&service["networks"]) {
            assert!(compose["networks"].get(network).is_some(), "{name} is in {network}");
        }
        if service["image"].as_str().is_some_and(|image| image.starts_with("hookswitch")) {
            let command = service["command"][0].as_str().unwrap_or("serve");
            let help = help(&[command]);
            for flag in texts(&service["command"]).into_iter().filter_map(|word| word.split_once('=')) {
                assert!(help.contains(&format!("{} ", flag.0)), "{command} has no flag {}", flag.0);
            }
        }
    }
}

/// A variable that the file interpolates is one of `deploy/.env`.
#[test]
fn the_settings_of_the_compose_file_are_named_in_its_example() {
    let text = read("deploy/compose.yaml");
    let named = variables("deploy/compose.env.example");
    for variable in text.split("${").skip(1) {
        let name: String = variable.chars().take_while(|c| c.is_ascii_uppercase() || *c == '_').collect();
        assert!(named.contains_key(&name), "{name} is not in compose.env.example");
    }
    let account = Settings::default();
    assert_eq!(named["WHATSAPP_PHONE_NUMBER_ID"].1, account.phone_number_id);
    assert_eq!(named["WHATSAPP_BUSINESS_ACCOUNT_ID"].1, account.waba_id);
    for (name, (_, value)) in &named {
        let is_secret = ["PASSWORD", "TOKEN", "SECRET"].iter().any(|end| name.ends_with(end));
        assert!(!is_secret || value.is_empty(), "{name} would be the same for everybody");
    }
}

/// What `environment` sets wins over `env_file`: apart from `deploy/.env`, only what the container prescribes.
#[test]
fn every_setting_passes_to_the_host() {
    let compose = compose();
    let host = &compose["services"]["host"];
    assert_eq!(host["env_file"][0]["path"].as_str(), Some("hookswitch.env"));
    let known = settings();
    let prescribed = [
        "DATABASE_URL",
        "HOOKSWITCH_LISTEN",
        "HOOKSWITCH_ADMIN_LISTEN",
        "HOOKSWITCH_RULES",
        "HOOKSWITCH_PLUGINS",
        "HOOKSWITCH_PLUGIN_CACHE",
    ];
    let named = variables("deploy/compose.env.example");
    for name in host["environment"].as_mapping().unwrap().keys().map(|name| name.as_str().unwrap()) {
        assert!(known.contains_key(name), "the host has no setting {name}");
        assert!(
            prescribed.contains(&name) || named.contains_key(name),
            "{name} in hookswitch.env has no effect"
        );
    }
    let readme = read("deploy/README.md");
    assert!(readme.contains("go into `deploy/hookswitch.env`, a copy of `hookswitch.env.example`"));
}

#[test]
fn only_the_host_and_the_simulator_are_published_and_only_to_this_machine() {
    let compose = compose();
    for (name, service) in services(&compose) {
        let ports = texts(&service["ports"]);
        let published = match name {
            // Events and webhooks; metrics.
            "host" => 2,
            "simulator" => 1,
            _ => 0,
        };
        assert_eq!(ports.len(), published, "{name}: {ports:?}");
        assert!(ports.iter().all(|port| port.starts_with("127.0.0.1:")), "{name}: {ports:?}");
        assert!(service.get("network_mode").is_none(), "{name}");
    }
    assert_eq!(texts(&compose["services"]["postgres"]["networks"]), ["database"]);
    assert_eq!(compose["networks"]["database"]["internal"].as_bool(), Some(true));
}

#[test]
fn every_service_is_limited_and_leaves_no_core_file() {
    let compose = compose();
    for (name, service) in services(&compose) {
        assert!(service["mem_limit"].is_string() && service["pids_limit"].is_u64(), "{name} has no limits");
        assert_eq!(service["ulimits"]["core"].as_u64(), Some(0), "{name}");
        assert_eq!(texts(&service["security_opt"]), ["no-new-privileges:true"], "{name}");
        // The image of PostgreSQL starts as root and gives its rights up itself.
        if name != "postgres" {
            assert_eq!(service["read_only"].as_bool(), Some(true), "{name}");
            assert_eq!(texts(&service["cap_drop"]), ["ALL"], "{name}");
        }
    }
}

/// The stages of the Dockerfile, each with its lines.
fn stages(dockerfile: &str) -> Vec<(String, String)> {
    let stages = dockerfile.split("\nFROM ").skip(1);
    stages
        .filter_map(|stage| Some((stage.lines().next()?.rsplit_once(" AS ")?.1.to_owned(), stage.to_owned())))
        .collect()
}

#[test]
fn the_production_image_has_no_stand_in_for_whatsapp() {
    let stages = stages(&read("deploy/Dockerfile"));
    let (last, production) = stages.last().unwrap();
    assert_eq!(last, "production");
    let sources = |stage: &str| {
        let copied =
            stage.split("COPY --from=").skip(1).map(|copy| copy.split(' ').next().unwrap().to_owned());
        copied.collect::<Vec<_>>()
    };
    let stage = |name: &str| stages.iter().find(|(known, _)| known == name).unwrap().1.as_str();
    assert_eq!(sources(production), ["build", "build", "build"], "program, rules and plugins");
    assert!(stage("build").contains("deploy/release.sh /release"));
    assert!(read("deploy/release.sh").contains("--no-default-features"));
    assert_eq!(sources(stage("simulator")), ["build-simulator"]);
    assert!(!stage("build-simulator").contains("--no-default-features"));

    let compose = compose();
    for (name, service) in services(&compose) {
        let target = service["build"].get("target").and_then(Value::as_str);
        let is_simulator = service["command"][0].as_str() == Some("simulate");
        assert_eq!(target == Some("simulator"), is_simulator, "{name}");
        assert!(!is_simulator || service.get("profiles").is_some(), "{name} would start in production");
    }
}

/// All that the build stage copies from the repository is in the build context, and no leavings of builds are.
#[test]
fn the_image_is_built_from_what_it_needs() {
    let ignored = read(".dockerignore");
    let needed =
        ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml", "host", "migrations", "rules", "sdk", "plugins"];
    for path in needed.into_iter().chain(["deploy/release.sh"]) {
        assert!(top().join(path).exists(), "{path}");
        assert!(ignored.lines().any(|line| line == format!("!{path}")), "{path} is not in the context");
    }
    for left in ["**/target", "**/node_modules"] {
        assert!(ignored.lines().any(|line| line == left), "{left}");
    }
}

#[test]
fn supervisors_ask_whether_the_host_is_ready() {
    let stages = stages(&read("deploy/Dockerfile"));
    let (_, production) = stages.last().unwrap();
    let asks = "CMD [\"/usr/local/bin/hookswitch\", \"ready\"]";
    let health = production.lines().find(|line| line.starts_with("HEALTHCHECK")).unwrap();
    assert!(health.ends_with(asks), "{health}");
    let compose = compose();
    let host = &compose["services"]["host"]["healthcheck"];
    assert_eq!(texts(&host["test"]), ["CMD", "/usr/local/bin/hookswitch", "ready"]);
    // It answers in four seconds whatever the host does.
    assert_eq!(host["timeout"].as_str(), Some("5s"));
    assert!(health.contains("--timeout=5s"), "{health}");
    let off: &Mapping = compose["services"]["migrate"]["healthcheck"].as_mapping().unwrap();
    assert_eq!(off["disable"].as_bool(), Some(true), "nothing listens there");
}

#[test]
fn the_image_is_built_with_the_pinned_toolchain() {
    let toolchain = read("rust-toolchain.toml");
    let channel = toolchain.split('"').nth(1).unwrap();
    let dockerfile = read("deploy/Dockerfile");
    assert!(dockerfile.contains(&format!("FROM rust:{channel}-")), "{channel}");
    assert!(dockerfile.contains(&format!("RUSTUP_TOOLCHAIN={channel}\n")), "{channel}");
}
