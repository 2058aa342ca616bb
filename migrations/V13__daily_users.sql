-- Users who were written to outside their windows in the last 24 hours: Meta limits how many these may be.
CREATE TABLE daily_user (
    recipient text PRIMARY KEY,
    at        timestamptz NOT NULL
);
CREATE INDEX daily_user_at ON daily_user (at);
