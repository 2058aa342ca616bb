-- Urgent messages are found among the many that wait to be sent before them.
CREATE INDEX notification_urgent ON notification (lane, seq) WHERE priority = 0;
