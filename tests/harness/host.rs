//! `hookswitch serve` as a process of its own, and its HTTP API.

use std::{
    fs,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::OnceLock,
};

use hmac::{Hmac, KeyInit, Mac};
use hookswitch_simulator::Settings;
use nix::sys::signal::Signal;
use reqwest::{Client, Response};
use serde_json::Value;
use sha2::Sha256;
use tokio::net::TcpSocket;

use super::{
    Database, Simulator, assert_described, description,
    process::{Process, program, program_under},
};

/// A host. It is killed with the test.
pub struct Host {
    /// What starts the program, with its arguments: nothing, unless a test says otherwise.
    under: Vec<String>,
    port: u16,
    rules: PathBuf,
    settings: Vec<(String, String)>,
    process: Process,
    key: String,
}

impl Host {
    /// Starts a host and makes a key for it. `settings` are names and values of its environment.
    #[track_caller]
    pub fn start(
        port: u16,
        database: &Database,
        simulator: &Simulator,
        rules: &Path,
        settings: &[(&str, &str)],
    ) -> Host {
        Host::start_under(&[], port, database, simulator, rules, settings)
    }

    /// The same, with another program that starts it, such as `unshare` with its arguments.
    #[track_caller]
    pub fn start_under(
        under: &[&str],
        port: u16,
        database: &Database,
        simulator: &Simulator,
        rules: &Path,
        settings: &[(&str, &str)],
    ) -> Host {
        let account = Settings::default();
        let mut all = vec![
            ("DATABASE_URL".to_owned(), database.url()),
            ("WHATSAPP_API_URL".to_owned(), simulator.api_url()),
            ("WHATSAPP_PHONE_NUMBER_ID".to_owned(), account.phone_number_id),
            ("WHATSAPP_ACCESS_TOKEN".to_owned(), account.access_token),
            ("WHATSAPP_APP_SECRET".to_owned(), account.app_secret),
            ("WHATSAPP_VERIFY_TOKEN".to_owned(), account.verify_token),
        ];
        all.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));

        let under: Vec<String> = under.iter().map(|&word| word.to_owned()).collect();
        let process = Process::start(serve(&under, port, rules, &all));
        let key = create_key(database, &format!("port-{port}"), &["events", "read", "personal"]);
        Host { under, port, rules: rules.to_owned(), settings: all, process, key }
    }

    pub fn url(&self) -> &str {
        self.process.url()
    }

    /// The URL of its admin listener.
    #[track_caller]
    pub fn admin_url(&self) -> String {
        self.process.admin_url()
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The memory that it holds now, in MiB.
    pub fn resident(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse::<u64>().unwrap() / 1024
    }

    /// SIGSTOP: it does nothing, and does not know.
    pub fn pause(&self) {
        self.process.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.process.signal(Signal::SIGCONT);
    }

    /// All that it has said so far.
    pub fn said(&self) -> String {
        self.process.said()
    }

    /// `kill -9`.
    pub fn kill(&mut self) -> ExitStatus {
        self.process.kill()
    }

    /// Waits for it to end by itself.
    pub fn wait(&mut self) -> ExitStatus {
        self.process.wait()
    }

    /// SIGTERM; waits for the end.
    pub fn terminate(&mut self) -> ExitStatus {
        self.process.terminate()
    }

    /// Changes a setting of its environment, from the next restart on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.settings.push((name.to_owned(), value.to_owned()));
    }

    /// Limits it, from the next restart on, such as by `ulimit -n 256`.
    pub fn limit(&mut self, command: &str) {
        self.under = ["sh", "-c", &format!("{command}; exec \"$0\" \"$@\"")].map(str::to_owned).to_vec();
    }

    /// Starts it again after its end: the same port, settings and key.
    #[track_caller]
    pub fn restart(&mut self) {
        self.process.kill();
        self.process = Process::start(serve(&self.under, self.port, &self.rules, &self.settings));
    }

    /// Posts an event in either of its forms; whatever the answer is.
    pub async fn post_event(&self, event: &Value) -> Response {
        self.post(event.to_string().into_bytes(), "application/json").await.unwrap()
    }

    /// Posts any body; an error where nobody answers.
    pub async fn post(&self, body: Vec<u8>, content_type: &str) -> reqwest::Result<Response> {
        let post = http()
            .post(format!("{}/v1/events", self.url()))
            .bearer_auth(&self.key)
            .header("content-type", content_type)
            .body(body);
        let answer = post.send().await?;
        let declared = &description()["paths"]["/v1/events"]["post"]["responses"];
        assert!(declared[answer.status().as_str()].is_object(), "{} is not described", answer.status());
        Ok(answer)
    }

    /// Posts a webhook, signed as Meta's of the usual account are, which must be taken.
    pub async fn post_webhook(&self, webhook: &Value) {
        let body = webhook.to_string();
        let mut mac = Hmac::<Sha256>::new_from_slice(Settings::default().app_secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let url = format!("{}/webhooks/whatsapp", self.url());
        let post = http().post(url).header("x-hub-signature-256", signature).body(body);
        assert_eq!(post.send().await.unwrap().status(), 200);
    }

    /// Posts an event, which must be taken, and gives its id.
    pub async fn accept(&self, event: &Value) -> String {
        let answer = self.post_event(event).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 202, "{text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["id"].as_str().unwrap_or_else(|| panic!("no id: {answer}")).to_owned()
    }

    /// An event with all that came of it.
    pub async fn event(&self, id: &str) -> Value {
        let answer = http().get(format!("{}/v1/events/{id}", self.url())).bearer_auth(&self.key).send();
        let answer = answer.await.unwrap().error_for_status().unwrap().json().await.unwrap();
        assert_described("GET", &format!("/v1/events/{id}"), 200, Some("application/json"), &answer);
        answer
    }
}

fn serve(under: &[String], port: u16, rules: &Path, settings: &[(String, String)]) -> Command {
    let under: Vec<&str> = under.iter().map(String::as_str).collect();
    let listen = format!("127.0.0.1:{port}");
    let mut command = program_under(&under, &["serve", "--listen", &listen, "--admin-listen", "127.0.0.1:0"]);
    command.arg("--rules").arg(rules).envs(settings.iter().map(|(name, value)| (name, value)));
    command
}

/// Makes an API key; the host that serves this database takes it at once.
#[track_caller]
pub fn create_key(database: &Database, name: &str, scopes: &[&str]) -> String {
    let mut command = program(&["keys", "create", name]);
    for scope in scopes {
        command.args(["--scope", scope]);
    }
    let output = command.env("DATABASE_URL", database.url()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// The rules that the repository ships.
pub fn rules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules")
}

/// Writes a file of a rules folder, with the folders that it stands in.
pub fn write_rule(rules: &Path, file: &str, text: &str) {
    write_file(rules, file, text.as_bytes());
}

/// As [`write_rule`], for a file that need not be a text.
pub fn write_file(rules: &Path, file: &str, content: &[u8]) {
    let path = rules.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A port of this machine that is ours until this process ends: the simulator must know the host's before the host starts.
/// A socket is bound to it and does not listen, so nobody is given the port, and who asks for it by number may listen there.
pub fn free_port() -> u16 {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let port = socket.local_addr().unwrap().port();
    std::mem::forget(socket);
    port
}

/// A client for loopback. Requests of one test may share it; those of several have runtimes of their own, and a
/// connection must not outlive the runtime that made it: so it keeps none.
pub fn http() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let client = CLIENT.get_or_init(|| {
        // Somebody else may have installed it: as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().pool_max_idle_per_host(0).no_proxy().build().unwrap()
    });
    client.clone()
}
