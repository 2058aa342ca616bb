//! The composition root: the only file that sees every room.

mod admin;
mod database;
mod error;
mod folders;
mod listeners;
mod process;
mod scrape;
mod shares;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use hookswitch_core::{
    catalog::{Live, Watching},
    plan::InUse,
};
use tokio::{
    sync::{Mutex, Notify, watch},
    task::spawn_blocking,
    time::{Instant, sleep},
};
use uuid::Uuid;

pub use self::{
    database::Database,
    error::AppError,
    folders::{current_folders, folders, grants, network, releases, sandbox, share_folders},
    listeners::Listeners,
};
use self::{
    folders::sandbox as sandbox_of,
    scrape::Scrape,
    shares::{Counts, Shares},
};
use crate::{
    api,
    config::Config,
    console::{self, Changes, Console, Links},
    directory::Directory,
    dispatch::{Deps, Dispatch, Uploads, watch_daily_limit},
    http,
    intake::{self, Intake},
    lanes::{Beat, Grew, Grown, Holder, Leases, News, Progress, Unread, own_name},
    metrics::{IntakeMetrics, Metrics, RoutingMetrics},
    operate::{Checker, NewChecker, Operate, Setup, run_jobs, run_replays, run_shadows},
    parts::{Failed, Parts},
    receipts::Receipts,
    releases::{Follower, ReleaseError, register},
    routing::{self, Routing},
    store::Store,
    system::{Scheduler, do_duties, prune, tally, tell_parked},
    templates::{self, TemplateStates, TemplateWatch},
    traces::Tracer,
    whatsapp::{Client, management::Management},
};

/// Other hosts are told at most so often that a log has grown.
const DEBOUNCE: Duration = Duration::from_millis(20);
/// How long all parts together may take to finish what is under way: with what else a stop needs, under 10 s.
const FINISH: Duration = Duration::from_secs(6);
/// A part that holds lanes and has not turned for so long is stuck; a turn waits for PostgreSQL for less.
const STUCK: Duration = Duration::from_secs(20);
/// How soon changed rules and their types are counted by themselves.
const NAMES: Duration = Duration::from_secs(5);

/// The running service.
pub struct App {
    address: SocketAddr,
    admin_address: Option<SocketAddr>,
    links: Links,
    database: Database,
    catalog: Arc<Live>,
    _watching: Option<Watching>,
    leases: watch::Receiver<Leases>,
    parts: Parts,
}

