-- A release that decides for a share of the lanes, beside the active one.

-- The release of the row goes on deciding for the other lanes; a host of an earlier version decides by it for all of them.
ALTER TABLE activation
    ADD COLUMN share_release text COLLATE "C" REFERENCES release,
    -- The first so many.
    ADD COLUMN share_lanes  smallint,
    -- Whether its cases failed, and it was activated all the same.
    ADD COLUMN share_forced boolean,
    ADD CONSTRAINT activation_share CHECK (
        num_nulls(share_release, share_lanes, share_forced) IN (0, 3)
        AND share_lanes BETWEEN 1 AND 63 AND share_release <> release);
CREATE INDEX activation_share_release ON activation (share_release, seq) WHERE share_release IS NOT NULL;

-- The release that decides for a share of the lanes on this host, and of how many of all lanes.
ALTER TABLE host ADD COLUMN share_release text, ADD COLUMN share_lanes smallint;
