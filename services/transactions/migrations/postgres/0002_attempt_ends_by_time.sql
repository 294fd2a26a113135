-- Old ends of attempts go.
CREATE INDEX attempt_ends_by_time ON attempt_ends (at);
