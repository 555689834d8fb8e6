-- What was asked for, how it was answered and what it cost: the ledger of variants, daily totals.

-- Totals per asset and variant; the variant is its spelling in the URL.
create table variant_stat (
  content_hash bytea not null
    constraint variant_stat_hash_length check (octet_length(content_hash) = 32),
  variant text collate "C" not null,
  requests bigint not null default 0,
  renders bigint not null default 0,
  -- Size of the variant when it was last sent; 0 when it never was.
  variant_bytes bigint not null default 0,
  egress_bytes bigint not null default 0,
  compute_ms double precision not null default 0,
  first_requested_on date not null,
  last_requested_on date not null,
  primary key (content_hash, variant)
) with (fillfactor = 90);

-- Totals per UTC day over all assets.
create table usage_day (
  day date not null primary key,
  variant_requests bigint not null default 0,
  memory_hits bigint not null default 0,
  kv_hits bigint not null default 0,
  misses bigint not null default 0,
  not_modified bigint not null default 0,
  original_requests bigint not null default 0,
  renders bigint not null default 0,
  egress_bytes bigint not null default 0,
  compute_ms double precision not null default 0
) with (fillfactor = 50);

-- Batches that were added, so that one whose answer was lost is not added twice.
create table usage_flush (
  id uuid not null primary key,
  at timestamptz not null default now()
);

-- What the archive's jobs look for: assets that are on their way back.
create index asset_portfolio_restoring on asset_portfolio (restore_requested_at)
  where restore_requested_at is not null;

-- Digests that were sent: never twice for a day.
create table cost_digest (
  day date not null primary key,
  claimed_at timestamptz not null default now(),
  attempts integer not null default 0,
  sent_at timestamptz,
  -- What it said, to tell the next one what changed.
  summary jsonb not null default '{}'
);
