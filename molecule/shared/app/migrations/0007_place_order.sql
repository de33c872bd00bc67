-- An order is placed, matched and paid in one call, at the price of the order that was there first. Expands only: a release
-- that knows nothing of request_key goes on as before.
ALTER TABLE trading.orders ADD COLUMN request_key text CHECK (length(request_key) BETWEEN 1 AND 200);
CREATE UNIQUE INDEX orders_request_key ON trading.orders (user_id, request_key);

CREATE FUNCTION trading.order_with_trades(which bigint) RETURNS jsonb
LANGUAGE sql STABLE SET search_path TO pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'id', o.id, 'company_id', o.company_id, 'type', o.type, 'quantity', o.quantity, 'filled', o.filled,
        'price', o.price::text, 'status', o.status, 'trades', coalesce((
            SELECT jsonb_agg(jsonb_build_object('id', t.id, 'quantity', t.quantity, 'price', t.price::text) ORDER BY t.id)
            FROM ledger.trades AS t WHERE t.buy_order_id = o.id OR t.sell_order_id = o.id
        ), '[]')
    ) FROM trading.orders AS o WHERE o.id = which
$$;

-- The same key with the same content again is the same order. A resting order whose owner can no longer pay or deliver is
-- cancelled when its turn comes; nothing is set aside while it rests.
CREATE FUNCTION trading.place_order(
    whose bigint, of_company bigint, its_type text, its_quantity bigint, its_price numeric, its_key text
) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    mine trading.orders;
    rest trading.orders;
    share text := 'company:' || of_company;
    other text := CASE its_type WHEN 'buy' THEN 'sell' ELSE 'buy' END;
    left_over bigint := its_quantity;
    part bigint;
    held numeric;
BEGIN
    -- One order of a company at a time: its book stands still while this one is matched.
    PERFORM FROM trading.companies WHERE id = of_company FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no company %', of_company USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO trading.orders (user_id, company_id, type, quantity, price, request_key)
    VALUES (whose, of_company, its_type, its_quantity, its_price, its_key)
    ON CONFLICT (user_id, request_key) DO NOTHING RETURNING * INTO mine;
    IF mine.id IS NULL THEN
        SELECT * INTO STRICT mine FROM trading.orders WHERE user_id = whose AND request_key = its_key;
        IF (mine.company_id, mine.type, mine.quantity, mine.price) IS DISTINCT FROM (of_company, its_type, its_quantity, its_price)
        THEN
            RAISE EXCEPTION 'the key belongs to another order (%)', mine.id USING ERRCODE = 'unique_violation';
        END IF;
        RETURN trading.order_with_trades(mine.id) || '{"replayed": true}';
    END IF;
    -- All accounts that will move, in one order: two companies' orders wait for each other instead of dying.
    PERFORM FROM ledger.accounts
    WHERE asset IN ('EUR', share) AND user_id IN (
        SELECT whose UNION
        SELECT b.user_id FROM (
            SELECT o.user_id, sum(o.quantity - o.filled) OVER (
                ORDER BY CASE its_type WHEN 'buy' THEN o.price ELSE -o.price END, o.id
            ) - (o.quantity - o.filled) AS before
            FROM trading.orders AS o
            WHERE o.company_id = of_company AND o.type = other AND o.status IN ('open', 'partial') AND o.user_id <> whose
                AND CASE its_type WHEN 'buy' THEN o.price <= its_price ELSE o.price >= its_price END
        ) AS b WHERE b.before < its_quantity
    ) ORDER BY id FOR NO KEY UPDATE;
    SELECT balance INTO held FROM ledger.accounts
    WHERE user_id = whose AND asset = CASE its_type WHEN 'buy' THEN 'EUR' ELSE share END;
    IF coalesce(held, 0) < its_quantity * (CASE its_type WHEN 'buy' THEN its_price ELSE 1 END) THEN
        RAISE EXCEPTION 'not enough % for this order', CASE its_type WHEN 'buy' THEN 'money' ELSE 'shares' END
            USING ERRCODE = 'check_violation';
    END IF;
    FOR rest IN
        SELECT * FROM trading.orders AS o
        WHERE o.company_id = of_company AND o.type = other AND o.status IN ('open', 'partial') AND o.user_id <> whose
            AND CASE its_type WHEN 'buy' THEN o.price <= its_price ELSE o.price >= its_price END
        ORDER BY CASE its_type WHEN 'buy' THEN o.price ELSE -o.price END, o.id
        FOR NO KEY UPDATE
    LOOP
        EXIT WHEN left_over = 0;
        part := least(left_over, rest.quantity - rest.filled);
        SELECT balance INTO held FROM ledger.accounts
        WHERE user_id = rest.user_id AND asset = CASE its_type WHEN 'buy' THEN share ELSE 'EUR' END;
        IF coalesce(held, 0) < part * (CASE its_type WHEN 'buy' THEN 1 ELSE rest.price END) THEN
            UPDATE trading.orders SET status = 'cancelled' WHERE id = rest.id;
            CONTINUE;
        END IF;
        IF its_type = 'buy' THEN
            PERFORM ledger.trade(gen_random_uuid(), mine.id, rest.id, part, rest.price);
        ELSE
            PERFORM ledger.trade(gen_random_uuid(), rest.id, mine.id, part, rest.price);
        END IF;
        left_over := left_over - part;
    END LOOP;
    RETURN trading.order_with_trades(mine.id);
END
$$;

REVOKE EXECUTE ON FUNCTION trading.order_with_trades, trading.place_order FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trading.place_order TO trading_app;
-- A service is ready only when the schema is as new as it needs.
GRANT USAGE ON SCHEMA migrations TO trading_app;
GRANT SELECT ON migrations.schema_migrations TO trading_app;
