-- The market closes once a day, and then what was declared is paid. Two that close the same day: the second waits for the first,
-- and finds it done.
CREATE TABLE trading.market_closes (
    day date PRIMARY KEY,
    paid bigint NOT NULL,
    left_unpaid bigint NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT now()
);

-- Returns NULL for a day that was closed before. A dividend that cannot be paid stays declared for the next day.
CREATE FUNCTION trading.close_market(its_day date) RETURNS jsonb
LANGUAGE plpgsql SECURITY DEFINER SET search_path TO pg_catalog, pg_temp AS $$
DECLARE
    due record;
    done bigint := 0;
    unpaid jsonb := '[]';
BEGIN
    INSERT INTO trading.market_closes (day, paid, left_unpaid) VALUES (its_day, 0, 0) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    FOR due IN SELECT id FROM trading.dividends WHERE status = 'declared' ORDER BY id LOOP
        BEGIN
            PERFORM ledger.pay_dividend(md5('dividend ' || due.id)::uuid, due.id);
            done := done + 1;
        EXCEPTION WHEN check_violation THEN
            unpaid := unpaid || jsonb_build_object('dividend', due.id, 'reason', SQLERRM);
        END;
    END LOOP;
    UPDATE trading.market_closes SET paid = done, left_unpaid = jsonb_array_length(unpaid) WHERE day = its_day;
    RETURN jsonb_build_object('day', its_day, 'paid', done, 'unpaid', unpaid);
END
$$;

REVOKE EXECUTE ON FUNCTION trading.close_market FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trading.close_market TO trading_app;
GRANT SELECT ON trading.market_closes TO trading_app, trading_readonly;
