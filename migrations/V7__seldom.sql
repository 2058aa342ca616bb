-- The statuses that few notifications have: found among a million without looking at each.
CREATE INDEX delivery_seldom ON delivery (status, at)
    WHERE status IN ('deferred', 'unknown', 'retrying', 'held', 'skipped', 'expired', 'played');
