//! JSON Schemas of what authors write, for editors. They describe what the readers of this room take; a test holds both
//! together.

/// A kind of file that has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// `routes.yaml`.
    Routes,
    /// `cases/*.yaml`.
    Cases,
    /// The front matter of `templates/*.j2`.
    Template,
    /// `plugin.yaml`.
    Plugin,
    /// `schedules.yaml`.
    Schedules,
    /// `groups.yaml`.
    Groups,
}

impl Schema {
    /// All of them.
    pub const ALL: [Schema; 6] =
        [Schema::Routes, Schema::Cases, Schema::Template, Schema::Plugin, Schema::Schedules, Schema::Groups];

    /// Its name: that of the kind of file.
    pub const fn name(self) -> &'static str {
        match self {
            Schema::Routes => "routes",
            Schema::Cases => "cases",
            Schema::Template => "template",
            Schema::Plugin => "plugin",
            Schema::Schedules => "schedules",
            Schema::Groups => "groups",
        }
    }

    /// The name of its file.
    pub fn file(self) -> String {
        format!("{}.schema.json", self.name())
    }

    /// The JSON Schema, of draft 7: yaml-language-server knows no later ones (its README).
    pub const fn text(self) -> &'static str {
        match self {
            Schema::Routes => include_str!("schemas/routes.schema.json"),
            Schema::Cases => include_str!("schemas/cases.schema.json"),
            Schema::Template => include_str!("schemas/template.schema.json"),
            Schema::Plugin => include_str!("schemas/plugin.schema.json"),
            Schema::Schedules => include_str!("schemas/schedules.schema.json"),
            Schema::Groups => include_str!("schemas/groups.schema.json"),
        }
    }
}
