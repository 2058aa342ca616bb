-- A template that was made by hand at Meta may name its parameters: in their order, with spaces between.
ALTER TABLE meta_template ADD COLUMN parameter_names text NOT NULL DEFAULT '';
