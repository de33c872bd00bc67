-- The only way in. Each function runs with the owner's rights; the application may call it, and may write no table of the
-- ledger. The same reference with the same content again is the same transaction: it moves nothing and returns its id.
CREATE FUNCTION ledger.checked(amount numeric) RETURNS numeric
LANGUAGE plpgsql IMMUTABLE SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    -- NaN is greater than every number, and infinity is refused by the column.
    IF amount IS NULL OR amount = 'NaN' OR amount <= 0 OR amount > 1e15 OR scale(trim_scale(amount)) > 4 THEN
        RAISE EXCEPTION 'amount % is not above 0 with at most 4 decimals', coalesce(amount::text, 'null')
            USING ERRCODE = 'check_violation', CONSTRAINT = 'amount_valid';
    END IF;
    RETURN amount;
END
$$;

CREATE FUNCTION ledger.wallet(whose bigint, of_asset text DEFAULT 'EUR') RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    found_id bigint;
BEGIN
    SELECT id INTO found_id FROM ledger.accounts
    WHERE user_id = whose AND system_name IS NULL AND asset = of_asset;
    IF found_id IS NULL THEN
        RAISE EXCEPTION 'user % has no account in %', coalesce(whose::text, 'null'), of_asset
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN found_id;
END
$$;

CREATE FUNCTION ledger.system_account(which text, of_asset text) RETURNS bigint
LANGUAGE sql STABLE SET search_path TO pg_catalog, pg_temp AS $$
    SELECT id FROM ledger.accounts WHERE user_id IS NULL AND system_name = which AND asset = of_asset
$$;

CREATE FUNCTION ledger.post(its_reference uuid, its_kind text, account_ids bigint[], amounts numeric[]) RETURNS bigint
LANGUAGE plpgsql SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    new_id bigint;
    old record;
BEGIN
    INSERT INTO ledger.transactions (reference, kind) VALUES (its_reference, its_kind)
    ON CONFLICT (reference) DO NOTHING RETURNING id INTO new_id;
    IF new_id IS NULL THEN
        SELECT t.id, t.kind, array_agg((e.account_id, e.amount) ORDER BY e.account_id) AS content INTO STRICT old
        FROM ledger.transactions AS t JOIN ledger.entries AS e ON e.transaction_id = t.id
        WHERE t.reference = its_reference GROUP BY t.id;
        IF old.kind <> its_kind OR old.content IS DISTINCT FROM (
            SELECT array_agg((u.account_id, u.amount::numeric(20, 4)) ORDER BY u.account_id)
            FROM unnest(account_ids, amounts) AS u (account_id, amount)
        ) THEN
            RAISE EXCEPTION 'reference % belongs to another transaction (%)', its_reference, old.id
                USING ERRCODE = 'unique_violation', CONSTRAINT = 'transactions_reference_key';
        END IF;
        RETURN old.id;
    END IF;
    -- Always in one order, so that opposite movements wait for each other instead of dying.
    PERFORM FROM ledger.accounts WHERE id = ANY (account_ids) AND user_id IS NOT NULL ORDER BY id FOR NO KEY UPDATE;
    INSERT INTO ledger.entries (transaction_id, account_id, amount)
    SELECT new_id, u.account_id, u.amount FROM unnest(account_ids, amounts) AS u (account_id, amount);
    RETURN new_id;
END
$$;

CREATE FUNCTION ledger.deposit(reference uuid, to_user bigint, amount numeric) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
    SELECT ledger.post(reference, 'deposit', ARRAY[ledger.system_account('outside', 'EUR'), ledger.wallet(to_user)],
                       ARRAY[-ledger.checked(amount), amount])
$$;

CREATE FUNCTION ledger.withdraw(reference uuid, from_user bigint, amount numeric) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
    SELECT ledger.post(reference, 'withdrawal', ARRAY[ledger.wallet(from_user), ledger.system_account('outside', 'EUR')],
                       ARRAY[-ledger.checked(amount), amount])
$$;

CREATE FUNCTION ledger.transfer(reference uuid, from_user bigint, to_user bigint, amount numeric) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
BEGIN
    IF from_user = to_user THEN
        RAISE EXCEPTION 'user % cannot pay himself', from_user USING ERRCODE = 'check_violation';
    END IF;
    RETURN ledger.post(reference, 'transfer', ARRAY[ledger.wallet(from_user), ledger.wallet(to_user)],
                       ARRAY[-ledger.checked(amount), amount]);
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA ledger FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.deposit, ledger.withdraw, ledger.transfer TO trading_app;
