-- Whether the texts that a deleted user wrote are blanked, too.
ALTER TABLE erased_users ADD COLUMN texts BOOLEAN NOT NULL DEFAULT FALSE;