impl App {
    /// Starts everything: database, rules, lanes, dispatch, routing, HTTP on `listeners`.
    ///
    /// # Errors
    /// Where one of them cannot be started.
    pub async fn start(
        config: &Config,
        listeners: Listeners,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<App, AppError> {
        let folders = folders(&config.rules, &config.database, true)?;
        let sandbox = folders.sandbox.clone();
        let of_folder = match config.rules.follows() {
            true => None,
            false => Some(spawn_blocking(move || Live::open(folders)).await?.map_err(AppError::Catalog)?),
        };
        let address = listeners.public.local_addr().map_err(AppError::Address)?;
        let admin_address = match &listeners.admin {
            Some(listener) => Some(listener.local_addr().map_err(AppError::Address)?),
            None => None,
        };
        let client = Client::new(&config.whatsapp)?;
        let connections = config.database.connections();
        let database = Database::open_with(&config.database, Counts::of(connections).work, progress).await?;
        let follower = Follower::new(database.store.clone(), releases(&config.database), sandbox);
        let (catalog, followed) = match of_folder {
            Some(catalog) => (catalog, None),
            None => match follower.open().await {
                Ok((catalog, seq)) => (catalog, Some(seq)),
                Err(error) => {
                    database.close().await;
                    return Err(match error {
                        ReleaseError::NoneActive => AppError::NoRules,
                        error => AppError::Release(error),
                    });
                }
            },
        };
        match followed {
            Some(_) => tracing::info!(release = catalog.current().release, "following the active release"),
            None => tracing::info!(folder = %config.rules.rules.display(), "serving the rules of a folder"),
        }
        let Shares { work: store, lanes, incoming, requests } = Shares::of(&database.store, connections)?;
        let shares = [
            ("work", store.clone()),
            ("lanes", lanes.clone()),
            ("incoming", incoming.clone()),
            ("requests", requests.clone()),
        ];

        let events = Arc::new(Grown::default());
        let notifications = Arc::new(Grown::default());
        let others = Arc::new(Notify::new());
        let progress = Arc::new(Progress::default());
        let host = Uuid::now_v7();
        let template_updated = Arc::new(Notify::new());
        let metrics = Metrics::new(&store.metrics());
        let (tracer, exporter) = match config.traces.clone() {
            Some(traces) => {
                let (tracer, exporter) = Tracer::new(traces, &host.to_string()).map_err(AppError::Traces)?;
                (tracer, Some(exporter))
            }
            None => (Tracer::default(), None),
        };
        let live = catalog.clone();
        let receipts = Receipts::new(
            incoming.clone(),
            &config.whatsapp,
            template_updated.clone(),
            Arc::new(move |kind: &str| live.in_force().all().any(|catalog| catalog.routes.are_for(kind))),
            metrics.receipts.clone(),
            tracer.clone(),
        );
        let (live, seen) = (catalog.clone(), receipts.seen());
        let refused = follower.clone();
        let news = News {
            follows: followed.is_some(),
            refused: Arc::new(move || refused.refused().map(|refusal| (refusal.release, refusal.why))),
            releases: Arc::new(move || {
                let in_force = live.in_force();
                let share = in_force.share().map(|(share, catalog)| (catalog.release.clone(), share));
                (in_force.main().release.clone(), share)
            }),
            webhooks: Arc::new(move || seen.take()),
        };
        let (holder, leases) = Holder::new(lanes, host, progress.clone(), news);
        let appended = grown(events.clone(), others.clone(), leases.clone());
        let of_system = appended.clone();
        let grew: Arc<dyn Fn() + Send + Sync> = Arc::new(move || of_system(Unread::All));

        let account = config.whatsapp.whatsapp_business_account_id.clone();
        let in_use = match &account {
            Some(_) => templates::restore(&store).await?,
            None => InUse::default(),
        };
        let in_use = Arc::new(ArcSwap::from_pointee(in_use));
        let template_states = TemplateStates::default();
        let watch = match account {
            Some(account_id) => Some(TemplateWatch {
                store: store.clone(),
                catalog: catalog.clone(),
                management: Management::new(
                    &config.whatsapp.whatsapp_api_url,
                    &config.whatsapp.whatsapp_access_token,
                )?,
                account_id,
                updated: template_updated.clone(),
                in_use: in_use.clone(),
                states: template_states.clone(),
                grew: grew.clone(),
            }),
            None => None,
        };

        let (limit, daily_limit) = watch::channel(None);
        let management =
            Management::new(&config.whatsapp.whatsapp_api_url, &config.whatsapp.whatsapp_access_token)?;
        let usual = config.whatsapp.whatsapp_phone_number_id.usual().to_owned();
        let beats = [("routing", Beat::default()), ("dispatch", Beat::default())];
        let dispatch = Dispatch::new(Deps {
            beat: beats[1].1.clone(),
            store: store.clone(),
            uploads: Uploads::new(store.clone(), client.clone(), catalog.clone()),
            host,
            leases: leases.clone(),
            progress,
            wake: notifications.clone(),
            messages_per_second: config.whatsapp.whatsapp_messages_per_second,
            unknown_for: config.unknown_for,
            in_use: in_use.clone(),
            template_refused: template_updated,
            several_numbers: config.whatsapp.whatsapp_phone_number_id.are_several(),
            daily_limit: daily_limit.clone(),
            metrics: metrics.dispatch.clone(),
            tracer: tracer.clone(),
        });
        let routing = Routing {
            beat: beats[0].1.clone(),
            store: store.clone(),
            host,
            catalog: catalog.clone(),
            leases: leases.clone(),
            wake: events.clone(),
            notified: grown(notifications.clone(), others.clone(), leases.clone()),
            senders: Arc::new(config.whatsapp.whatsapp_phone_number_id.clone()),
            in_use: in_use.clone(),
            threads: routing::threads(),
            tally: Default::default(),
            metrics: metrics.routing.clone(),
            tracer: tracer.clone(),
        };
        let scheduler = Scheduler { store: store.clone(), catalog: catalog.clone(), grew: grew.clone() };
        let (dutiful, told, watched, plugins) = (store.clone(), grew.clone(), store.clone(), catalog.clone());
        let mut parts = Parts::default();
        let ready = ready(leases.clone(), beats, parts.failure());
        let intake = Intake::new(incoming, appended, ready, metrics.intake.clone()).traced(tracer);
        let (intake_ended, receipts_ended) = (intake.ended(), receipts.ended());
        let operate = Operate::new(requests.clone());
        let job_created = operate.job_created();
        let new_checker = || -> NewChecker {
            let (of_plugins, of_database) = (config.rules.sandbox.clone(), config.database.clone());
            Box::new(move || {
                let sandbox = sandbox_of(&of_plugins, &of_database, false);
                let sandbox = sandbox.map_err(|error| error.to_string())?;
                Ok(Checker { cache: releases(&of_database), sandbox })
            })
        };
        let (checker, of_replays, of_shadows) = (new_checker(), new_checker(), new_checker());
        let (replays, shadows, shadow_started) = (operate.clone(), operate.clone(), Arc::new(Notify::new()));
        let setup = Setup::new(config.whatsapp.clone(), client, catalog.clone(), operate.clone(), checker);
        let setup = Arc::new(setup);
        let directory = Directory::new(requests.clone());
        let routes = api::router(intake, directory, receipts, catalog.clone(), setup.clone());

        let links = Links::default();
        parts.start("http", |stop| http::serve(listeners.public, routes, stop));
        let totals = metrics.totals.clone();
        if let Some(listener) = listeners.admin {
            let counted = (metrics.intake.clone(), metrics.routing.clone());
            parts.help("names", name_rules(catalog.clone(), counted));
            let changes = Changes::new(totals.clone());
            let secure = config.admin.url.as_ref().is_some_and(|url| url.scheme() == "https");
            let scrape = Scrape {
                metrics,
                store: requests.clone(),
                leases: leases.clone(),
                catalog: catalog.clone(),
                in_use,
                knows_templates: config.whatsapp.whatsapp_business_account_id.is_some(),
                daily_limit,
                template_states,
                setup: setup.clone(),
                shares,
                last: Mutex::default(),
            };
            let pages = console::router(Console::new(operate, setup, links.clone(), changes, secure));
            let routes = admin::router(scrape, pages, &config.admin);
            parts.start("admin", |stop| http::serve(listener, routes, stop));
        }
        if let Some(keep) = config.keep {
            let store = store.clone();
            parts.start("retention", |stop| prune(store, keep, stop));
        }
        let jobs = store.clone();
        parts.start("jobs", |stop| run_jobs(jobs, job_created, stop));
        parts.start("replays", |stop| run_replays(replays, of_replays, stop));
        let woken = shadow_started.clone();
        parts.start("shadows", |stop| run_shadows(shadows, of_shadows, own_name(), woken, stop));
        parts.start("schedules", |stop| scheduler.run(stop));
        parts.start("duties", |stop| do_duties(dutiful, told, stop));
        parts.start("parked", |stop| tell_parked(watched, plugins, grew, stop));
        parts.start("routing", |stop| routing.run(stop));
        parts.start("dispatch", |stop| dispatch.run(stop));
        parts.start("lanes", |stop| holder.run(stop));
        parts.start("limit", |stop| watch_daily_limit(management, usual, limit, stop));
        if let Some(watch) = watch {
            parts.start("templates", |stop| watch.run(stop));
        }
        // Parts stop in this order: what the others count and record at their ends is stored and sent.
        if let Some(exporter) = exporter {
            parts.start("traces", |stop| exporter.run(stop));
        }
        let charted = store.clone();
        parts.start("tally", |stop| tally(charted, totals, stop));
        parts.help("intake", intake_ended);
        parts.help("receipts", receipts_ended);
        let released = follower.woken();
        parts.help(
            "listen",
            store.clone().listen(
                move || {
                    events.tell(Unread::All);
                    notifications.tell(Unread::All);
                },
                move || {
                    released.notify_one();
                    shadow_started.notify_one();
                },
            ),
        );
        parts.help("others", tell_others(store.clone(), others));
        let watching = match followed {
            Some(seq) => {
                let live = catalog.clone();
                parts.start("rules", |stop| follower.run(live, seq, stop));
                None
            }
            None => {
                let (live, registered) = (catalog.clone(), store.clone());
                parts.start("releases", |stop| register(registered, live, own_name(), stop));
                let watching = catalog.watch().map_err(AppError::Watch)?;
                parts.help("rules", watching.ended());
                Some(watching)
            }
        };
        Ok(App { address, admin_address, links, database, catalog, _watching: watching, leases, parts })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it serves its operators, unless that is off.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.admin_address
    }

    /// One-time links to its console.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// Its database.
    pub fn store(&self) -> &Store {
        &self.database.store
    }

    /// Its rules.
    pub fn catalog(&self) -> &Arc<Live> {
        &self.catalog
    }

    /// Waits until a part ends that should not, and returns its name.
    pub async fn failed(&mut self) -> &'static str {
        self.parts.ended().await
    }

