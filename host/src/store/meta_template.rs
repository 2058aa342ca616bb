//! Our templates at Meta: versions, where they stand, which is in use.

use jiff::Timestamp;
use tokio_postgres::Row;

use super::{Store, StoreError};

/// The words of a version of one of our templates at Meta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaTemplateRow {
    /// Its name at Meta, with the version at the end.
    pub name: String,
    /// Such as `en_US`.
    pub language: String,
    /// A hash over body, footer and buttons.
    pub wording: String,
    /// The template's name in the catalog.
    pub template: String,
    /// The template's file as it was then.
    pub source: String,
    /// The names of its parameters in their order, where it has names at Meta.
    pub parameter_names: Vec<String>,
}

/// Where a version stands since `seen_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaTemplateStatus {
    /// Its name at Meta.
    pub name: String,
    /// Such as `en_US`.
    pub language: String,
    /// From 1.
    pub ordinal: i32,
    /// In Meta's word.
    pub status: String,
    /// In Meta's word.
    pub category: Option<String>,
    /// Why, in Meta's word.
    pub reason: Option<String>,
}

/// Which version of a template is in use since `switched_at`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaTemplateSwitch {
    /// The template's name in the catalog.
    pub template: String,
    /// Such as `en_US`.
    pub language: String,
    /// From 1.
    pub ordinal: i32,
    /// The version's name at Meta; `None` where no version may be sent any more.
    pub name: Option<String>,
    /// Since when.
    pub switched_at: Timestamp,
}

impl Store {
    /// All versions whose words are known.
    pub async fn meta_templates(&self) -> Result<Vec<MetaTemplateRow>, StoreError> {
        let sql = "SELECT name, language, wording, template, source, parameter_names FROM meta_template ORDER BY seen_at";
        let rows = self.client().await?.query(sql, &[]).await?;
        let read = |row: &Row| {
            Ok(MetaTemplateRow {
                name: row.try_get(0)?,
                language: row.try_get(1)?,
                wording: row.try_get(2)?,
                template: row.try_get(3)?,
                source: row.try_get(4)?,
                parameter_names: row.try_get::<_, &str>(5)?.split_whitespace().map(str::to_owned).collect(),
            })
        };
        rows.iter().map(read).collect()
    }

    /// Appends versions; those that are known already change nothing.
    pub async fn append_meta_templates(&self, rows: &[MetaTemplateRow]) -> Result<(), StoreError> {
        let column = |of: fn(&MetaTemplateRow) -> &str| rows.iter().map(of).collect::<Vec<_>>();
        let names: Vec<String> = rows.iter().map(|row| row.parameter_names.join(" ")).collect();
        self.client()
            .await?
            .execute(
                "INSERT INTO meta_template (name, language, wording, template, source, parameter_names)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
                 ON CONFLICT DO NOTHING",
                &[
                    &column(|row| &row.name),
                    &column(|row| &row.language),
                    &column(|row| &row.wording),
                    &column(|row| &row.template),
                    &column(|row| &row.source),
                    &names,
                ],
            )
            .await?;
        Ok(())
    }

    /// Where each version stands: its last row.
    pub async fn meta_template_statuses(&self) -> Result<Vec<MetaTemplateStatus>, StoreError> {
        let sql = "SELECT DISTINCT ON (name, language) name, language, ordinal, status, category, reason
                   FROM meta_template_status ORDER BY name, language, ordinal DESC";
        let rows = self.client().await?.query(sql, &[]).await?;
        let read = |row: &Row| {
            Ok(MetaTemplateStatus {
                name: row.try_get(0)?,
                language: row.try_get(1)?,
                ordinal: row.try_get(2)?,
                status: row.try_get(3)?,
                category: row.try_get(4)?,
                reason: row.try_get(5)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Appends where versions stand; what another host has written already changes nothing.
    pub async fn append_meta_template_statuses(&self, rows: &[MetaTemplateStatus]) -> Result<(), StoreError> {
        self.client()
            .await?
            .execute(
                "INSERT INTO meta_template_status (name, language, ordinal, status, category, reason)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::text[], $6::text[])
                 ON CONFLICT DO NOTHING",
                &[
                    &rows.iter().map(|row| &row.name).collect::<Vec<_>>(),
                    &rows.iter().map(|row| &row.language).collect::<Vec<_>>(),
                    &rows.iter().map(|row| row.ordinal).collect::<Vec<_>>(),
                    &rows.iter().map(|row| &row.status).collect::<Vec<_>>(),
                    &rows.iter().map(|row| &row.category).collect::<Vec<_>>(),
                    &rows.iter().map(|row| &row.reason).collect::<Vec<_>>(),
                ],
            )
            .await?;
        Ok(())
    }

    /// Which version of each template is in use: its last row.
    pub async fn meta_template_switches(&self) -> Result<Vec<MetaTemplateSwitch>, StoreError> {
        let sql = "SELECT DISTINCT ON (template, language) template, language, ordinal, name, switched_at
                   FROM meta_template_switch ORDER BY template, language, ordinal DESC";
        let rows = self.client().await?.query(sql, &[]).await?;
        let read = |row: &Row| {
            Ok(MetaTemplateSwitch {
                template: row.try_get(0)?,
                language: row.try_get(1)?,
                ordinal: row.try_get(2)?,
                name: row.try_get(3)?,
                switched_at: row.try_get(4)?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// Appends switches; those that another host has written already change nothing.
    pub async fn append_meta_template_switches(&self, rows: &[MetaTemplateSwitch]) -> Result<(), StoreError> {
        self.client()
            .await?
            .execute(
                "INSERT INTO meta_template_switch (template, language, ordinal, name, switched_at)
                 SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::text[], $5::timestamptz[])
                 ON CONFLICT DO NOTHING",
                &[
                    &rows.iter().map(|row| &row.template).collect::<Vec<_>>(),
                    &rows.iter().map(|row| &row.language).collect::<Vec<_>>(),
                    &rows.iter().map(|row| row.ordinal).collect::<Vec<_>>(),
                    &rows.iter().map(|row| &row.name).collect::<Vec<_>>(),
                    &rows.iter().map(|row| row.switched_at).collect::<Vec<_>>(),
                ],
            )
            .await?;
        Ok(())
    }
}
