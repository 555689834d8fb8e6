-- One holder per job over all instances. The token grows with every change of holder, so that a
-- write of a holder that has lost its lease can be told and refused.
create table job_lease (
  name text not null primary key,
  holder text not null,
  token bigint not null default 1,
  expires_at timestamptz not null
);

-- What is still to be removed from which layer (object, memory, kv, cdn) after a change was
-- committed: written in the transaction of the change, worked off afterwards, retried until done.
create table purge_outbox (
  id bigint generated always as identity primary key,
  content_hash bytea not null
    constraint purge_outbox_hash_length check (octet_length(content_hash) = 32),
  tag text not null,
  reason text not null,
  layers jsonb not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  created_at timestamptz not null default now(),
  done_at timestamptz
);

create index purge_outbox_due on purge_outbox (next_attempt_at) where done_at is null;
