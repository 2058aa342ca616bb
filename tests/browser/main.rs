//! The console in Chromium: each page as a person sees it, and what can be done with it by clicking.
//!
//! Needs Debian's `chromium` and `chromium-driver`, and axe-core from npm: `.ci/install` gets them. A test that misses one of
//! them says so and is skipped; with `CI=true` it fails. With `HOOKSWITCH_SCREENSHOTS=FOLDER` (`just screenshots`) pictures of
//! the main pages are written into that folder instead.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{env, path::PathBuf, process::ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

mod acts;
mod chromium;
#[allow(dead_code, unused_imports, reason = "shared with the other tests, which use more of it")]
#[path = "../harness/mod.rs"]
mod harness;
mod hostile;
mod pages;
mod people;
mod plain;
mod rules;
mod screenshots;
mod stages;
mod tabs;
mod webdriver;

/// Why a test cannot run on this machine.
pub struct Skipped(String);

type Case = Result<(), Skipped>;

/// Tests at once: each has a browser, a host and a simulator.
const AT_ONCE: usize = 2;

fn trial<F: Future<Output = Case> + 'static>(
    name: &'static str,
    case: impl FnOnce() -> F + Send + 'static,
) -> Trial {
    Trial::ignorable_test(name, move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        match runtime.map_err(Failed::from)?.block_on(case()) {
            Ok(()) => Ok(Completion::Completed),
            Err(Skipped(why)) if env::var("CI").is_ok_and(|ci| ci == "true") => {
                Err(Failed::from(format!("{name} cannot run: {why}")))
            }
            Err(Skipped(why)) => {
                println!("{name} is skipped: {why}");
                Ok(Completion::ignored_with(why))
            }
        }
    })
}

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let pictures = env::var_os("HOOKSWITCH_SCREENSHOTS").map(PathBuf::from);
    let trials = match pictures {
        Some(folder) => vec![trial("screenshots", move || async move { screenshots::into(&folder).await })],
        None => trials(),
    };
    let conclusion = libtest_mimic::run(&arguments, trials);
    chromium::end();
    conclusion.exit_code()
}

fn trials() -> Vec<Trial> {
    vec![
        trial("empty_pages", pages::empty),
        trial("full_pages", pages::full),
        trial("login_and_filter", acts::login_and_filter),
        trial("redrive_of_500_messages_with_a_reload", acts::redrive),
        trial("contact_who_wrote_in_is_linked", people::linked),
        trial("staff_is_added_changed_and_imported", people::staff),
        trial("template_is_pushed", rules::pushed),
        trial("event_is_tried_and_saved_as_a_case", rules::tried),
        trial("key_is_created_and_revoked", people::key),
        trial("hostile_texts", hostile::texts),
        trial("nine_tabs", tabs::nine),
        trial("changes_are_seen_at_once", tabs::changes),
        trial("without_scripts", plain::without_scripts),
    ]
}
