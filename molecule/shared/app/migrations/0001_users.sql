-- The people. Money is not a column here: it lies in the ledger (0002), and trading.wallets shows it.
CREATE SCHEMA IF NOT EXISTS trading;
CREATE SCHEMA IF NOT EXISTS ledger;

GRANT USAGE ON SCHEMA trading, ledger TO trading_app, trading_readonly;

CREATE TABLE trading.users (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL CHECK (email ~ '^[^@\s]+@[^@\s]+$'),
    password_hash text NOT NULL CHECK (length(password_hash) >= 20),
    full_name text NOT NULL CHECK (full_name <> ''),
    kyc_status text NOT NULL DEFAULT 'pending' CHECK (kyc_status IN ('pending', 'verified', 'rejected')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE UNIQUE INDEX users_email ON trading.users (lower(email));

GRANT SELECT, INSERT, UPDATE, DELETE ON trading.users TO trading_app;
-- A reader of reports has no use for the hashes.
GRANT SELECT (id, email, full_name, kyc_status, created_at) ON trading.users TO trading_readonly;
