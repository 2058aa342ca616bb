-- Who came back after an opt-out is kept too, so that a webhook that Meta repeats does not opt them out again.
ALTER TABLE opt_out ADD COLUMN came_back boolean NOT NULL DEFAULT false;
