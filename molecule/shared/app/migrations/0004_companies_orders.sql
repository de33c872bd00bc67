-- Companies, whose shares are an asset of the ledger, and the orders for them.
CREATE TABLE trading.companies (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner_id bigint NOT NULL REFERENCES trading.users,
    name text NOT NULL UNIQUE CHECK (name <> ''),
    total_shares bigint NOT NULL CHECK (total_shares BETWEEN 1 AND 1000000000000),
    share_price numeric(20, 4) NOT NULL CHECK (share_price > 0 AND share_price <> 'NaN'),
    valuation numeric(30, 4) GENERATED ALWAYS AS (total_shares * share_price) STORED,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX companies_owner ON trading.companies (owner_id);

-- All shares there will ever be come into being with the company, and belong to who founds it.
CREATE FUNCTION ledger.issue_shares() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    code text := 'company:' || NEW.id;
    issuer bigint;
    holder bigint;
BEGIN
    INSERT INTO ledger.assets VALUES (code);
    INSERT INTO ledger.accounts (system_name, asset) VALUES ('issuer', code) RETURNING id INTO issuer;
    INSERT INTO ledger.accounts (user_id, asset) VALUES (NEW.owner_id, code) RETURNING id INTO holder;
    PERFORM ledger.post(gen_random_uuid(), 'issue', ARRAY[issuer, holder], ARRAY[-NEW.total_shares, NEW.total_shares]);
    RETURN NULL;
END
$$;

CREATE TRIGGER issue_shares AFTER INSERT ON trading.companies FOR EACH ROW EXECUTE FUNCTION ledger.issue_shares();

CREATE FUNCTION trading.guard_company() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' OR (NEW.id, NEW.total_shares) IS DISTINCT FROM (OLD.id, OLD.total_shares) THEN
        RAISE EXCEPTION 'company % has issued its shares; neither their number nor the company goes away', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON trading.companies
    FOR EACH ROW EXECUTE FUNCTION trading.guard_company();

CREATE TABLE trading.orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id bigint NOT NULL REFERENCES trading.users,
    company_id bigint NOT NULL REFERENCES trading.companies,
    type text NOT NULL CHECK (type IN ('buy', 'sell')),
    quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000000),
    filled bigint NOT NULL DEFAULT 0 CHECK (filled BETWEEN 0 AND quantity),
    price numeric(20, 4) NOT NULL CHECK (price > 0 AND price <> 'NaN'),
    status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'partial', 'filled', 'cancelled')),
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_status_agrees CHECK (
        (status <> 'open' OR filled = 0)
        AND (status <> 'partial' OR (filled > 0 AND filled < quantity))
        AND ((status = 'filled') = (filled = quantity))
    )
);

CREATE INDEX orders_user ON trading.orders (user_id);
CREATE INDEX orders_book ON trading.orders (company_id, type, price) WHERE status IN ('open', 'partial');
CREATE INDEX orders_company ON trading.orders (company_id);

-- The application makes an order and cancels it. Only a trade fills it.
CREATE FUNCTION trading.guard_order() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'open' THEN
            RAISE EXCEPTION 'a new order is open' USING ERRCODE = 'check_violation';
        END IF;
    ELSIF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'order % is not deleted; cancel it', OLD.id USING ERRCODE = 'restrict_violation';
    ELSIF OLD.status IN ('filled', 'cancelled') THEN
        RAISE EXCEPTION 'order % is %; it does not change any more', OLD.id, OLD.status USING ERRCODE = 'restrict_violation';
    ELSIF (NEW.id, NEW.user_id, NEW.company_id, NEW.type, NEW.quantity, NEW.price, NEW.created_at)
        IS DISTINCT FROM (OLD.id, OLD.user_id, OLD.company_id, OLD.type, OLD.quantity, OLD.price, OLD.created_at) THEN
        RAISE EXCEPTION 'order % is not rewritten; cancel it and make another', OLD.id USING ERRCODE = 'restrict_violation';
    ELSIF NEW.filled <> OLD.filled AND NOT pg_has_role(current_user, 'trading_owner', 'USAGE') THEN
        RAISE EXCEPTION 'order % is filled by ledger.trade only', OLD.id USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON trading.orders
    FOR EACH ROW EXECUTE FUNCTION trading.guard_order();

CREATE VIEW trading.holdings WITH (security_invoker = true) AS
    SELECT user_id, split_part(asset, ':', 2)::bigint AS company_id, balance AS quantity
    FROM ledger.accounts WHERE user_id IS NOT NULL AND asset LIKE 'company:%';

GRANT SELECT, INSERT, UPDATE ON trading.companies, trading.orders TO trading_app;
GRANT SELECT ON trading.companies, trading.orders TO trading_readonly;
GRANT SELECT ON trading.holdings TO trading_app, trading_readonly;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA trading FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ledger.issue_shares FROM PUBLIC;