    /// Takes nothing more, finishes what is under way, gives the lanes back, stops the private PostgreSQL.
    pub async fn stop(self) {
        self.parts.stop(FINISH).await;
        self.database.close().await;
    }

    /// Waits until this host holds lanes, and so routes and sends.
    pub async fn ready(&mut self) {
        // The sender lives as long as the parts.
        let _ = self.leases.wait_for(|leases| !leases.lanes.is_empty()).await;
    }
}

/// Intake and nothing else, for the benchmark.
pub fn intake_alone(store: Store) -> axum::Router {
    let metrics = IntakeMetrics::default();
    intake::router(Intake::new(store, Arc::new(|_| {}), Arc::new(Vec::new), metrics))
}

/// Intake and the history of events, without what else a host does, for tests.
pub fn intake_and_history(intake: Intake, store: Store) -> axum::Router {
    let office = api::office(Operate::new(store), &intake.keys(), &intake.bodies());
    intake::router(intake).merge(office)
}

/// Tells this host where a log has grown, and the others that it has where there are any.
fn grown(here: Arc<Grown>, others: Arc<Notify>, leases: watch::Receiver<Leases>) -> Grew {
    Arc::new(move |lanes| {
        here.tell(lanes);
        if leases.borrow().hosts > 1 {
            others.notify_one();
        }
    })
}

