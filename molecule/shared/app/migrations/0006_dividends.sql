-- A dividend is declared, then paid once, by the company's owner, to all who hold shares at that moment.
CREATE TABLE trading.dividends (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    company_id bigint NOT NULL REFERENCES trading.companies,
    amount numeric(20, 4) NOT NULL CHECK (amount > 0 AND amount <> 'NaN'),
    status text NOT NULL DEFAULT 'declared' CHECK (status IN ('declared', 'paid', 'cancelled')),
    transaction_id bigint UNIQUE REFERENCES ledger.transactions,
    declared_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT dividends_paid_by_the_ledger CHECK ((status = 'paid') = (transaction_id IS NOT NULL))
);

COMMENT ON COLUMN trading.dividends.amount IS 'for each share';
CREATE INDEX dividends_company ON trading.dividends (company_id);

CREATE FUNCTION trading.guard_dividend() RETURNS trigger LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP <> 'INSERT' AND (TG_OP = 'DELETE' OR OLD.status <> 'declared'
        OR (NEW.id, NEW.company_id, NEW.amount) IS DISTINCT FROM (OLD.id, OLD.company_id, OLD.amount)) THEN
        RAISE EXCEPTION 'dividend % is % and does not change; cancel a declared one and declare another', OLD.id, OLD.status
            USING ERRCODE = 'restrict_violation';
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.status = 'paid' AND NOT pg_has_role(current_user, 'trading_owner', 'USAGE') THEN
        RAISE EXCEPTION 'a dividend is paid by ledger.pay_dividend only' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN coalesce(NEW, OLD);
END
$$;

CREATE TRIGGER guard BEFORE INSERT OR UPDATE OR DELETE ON trading.dividends
    FOR EACH ROW EXECUTE FUNCTION trading.guard_dividend();

-- Cuts off behind the fourth decimal: what cannot be divided stays with the owner.
CREATE FUNCTION ledger.pay_dividend(reference uuid, dividend bigint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    due record;
    payees bigint[];
    shares numeric[];
    posted bigint;
BEGIN
    SELECT d.*, c.owner_id, x.reference AS paid_by INTO due
    FROM trading.dividends AS d JOIN trading.companies AS c ON c.id = d.company_id
    LEFT JOIN ledger.transactions AS x ON x.id = d.transaction_id
    WHERE d.id = dividend FOR NO KEY UPDATE OF d;
    IF due.status = 'paid' AND due.paid_by = pay_dividend.reference THEN
        RETURN due.transaction_id;
    END IF;
    IF due.status IS DISTINCT FROM 'declared' THEN
        RAISE EXCEPTION 'dividend % is %', dividend, coalesce(due.status, 'unknown') USING ERRCODE = 'check_violation';
    END IF;
    SELECT array_agg(w.id), array_agg(trunc(h.balance * due.amount, 4)) INTO payees, shares
    FROM ledger.accounts AS h JOIN ledger.accounts AS w ON w.user_id = h.user_id AND w.asset = 'EUR'
    WHERE h.asset = 'company:' || due.company_id AND h.user_id <> due.owner_id AND trunc(h.balance * due.amount, 4) > 0;
    IF payees IS NULL THEN
        RAISE EXCEPTION 'nobody but the owner holds shares of company %', due.company_id USING ERRCODE = 'check_violation';
    END IF;
    posted := ledger.post(
        pay_dividend.reference, 'dividend', payees || ledger.wallet(due.owner_id),
        shares || (SELECT -sum(part) FROM unnest(shares) AS part)
    );
    UPDATE trading.dividends SET status = 'paid', transaction_id = posted WHERE id = dividend;
    RETURN posted;
END
$$;

REVOKE EXECUTE ON FUNCTION ledger.pay_dividend, trading.guard_dividend FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.pay_dividend TO trading_app;
GRANT SELECT, INSERT, UPDATE ON trading.dividends TO trading_app;
GRANT SELECT ON trading.dividends TO trading_readonly;
