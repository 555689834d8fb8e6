-- A purge by tag alone (such as all variants of one renderer version) concerns no single asset.
alter table purge_outbox alter column content_hash drop not null;