fn ready(
    leases: watch::Receiver<Leases>,
    beats: [(&'static str, Beat); 2],
    failed: Failed,
) -> Arc<dyn Fn() -> Vec<String> + Send + Sync> {
    Arc::new(move || {
        if let Some(part) = failed.get() {
            return vec![format!("{part} has failed: this host ends")];
        }
        let held = leases.borrow();
        if held.lanes.is_empty() {
            return vec!["this host holds no lanes yet: it does not route or send".to_owned()];
        }
        if !held.are_ours(Instant::now()) {
            return vec!["this host cannot renew its lanes: it does not route or send".to_owned()];
        }
        let stuck = beats.iter().filter(|(_, beat)| beat.age() > STUCK);
        stuck.map(|(part, beat)| format!("{part} has not turned for {} s", beat.age().as_secs())).collect()
    })
}

/// Names the live rules and their event types, which are counted each by itself.
async fn name_rules(catalog: Arc<Live>, (events, rules): (IntakeMetrics, RoutingMetrics)) {
    let mut releases = Vec::new();
    loop {
        let in_force = catalog.in_force();
        let current: Vec<String> = in_force.all().map(|catalog| catalog.release.clone()).collect();
        if current != releases {
            let uses = || in_force.all().flat_map(|catalog| &catalog.uses);
            events.set_types(uses().flat_map(|of| &of.types).map(String::as_str));
            rules.set_rules(uses().map(|of| of.rule.as_str()));
            releases = current;
        }
        drop(in_force);
        sleep(NAMES).await;
    }
}

async fn tell_others(store: Store, others: Arc<Notify>) {
    loop {
        others.notified().await;
        if let Err(error) = store.notify().await {
            tracing::debug!(%error, "failed to tell the other hosts; their polls are the net");
        }
        sleep(DEBOUNCE).await;
    }
}
