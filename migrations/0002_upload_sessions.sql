-- Uploads that span requests or stage their bytes before the hash is known.
create table upload_session (
  id uuid not null primary key,
  kind text not null constraint upload_session_kind check (kind in ('stream', 'tus', 'direct')),
  tenant text not null constraint upload_session_tenant check (tenant <> ''),
  key_id text not null,
  staging_key text not null,
  multipart_id text,
  declared_hash bytea
    constraint upload_session_hash_length check (octet_length(declared_hash) = 32),
  declared_size bigint constraint upload_session_size check (declared_size >= 0),
  received_bytes bigint not null default 0
    constraint upload_session_received check (received_bytes >= 0),
  file_name text,
  claimed_type text,
  metadata jsonb not null default '{}',
  state text not null default 'open' constraint upload_session_state check (
    state in ('open', 'completing', 'done', 'aborted')
  ),
  lease_expires_at timestamptz,
  expires_at timestamptz not null,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

-- What the sweep looks for: sessions that still own a multipart upload or a staging object.
create index upload_session_live on upload_session (expires_at)
  where state in ('open', 'completing');
