-- Refusals that count against a message: one of a stopped number does not.
ALTER TABLE deferred ADD COLUMN failures smallint NOT NULL DEFAULT 0;

-- An attempt may wait for several things, one after the other: each is told. All else happens once.
ALTER TABLE delivery ADD COLUMN variant integer NOT NULL
    GENERATED ALWAYS AS (CASE status WHEN 'deferred' THEN hashtext(coalesce(detail, '')) ELSE 0 END) STORED;
ALTER TABLE delivery DROP CONSTRAINT delivery_pkey;
ALTER TABLE delivery ADD PRIMARY KEY (notification_id, attempt, status, variant);
