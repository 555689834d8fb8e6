-- The catalog: one row per content, one row per reference to it, one row per change of state.

-- Content. Partitioned by hash, so that the uniqueness of content_hash holds over all partitions
-- and each index stays small. bytea compares bytewise: the order of the primary key is the order
-- of the hexadecimal hash, which is the order of the object keys in the bucket.
create table asset_portfolio (
  content_hash bytea not null primary key
    constraint asset_portfolio_hash_length check (octet_length(content_hash) = 32),
  size_bytes bigint not null constraint asset_portfolio_size check (size_bytes >= 0),
  state text not null constraint asset_portfolio_state check (
    state in ('UPLOADING', 'VERIFIED', 'READY', 'ARCHIVED', 'MISSING', 'FAILED', 'DELETED')
  ),
  media_type text,
  -- As a viewer sees it: after orientation.
  width integer constraint asset_portfolio_width check (width > 0),
  height integer constraint asset_portfolio_height check (height > 0),
  orientation smallint constraint asset_portfolio_orientation check (orientation between 1 and 8),
  frames integer constraint asset_portfolio_frames check (frames > 0),
  bit_depth smallint,
  color_model text,
  has_alpha boolean,
  icc_name text,
  thumb_hash bytea constraint asset_portfolio_thumb_hash check (octet_length(thumb_hash) <= 64),
  dominant_color text constraint asset_portfolio_dominant_color check (
    dominant_color ~ '^#[0-9a-f]{6}$'
  ),
  -- Relative to width and height; null is the centre.
  focal_x real constraint asset_portfolio_focal_x check (focal_x between 0 and 1),
  focal_y real constraint asset_portfolio_focal_y check (focal_y between 0 and 1),
  visibility text not null default 'public' constraint asset_portfolio_visibility check (
    visibility in ('public', 'private')
  ),
  storage_class text,
  -- Who owns the row while it is UPLOADING or VERIFIED, or while the bytes of a DELETED row are
  -- being removed, and until when (by the clock of the database).
  attempt_id uuid,
  lease_expires_at timestamptz,
  -- Set once the bytes of a DELETED row are gone.
  purged_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  state_changed_at timestamptz not null default now(),
  last_accessed_on date,
  archived_at timestamptz,
  restore_requested_at timestamptz,
  -- Why the object must never be served although the row exists, for example size_mismatch.
  flagged text
) partition by hash (content_hash);

do $$
begin
  for remainder in 0..15 loop
    -- Room on each page lets updates of unindexed columns stay on it (heap-only tuples).
    execute format(
      'create table asset_portfolio_%s partition of asset_portfolio
         for values with (modulus 16, remainder %s) with (fillfactor = 90)',
      to_char(remainder, 'FM00'), remainder
    );
  end loop;
end
$$;

-- What the sweep looks for. Partial, so that it holds the uploads under way and nothing else.
create index asset_portfolio_unfinished on asset_portfolio (lease_expires_at)
  where state in ('UPLOADING', 'VERIFIED');

-- Who has uploaded a content, under which name. No foreign key to asset_portfolio: both rows are
-- written by one transaction that holds the advisory lock of the hash, and the check would cost a
-- row lock on the content for every reference.
create table asset_reference (
  id uuid not null primary key,
  tenant text not null constraint asset_reference_tenant check (tenant <> ''),
  content_hash bytea not null
    constraint asset_reference_hash_length check (octet_length(content_hash) = 32),
  file_name text,
  created_by text,
  created_at timestamptz not null default now(),
  -- The hash comes first: the same index answers "has this content any reference left?".
  constraint asset_reference_unique unique (content_hash, tenant)
);

create index asset_reference_newest on asset_reference (tenant, created_at desc, id desc);

-- Every change of state, appended by the transaction that makes it. Months are made ahead of time
-- by a job; the default partition takes what no month covers, so that an append never fails.
create table asset_event (
  content_hash bytea not null,
  from_state text,
  to_state text not null,
  reason text not null,
  actor text not null,
  at timestamptz not null default now()
) partition by range (at);

create table asset_event_default partition of asset_event default;

create index asset_event_by_hash on asset_event (content_hash, at);
