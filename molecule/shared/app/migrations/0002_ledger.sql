-- Double entry: each transaction moves amounts between accounts, and its entries sum to zero for each asset. Shares of a
-- company are an asset like money. A system account is where an asset enters and leaves; it may be negative, and its
-- balance is not kept in a row, so that deposits do not queue for one row.
CREATE TABLE ledger.assets (
    code text PRIMARY KEY CHECK (code ~ '^[A-Z]{3}$|^company:[0-9]+$')
);

INSERT INTO ledger.assets VALUES ('EUR');

CREATE TABLE ledger.accounts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint REFERENCES trading.users,
    system_name text CHECK (system_name IN ('outside', 'issuer')),
    asset text NOT NULL REFERENCES ledger.assets,
    balance numeric(20, 4) NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT accounts_one_holder CHECK ((user_id IS NULL) <> (system_name IS NULL)),
    CONSTRAINT accounts_not_overdrawn CHECK (balance >= 0 AND balance <> 'NaN'),
    CONSTRAINT accounts_one_of_a_kind UNIQUE NULLS NOT DISTINCT (user_id, system_name, asset)
);

CREATE INDEX accounts_asset ON ledger.accounts (asset);

INSERT INTO ledger.accounts (system_name, asset) VALUES ('outside', 'EUR');

CREATE TABLE ledger.transactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Chosen by the caller, who may try again with the same one.
    reference uuid NOT NULL UNIQUE,
    kind text NOT NULL CHECK (kind IN ('deposit', 'withdrawal', 'transfer', 'issue', 'trade', 'dividend')),
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE ledger.entries (
    transaction_id bigint NOT NULL REFERENCES ledger.transactions,
    account_id bigint NOT NULL REFERENCES ledger.accounts,
    amount numeric(20, 4) NOT NULL CHECK (amount <> 0 AND amount <> 'NaN'),
    PRIMARY KEY (transaction_id, account_id)
);

CREATE INDEX entries_account ON ledger.entries (account_id);

-- What is written stays. A mistake is corrected by a transaction the other way.
CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% of %.% is refused: the ledger is only ever added to', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege', HINT = 'Correct a mistake by a transaction the other way.';
END
$$;

CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.transactions
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.entries
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER refuse_change BEFORE DELETE OR TRUNCATE ON ledger.accounts
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger.assets
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change();

-- A balance follows the entries and nothing else; whose account it is never changes.
CREATE FUNCTION ledger.guard_account() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.balance <> 0 THEN
            RAISE EXCEPTION 'a new account is empty' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF pg_trigger_depth() < 2
        OR (NEW.id, NEW.asset, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.asset, OLD.created_at)
        OR (NEW.user_id, NEW.system_name) IS DISTINCT FROM (OLD.user_id, OLD.system_name) THEN
        RAISE EXCEPTION 'account % changes by entries only', OLD.id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER guard BEFORE INSERT OR UPDATE ON ledger.accounts
    FOR EACH ROW EXECUTE FUNCTION ledger.guard_account();

CREATE FUNCTION ledger.book() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    UPDATE ledger.accounts SET balance = balance + NEW.amount WHERE id = NEW.account_id AND user_id IS NOT NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER book AFTER INSERT ON ledger.entries FOR EACH ROW EXECUTE FUNCTION ledger.book();

-- At commit. It runs as whoever commits, hence SECURITY DEFINER.
CREATE FUNCTION ledger.balanced() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    which bigint := CASE TG_TABLE_NAME WHEN 'entries' THEN (to_jsonb(NEW) ->> 'transaction_id') ELSE (to_jsonb(NEW) ->> 'id') END;
    rest numeric;
BEGIN
    SELECT max(abs(one.total)) INTO rest FROM (
        SELECT sum(e.amount) AS total
        FROM ledger.entries AS e JOIN ledger.accounts AS a ON a.id = e.account_id
        WHERE e.transaction_id = which GROUP BY a.asset
    ) AS one;
    IF rest IS DISTINCT FROM 0 THEN
        RAISE EXCEPTION 'transaction % does not sum to zero (%)', which, coalesce(rest::text, 'no entries')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'transactions_balanced', SCHEMA = 'ledger', TABLE = 'entries';
    END IF;
    RETURN NULL;
END
$$;

CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger.entries
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.balanced();
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT ON ledger.transactions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger.balanced();

-- Each user has a wallet from the first moment.
CREATE FUNCTION ledger.open_wallet() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO ledger.accounts (user_id, asset) VALUES (NEW.id, 'EUR');
    RETURN NULL;
END
$$;

CREATE TRIGGER open_wallet AFTER INSERT ON trading.users FOR EACH ROW EXECUTE FUNCTION ledger.open_wallet();

-- The views have the rights of who looks, so that nobody writes through them.
CREATE VIEW trading.wallets WITH (security_invoker = true) AS
    SELECT user_id, balance FROM ledger.accounts WHERE user_id IS NOT NULL AND asset = 'EUR';

CREATE VIEW trading.transactions WITH (security_invoker = true) AS
    SELECT t.id, t.reference, a.user_id, t.kind AS type, a.asset, e.amount, 'completed' AS status, t.created_at
    FROM ledger.transactions AS t
    JOIN ledger.entries AS e ON e.transaction_id = t.id
    JOIN ledger.accounts AS a ON a.id = e.account_id
    WHERE a.user_id IS NOT NULL;

-- Empty, as long as the invariants hold. It reads everything.
CREATE VIEW ledger.problems WITH (security_invoker = true) AS
    SELECT 'unbalanced transaction' AS problem, e.transaction_id AS id, sum(e.amount) AS amount
    FROM ledger.entries AS e JOIN ledger.accounts AS a ON a.id = e.account_id
    GROUP BY e.transaction_id, a.asset HAVING sum(e.amount) <> 0
    UNION ALL
    SELECT 'transaction without entries', t.id, 0 FROM ledger.transactions AS t
    WHERE NOT EXISTS (SELECT FROM ledger.entries AS e WHERE e.transaction_id = t.id)
    UNION ALL
    SELECT 'balance is not the sum of the entries', a.id, a.balance - coalesce(sum(e.amount), 0)
    FROM ledger.accounts AS a LEFT JOIN ledger.entries AS e ON e.account_id = a.id
    WHERE a.user_id IS NOT NULL GROUP BY a.id, a.balance HAVING a.balance <> coalesce(sum(e.amount), 0)
    UNION ALL
    SELECT 'overdrawn account', id, balance FROM ledger.accounts WHERE balance < 0;

GRANT SELECT ON ALL TABLES IN SCHEMA ledger TO trading_app, trading_readonly;
GRANT SELECT ON trading.wallets, trading.transactions TO trading_app, trading_readonly;
