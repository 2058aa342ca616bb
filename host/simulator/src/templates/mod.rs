//! Message templates: Meta's checks at creation, review, states, and whether a send fits.

mod buttons;
mod definition;
mod edit;
mod endpoints;
mod filter;
mod fit;
mod list;
mod samples;
mod store;
mod template;
mod variables;

pub use self::{
    edit::{edit, set_status, unpause},
    endpoints::{Query, create, delete},
    fit::{fit, missing},
    list::{get, list},
    store::Templates,
    template::{REJECTION_MARKER, Template, TemplateStatus},
};
