-- API keys. The key itself is shown once and never stored: 256 random bits need no slow hash.
create table api_key (
  id text not null primary key,
  key_sha256 bytea not null unique
    constraint api_key_hash_length check (octet_length(key_sha256) = 32),
  tenant text not null constraint api_key_tenant check (tenant <> ''),
  scopes text[] not null constraint api_key_scopes check (
    cardinality(scopes) > 0 and scopes <@ array['upload', 'read', 'admin']
  ),
  label text not null default '',
  bytes_per_day bigint constraint api_key_bytes_per_day check (bytes_per_day > 0),
  concurrent_uploads integer constraint api_key_concurrent_uploads check (concurrent_uploads > 0),
  expires_at timestamptz,
  revoked_at timestamptz,
  -- Written at most once a minute.
  last_used_at timestamptz,
  created_at timestamptz not null default now()
);

-- Bytes uploaded with a key on a UTC day; only for keys that have a limit.
create table api_key_usage (
  key_id text not null,
  day date not null,
  bytes bigint not null default 0 constraint api_key_usage_bytes check (bytes >= 0),
  primary key (key_id, day)
);
