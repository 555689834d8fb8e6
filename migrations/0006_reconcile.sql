-- Reconciliation of the catalog with the bucket: runs, what they found, and what they put aside.

create table reconcile_run (
  id uuid not null primary key,
  status text not null constraint reconcile_run_status check (
    status in ('running', 'finished', 'failed', 'interrupted')
  ),
  dry_run boolean not null,
  repair boolean not null,
  first_shard smallint not null constraint reconcile_run_first_shard check (
    first_shard between 0 and 255
  ),
  last_shard smallint not null constraint reconcile_run_last_shard check (
    last_shard between first_shard and 255
  ),
  -- Where a run that was killed goes on; last_shard + 1 when all are done.
  next_shard smallint not null,
  counts jsonb not null default '{}',
  requested_by text not null,
  error text,
  started_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  finished_at timestamptz
);

create index reconcile_run_newest on reconcile_run (started_at desc);

-- Open findings are those without resolved_at: one per kind and key, however often it was seen.
create table reconcile_finding (
  id bigint generated always as identity primary key,
  kind text not null,
  object_key text collate "C" not null,
  first_seen_run uuid not null,
  first_seen_at timestamptz not null default now(),
  last_seen_run uuid not null,
  last_seen_at timestamptz not null default now(),
  -- What was done about it by the run that saw it last; null is nothing.
  action text,
  details jsonb not null default '{}',
  resolved_at timestamptz
);

create unique index reconcile_finding_open on reconcile_finding (object_key, kind)
  where resolved_at is null;
create index reconcile_finding_by_run on reconcile_finding (last_seen_run);

-- Objects that nobody owns, kept under quarantine/ until delete_after.
create table quarantine_manifest (
  quarantine_key text collate "C" not null primary key,
  object_key text collate "C" not null,
  size_bytes bigint not null constraint quarantine_manifest_size check (size_bytes >= 0),
  etag text not null,
  last_modified_at timestamptz not null,
  run_id uuid not null,
  quarantined_at timestamptz not null default now(),
  delete_after timestamptz not null,
  deleted_at timestamptz
);

create index quarantine_manifest_due on quarantine_manifest (delete_after) where deleted_at is null;
