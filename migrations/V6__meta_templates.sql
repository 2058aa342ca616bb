-- Our templates at Meta: which words a version has, where it stands, and which
-- version is in use. Rows are appended and never updated: the highest ordinal
-- counts, and the key keeps two hosts from writing the same change twice.

CREATE TABLE meta_template (
    -- Meta's name, with the version at its end, such as order_created_v2.
    name     text NOT NULL,
    language text NOT NULL,
    -- A hash over body, footer and buttons.
    wording  text NOT NULL,
    -- The template's name in the catalog.
    template text NOT NULL,
    -- The template's file as it was then: what its parameters are made from.
    source   text NOT NULL,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, language, wording)
);

CREATE TABLE meta_template_status (
    name     text NOT NULL,
    language text NOT NULL,
    ordinal  integer NOT NULL,
    -- Meta's words: APPROVED, PENDING, REJECTED, PAUSED, DISABLED, …
    status   text NOT NULL,
    category text,
    reason   text,
    seen_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (name, language, ordinal)
);

CREATE TABLE meta_template_switch (
    -- The template's name in the catalog.
    template    text NOT NULL,
    language    text NOT NULL,
    ordinal     integer NOT NULL,
    -- Null where no version may be sent any more.
    name        text,
    switched_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (template, language, ordinal)
);
