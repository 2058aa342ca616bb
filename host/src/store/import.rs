//! People from a list: added, brought up to date, and taken out, in one transaction.

use hookswitch_core::domain::QuietHours;
use jiff::civil::Time;

use super::{
    NewPerson, Store, StoreError, StoredPerson,
    contact::named,
    directory::{join_groups, look_again, people_named},
    session::Transaction,
};

/// People written in one statement.
const BATCH: usize = 5_000;
/// Shared numbers that are reported, and people named for each.
const SHARED: i64 = 100;
const NAMED: i32 = 10;

/// What an import does besides adding and updating people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Changes nothing: reports what it would change.
    pub dry_run: bool,
    /// Removes people who are listed from groups that are not listed for them.
    pub exact_groups: bool,
    /// Deactivates active people who are not listed.
    pub deactivate_missing: bool,
}

/// What an import changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// People who are new.
    pub added: Vec<StoredPerson>,
    /// People who change, before and after.
    pub updated: Vec<(StoredPerson, StoredPerson)>,
    /// How many people are listed as they already were.
    pub unchanged: u64,
    /// Usernames of people who are deactivated because they are not listed.
    pub deactivated: Vec<String>,
    /// Usernames of people who are listed, were deactivated before, and stay so.
    pub inactive: Vec<String>,
    /// WhatsApp users that several people are linked to, one of whom is listed: the first 100, each with the usernames of
    /// the first 10 people.
    pub shared: Vec<Vec<String>>,
}

impl Imported {
    /// Takes in a batch as it was and as it is now, both in the order of the usernames.
    fn compare(&mut self, before: Vec<StoredPerson>, after: Vec<StoredPerson>) {
        let mut before = before.into_iter().peekable();
        for now in after {
            if !now.active {
                self.inactive.push(now.username.clone());
            }
            match before.next_if(|then| then.username == now.username) {
                None => self.added.push(now),
                Some(then) if is_unchanged(&then, &now) => self.unchanged += 1,
                Some(then) => self.updated.push((then, now)),
            }
        }
    }
}

/// Whether a person is as before. Who else has the number is not a change of this person, nor is that the row was written.
fn is_unchanged(then: &StoredPerson, now: &StoredPerson) -> bool {
    let (shared_with, version) = (now.shared_with.clone(), now.version.clone());
    StoredPerson { shared_with, version, ..then.clone() } == *now
}

impl Store {
    /// Adds people, and brings those up to date whose usernames exist; all or nothing. After each batch, `written` is
    /// told how many are done.
    pub async fn import_people(
        &self,
        people: &[NewPerson],
        options: ImportOptions,
        written: &mut (dyn FnMut(usize) + Send),
    ) -> Result<Imported, StoreError> {
        let usernames: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let mut imported = Imported::default();
        let mut done = 0;
        for (batch, names) in people.chunks(BATCH).zip(usernames.chunks(BATCH)) {
            let before = people_named(&transaction, names).await?;
            import(&transaction, batch).await?;
            if options.exact_groups {
                leave_groups(&transaction, batch).await?;
            }
            join_groups(&transaction, batch).await?;
            imported.compare(before, people_named(&transaction, names).await?);
            done += batch.len();
            written(done);
        }
        if options.deactivate_missing {
            imported.deactivated = deactivate_others(&transaction, &usernames).await?;
        }
        imported.shared = shared(&transaction, &usernames).await?;
        match options.dry_run {
            true => transaction.rollback().await?,
            false => transaction.commit().await?,
        }
        Ok(imported)
    }
}

async fn import(transaction: &Transaction<'_>, people: &[NewPerson]) -> Result<(), StoreError> {
    let addresses: Vec<&str> = people.iter().filter_map(|person| person.address.as_deref()).collect();
    let contacts = named(transaction, &addresses).await?;
    let usernames: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    let links: Vec<Option<i64>> =
        people.iter().map(|person| contacts.get(person.address.as_ref()?).copied()).collect();
    let quiet = || people.iter().map(|person| person.quiet_hours.as_ref());
    let quiet_from: Vec<Option<Time>> = quiet().map(|quiet| quiet.map(QuietHours::from)).collect();
    let quiet_until: Vec<Option<Time>> = quiet().map(|quiet| quiet.map(QuietHours::until)).collect();
    let time_zones: Vec<Option<&str>> = quiet().map(|quiet| quiet.map(QuietHours::zone)).collect();
    let languages: Vec<Option<&str>> = people.iter().map(|person| person.language.as_deref()).collect();
    transaction
        .execute(
            "INSERT INTO person (username, name, contact_id, quiet_from, quiet_until, time_zone, language)
             SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::time[], $5::time[], $6::text[],
                                  $7::text[])
             ON CONFLICT (username) DO UPDATE
             SET name = excluded.name, contact_id = coalesce(excluded.contact_id, person.contact_id),
                 quiet_from = coalesce(excluded.quiet_from, person.quiet_from),
                 quiet_until = coalesce(excluded.quiet_until, person.quiet_until),
                 time_zone = coalesce(excluded.time_zone, person.time_zone),
                 language = coalesce(excluded.language, person.language)",
            &[&usernames, &names, &links, &quiet_from, &quiet_until, &time_zones, &languages],
        )
        .await?;
    for reason in ["window", "quiet"] {
        look_again(transaction, &usernames, reason).await?;
    }
    Ok(())
}

/// Removes people from groups that are not listed for them. A person and a group are one text, in which neither can have
/// the line feed between them: PostgreSQL looks such texts up in a hash table, and pairs one by one.
async fn leave_groups(transaction: &Transaction<'_>, people: &[NewPerson]) -> Result<(), StoreError> {
    let usernames: Vec<&str> = people.iter().map(|person| person.username.as_str()).collect();
    let listed: Vec<String> = people
        .iter()
        .flat_map(|person| person.groups.iter().map(|group| format!("{}\n{group}", person.username)))
        .collect();
    transaction
        .execute(
            "DELETE FROM membership m USING person p, groups g
             WHERE m.person_id = p.id AND g.id = m.group_id AND p.username = ANY($1)
                 AND p.username || E'\\n' || g.name <> ALL ($2)",
            &[&usernames, &listed],
        )
        .await?;
    Ok(())
}

/// Deactivates all but these, and returns who was active.
async fn deactivate_others(
    transaction: &Transaction<'_>,
    usernames: &[&str],
) -> Result<Vec<String>, StoreError> {
    let rows = transaction
        .query(
            "WITH deactivated AS (
                 UPDATE person p SET active = false
                 WHERE p.active
                     AND NOT EXISTS (SELECT FROM unnest($1::text[]) AS i (username) WHERE i.username = p.username)
                 RETURNING p.username
             )
             SELECT username FROM deactivated ORDER BY username",
            &[&usernames],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}

/// People on one WhatsApp user with one of these.
async fn shared(transaction: &Transaction<'_>, usernames: &[&str]) -> Result<Vec<Vec<String>>, StoreError> {
    let rows = transaction
        .query(
            "SELECT (array_agg(o.username ORDER BY o.username))[1:$3]
             FROM (SELECT DISTINCT contact_id FROM person WHERE username = ANY($1)) listed
             JOIN person o ON o.contact_id = listed.contact_id
             GROUP BY o.contact_id HAVING count(*) > 1 ORDER BY min(o.username) LIMIT $2",
            &[&usernames, &SHARED, &NAMED],
        )
        .await?;
    rows.iter().map(|row| Ok(row.try_get(0)?)).collect()
}
